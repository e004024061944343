"""Durability "pipelined": sequential steps go on while the record of the ones before is under way.

The fastest. After a crash the last steps may run again although later ones had begun, so they have to bear repetition.
"""

from __future__ import annotations

from everstep import DurableContext, durable
from examples.run import run


async def normalise(text: str) -> str:
    return text.strip().lower()


async def split(text: str) -> list[str]:
    return text.split()


async def count(words: list[str]) -> int:
    return len(words)


@durable(durability="pipelined")
async def count_words(event: str, ctx: DurableContext) -> int:
    normal = await ctx.step(normalise, event)
    words = await ctx.step(split, normal)
    return await ctx.step(count, words)


if __name__ == "__main__":
    run(count_words, "  It was a dark and stormy night ")
