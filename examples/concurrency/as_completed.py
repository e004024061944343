"""Results in the order in which they are there, with `everstep.as_completed`, the same order on every replay.

asyncio's own goes by memory address over coroutines and is refused in handlers.
"""

from __future__ import annotations

from datetime import timedelta

from everstep import DurableContext, as_completed, durable
from examples.run import run


async def cross_line(runner: str) -> str:
    return runner


async def race(ctx: DurableContext, runner: str, minutes: int) -> str:
    await ctx.wait(timedelta(minutes=minutes), name=f"{runner} is on the way")
    return await ctx.step(cross_line, runner)


@durable
async def marathon(event: dict[str, int], ctx: DurableContext) -> list[str]:
    places: list[str] = []
    async for finished in as_completed([race(ctx, runner, minutes) for runner, minutes in event.items()]):
        places.append(f"{len(places) + 1}. {await finished}")
    return places


if __name__ == "__main__":
    run(marathon, {"Ada": 190, "Ben": 171, "Cy": 215})
