"""A large result: a handler may return up to 6 MiB, while the result of a single step may be 1 MiB.

A step that comes to more fails, and is not tried again: it should leave the thing elsewhere and return a reference.
"""

from __future__ import annotations

from everstep import DurableContext, PayloadTooLarge, durable
from examples.run import run

DISK: dict[str, str] = {}
"""Something that holds large things."""


async def draw(tile: int) -> str:
    return f"{tile % 10}" * 700_000


async def draw_all(tiles: int) -> str:
    return "".join([await draw(tile) for tile in range(tiles)])


async def draw_to_disk(tiles: int) -> str:
    DISK["map"] = await draw_all(tiles)
    return "map"


@durable
async def draw_map(event: int, ctx: DurableContext) -> dict[str, str]:
    try:
        await ctx.step(draw_all, event)
    except PayloadTooLarge:
        await ctx.step(draw_to_disk, event)
    tiles = [await ctx.step(draw, tile, name=f"tile {tile}") for tile in range(event)]
    return {"whole": "".join(tiles)}


if __name__ == "__main__":
    run(draw_map, 3)
