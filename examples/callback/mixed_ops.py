"""A callback between steps and a wait: the outside world in the middle of a longer story.

What is awaited when is ordinary code; here the crate is brought to the warehouse while customs look at its papers.
"""

from __future__ import annotations

from datetime import timedelta

from everstep import DurableContext, durable
from examples.run import Answer, run, tell


async def declare(crate: str, callback_id: str) -> str:
    await tell("customs", callback_id)
    return f"declaration of {crate}"


async def move(crate: str, place: str) -> str:
    return f"{crate} in the {place}"


@durable
async def clear_customs(event: str, ctx: DurableContext) -> list[str]:
    release = await ctx.create_callback(name="release", returns=str)
    papers = await ctx.step(declare, event, release.callback_id)
    await ctx.step(move, event, "warehouse")
    stamp = await release
    await ctx.wait(timedelta(hours=2), name="loading")
    return [papers, stamp, await ctx.step(move, event, "lorry")]


if __name__ == "__main__":
    run(clear_customs, "crate 9", answers={"customs": Answer("stamp 88", after=timedelta(days=2))})
