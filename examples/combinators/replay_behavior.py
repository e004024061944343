"""What a replay does with combinators: their decisions are recorded, so it comes to the same members without asking anybody.

Here every wait ends in a replay from the top, as it does after a restart.
"""

from __future__ import annotations

from datetime import timedelta

from everstep import DurableContext, durable
from examples.run import run


async def taste(wine: str) -> int:
    return len(wine)


async def open_bottle(ctx: DurableContext, wine: str, minutes: int) -> str:
    await ctx.wait(timedelta(minutes=minutes), name=f"{wine} breathes")
    return wine


@durable(warm_executions=0)
async def tasting(event: dict[str, int], ctx: DurableContext) -> list[str | int]:
    points = await ctx.all(*(ctx.step(taste, wine) for wine in event))
    first = await ctx.race(*(open_bottle(ctx, wine, minutes) for wine, minutes in event.items()))
    await ctx.wait(timedelta(hours=1), name="bread and cheese")
    return [*points, first]


if __name__ == "__main__":
    run(tasting, {"Riesling": 20, "Zweigelt": 10, "Merlot": 30})
