"""`ctx.race`: whatever ends first decides, be it a value or an error; the others are cancelled.

For rivals of which only the first counts.
"""

from __future__ import annotations

from datetime import timedelta

from everstep import DurableContext, durable
from examples.run import run


async def accept(driver: str) -> str:
    return f"{driver} takes the ride"


async def offer(ctx: DurableContext, driver: str, seconds: int) -> str:
    await ctx.wait(timedelta(seconds=seconds), name=f"{driver} looks at the phone")
    return await ctx.step(accept, driver)


@durable
async def find_driver(event: dict[str, int], ctx: DurableContext) -> str:
    return await ctx.race(*(offer(ctx, driver, seconds) for driver, seconds in event.items()), name="drivers")


if __name__ == "__main__":
    run(find_driver, {"Ada": 40, "Ben": 15, "Cy": 25})
