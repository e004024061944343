"""A flat map: no context is recorded per item, which saves an operation each; their steps stand directly under the map.

For items that consist of one or two operations.
"""

from __future__ import annotations

from everstep import DurableContext, durable
from examples.run import run


async def stamp(letter: str) -> str:
    return f"{letter} stamped"


async def stamp_one(child: DurableContext, letter: str) -> str:
    return await child.step(stamp, letter)


@durable
async def stamp_all(event: list[str], ctx: DurableContext) -> list[str]:
    stamped = await ctx.map(event, stamp_one, nesting="flat")
    stamped.throw_if_error()
    return stamped.get_results()


if __name__ == "__main__":
    run(stamp_all, ["to Ada", "to Ben", "to Cy"])
