"""Durability "eager": every update is sent at once and alone, so the record shows what happens while it happens.

For few, slow and important steps that somebody watches.
"""

from __future__ import annotations

import asyncio

from everstep import DurableContext, durable
from examples.run import run


async def move_stage(part: str) -> str:
    await asyncio.sleep(1)
    return f"{part} moved"


@durable(durability="eager")
async def change_scene(event: list[str], ctx: DurableContext) -> list[str]:
    return [await ctx.step(move_stage, part, name=f"move {part}") for part in event]


if __name__ == "__main__":
    run(change_scene, ["wall", "stairs", "moon"])
