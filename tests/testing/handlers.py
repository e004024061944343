"""Handlers that the tests of the kit run."""

from __future__ import annotations

import asyncio
from dataclasses import dataclass
from datetime import timedelta

from everstep import DurableContext, Retry, SyncContext, durable, get_step_context


@dataclass(frozen=True)
class Order:
    id: str
    total: int


@dataclass(frozen=True)
class Receipt:
    order: Order
    payment: str
    decision: str


async def charge(order: Order) -> str:
    if get_step_context().attempt < 2:
        raise ConnectionError("the bank is away")
    return f"payment of {order.total}"


async def ask_manager(callback_id: str) -> None:
    assert callback_id


async def pack(number: int) -> str:
    return f"parcel {number}"


async def ship(ctx: DurableContext, number: int) -> str:
    return await ctx.step(pack, number)


@durable(name="order")
async def order(event: Order, ctx: DurableContext) -> Receipt:
    payment = await ctx.step(charge, event, retry=Retry.fixed(10, max_attempts=3))
    await ctx.wait(timedelta(days=200), name="cool off")
    decision = await ctx.wait_for_callback(ask_manager, name="approval", returns=str, timeout=timedelta(days=7))
    await ctx.map([1, 2], ship, name="ship")
    return Receipt(event, payment, decision)


@durable
def plain(event: int, ctx: SyncContext) -> int:
    ctx.wait(3600)
    return ctx.step(lambda: event * 2, name="double")


@durable
async def caller(event: int, ctx: DurableContext) -> int:
    doubled = await ctx.invoke("double", event, returns=int)
    return await ctx.invoke("plain", doubled, returns=int)


async def double(event: int) -> int:
    await asyncio.sleep(60)
    return event * 2
