"""A map over nothing: complete at once, succeeded, with no results.

No special case is needed for an empty list.
"""

from __future__ import annotations

from everstep import DurableContext, durable
from examples.run import run


async def remind(borrower: str) -> str:
    return f"{borrower} reminded"


async def remind_one(child: DurableContext, borrower: str) -> str:
    return await child.step(remind, borrower)


@durable
async def remind_all(event: list[str], ctx: DurableContext) -> list[str | int]:
    reminded = await ctx.map(event, remind_one)
    return [reminded.completion_reason, reminded.status, reminded.total_count]


if __name__ == "__main__":
    run(remind_all, [])
