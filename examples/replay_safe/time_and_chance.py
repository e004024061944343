"""Durable time and chance: `ctx.now()` and `ctx.random()` give the same on every replay.

The clock and the `random` module would not, and a handler that branches on them would lose its way.
"""

from __future__ import annotations

from datetime import timedelta

from everstep import DurableContext, durable
from examples.run import run


async def announce(winners: list[str]) -> list[str]:
    return winners


@durable(warm_executions=0)  # every resume replays, as it does after a restart
async def draw_lots(event: list[str], ctx: DurableContext) -> str:
    began = ctx.now()
    winners = ctx.random().sample(event, 2)
    announced = await ctx.step(announce, winners)
    await ctx.wait(timedelta(days=1), name="objections")
    assert winners == announced  # drawn again by the replay, and the same
    return f"{len(winners)} of {len(event)} are fetching their prizes after {(ctx.now() - began).days} day"


if __name__ == "__main__":
    run(draw_lots, ["Ada", "Ben", "Cy", "Dee"])
