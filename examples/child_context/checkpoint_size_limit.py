"""Results on both sides of the size that a context records: handlers see no difference.

262,144 bytes of JSON are recorded as they are; one more, and a replay makes the result anew from the context's operations.
"""

from __future__ import annotations

from datetime import timedelta

from everstep import DurableContext, durable
from examples.run import run

LIMIT = 262_144
QUOTES = 2
"""A text as JSON has these around it."""


async def scan(pages: int) -> str:
    return "x" * pages


async def read(child: DurableContext, size: int) -> str:
    return await child.step(scan, size - QUOTES)


@durable
async def archive(event: list[int], ctx: DurableContext) -> list[int]:
    texts = [await ctx.run_in_child_context(read, LIMIT + difference, name=f"limit {difference:+}") for difference in event]
    await ctx.wait(timedelta(minutes=1))
    return [len(text) for text in texts]


if __name__ == "__main__":
    run(archive, [-1, 0, 1])
