"""A map: one function over all items at the same time, each in a context of its own.

The results come in the order of the items. Afterwards the whole map counts as one operation.
"""

from __future__ import annotations

from everstep import DurableContext, durable
from examples.run import run


async def load(width: int) -> int:
    return width


async def shrink(width: int) -> int:
    return width // 2


async def halve(child: DurableContext, photo: int) -> int:
    return await child.step(shrink, await child.step(load, photo))


@durable
async def make_previews(event: list[int], ctx: DurableContext) -> list[int]:
    previews = await ctx.map(event, halve)
    previews.throw_if_error()
    return previews.get_results()


if __name__ == "__main__":
    run(make_previews, [4000, 3000, 1920, 1280, 640])
