"""Waits of weeks and months. A wait costs nothing however long it is.

For contracts, guarantees, retention periods. An execution as a whole may last 366 days; what goes on for longer begins anew,
as `invoke/recurse.py` does.
"""

from __future__ import annotations

from datetime import timedelta

from everstep import DurableContext, durable
from examples.run import run


async def inspect(roof: str, which: str) -> str:
    return f"{which} inspection of the {roof}"


@durable
async def guarantee(event: str, ctx: DurableContext) -> list[str]:
    await ctx.wait(timedelta(weeks=6), name="it settles")
    inspections = [await ctx.step(inspect, event, "first")]
    await ctx.wait(timedelta(days=320), name="a winter and a summer")
    inspections.append(await ctx.step(inspect, event, "last"))
    return inspections


if __name__ == "__main__":
    run(guarantee, "barn roof")
