"""Functions that the console is shown with, beside those of the server's tests."""

from __future__ import annotations

from typing import Final

from everstep import DurableContext, Retry, durable

HOSTILE: Final = "<img src=x onerror=alert(1)>\"'&"


@durable
async def hostile(event: object, ctx: DurableContext) -> None:
    async def fail() -> None:
        raise ValueError(HOSTILE)

    await ctx.step(text, name=HOSTILE)
    await ctx.step(fail, name="fail", retry=Retry.none())


async def text() -> str:
    return HOSTILE


@durable
async def priced(event: int, ctx: DurableContext) -> int:
    """Two steps, of which the second is made of the first one's result, around a wait."""

    async def look_up() -> int:
        return event

    async def add_tax(price: int) -> int:
        return price * 2

    price = await ctx.step(look_up)
    await ctx.wait(1, name="rest")
    return await ctx.step(add_tax, price)
