"""Waits and steps as members of one `ctx.all`: it is complete when the last of either is.

For work that must also take its time.
"""

from __future__ import annotations

from datetime import timedelta

from everstep import DurableContext, durable
from examples.run import run


async def set_up(what: str) -> str:
    return f"{what} set up"


@durable
async def open_gallery(event: str, ctx: DurableContext) -> list[str]:
    await ctx.wait(timedelta(hours=12), name="paint dries")
    _, lights, _ = await ctx.all(
        ctx.wait(timedelta(days=1), name="customs"), ctx.step(set_up, "lights"), ctx.wait(timedelta(hours=3), name="cleaning")
    )
    return [lights, await ctx.step(set_up, event)]


if __name__ == "__main__":
    run(open_gallery, "sculptures")
