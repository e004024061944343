"""Handlers for a server."""

from __future__ import annotations

from everstep import DurableContext, durable


async def charge(order_id: str) -> str:
    return f"payment of {order_id}"


def ask(callback_id: str) -> None:
    assert callback_id


@durable
async def asking(event: str, ctx: DurableContext) -> str:
    payment = await ctx.step(charge, event)
    return payment + await ctx.wait_for_callback(ask, name="approval", returns=str)


@durable
async def changed(event: str, ctx: DurableContext) -> str:
    return await ctx.wait_for_callback(ask, name="approval", returns=str)


@durable
async def many(event: int, ctx: DurableContext) -> None:
    """That many steps; above fifty it then waits for somebody."""
    for number in range(event):
        await ctx.step(charge, str(number))
    if event > 50:
        await (await ctx.create_callback(name="go on"))


@durable
async def printing(event: str, ctx: DurableContext) -> str:
    print("printed by the handler")
    return event
