"""A parallel without branches: complete at once, like an empty map.

When the branches are put together at run time and there happen to be none.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable

from everstep import DurableContext, durable
from examples.run import run


async def ring(who: str) -> str:
    return f"{who} rung"


@durable
async def ring_all(event: list[str], ctx: DurableContext) -> list[str | int]:
    def ring_one(who: str) -> Callable[[DurableContext], Awaitable[str]]:
        return lambda child: child.step(ring, who)

    rung = await ctx.parallel([ring_one(who) for who in event])
    return [rung.completion_reason, rung.status, rung.total_count]


if __name__ == "__main__":
    run(ring_all, [])
