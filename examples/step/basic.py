"""A step: work whose result is recorded, so that it is done once and not again on replay.

Whatever touches the world (an API, a database, a clock) belongs in one.
"""

from __future__ import annotations

from everstep import DurableContext, durable
from examples.run import run


async def reserve_table(guests: int) -> str:
    return f"table for {guests}"


@durable
async def reserve(event: int, ctx: DurableContext) -> str:
    return await ctx.step(reserve_table, event)


if __name__ == "__main__":
    run(reserve, 4)
