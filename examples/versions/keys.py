"""Keys: operations that are found again by a key of their own instead of by their place.

So steps can be inserted and moved while executions run, and a set without an order can be gone through.
"""

from __future__ import annotations

from datetime import timedelta

from everstep import DurableContext, durable
from examples.run import run


async def water(plant: str) -> str:
    return f"{plant} watered"


@durable(name="water_plants")
async def before(event: list[str], ctx: DurableContext) -> list[str]:
    """As it was: in the order in which they were given."""
    watered = [await ctx.step(water, plant, key=plant) for plant in event]
    await ctx.wait(timedelta(days=1), key="rest")
    return watered


@durable(name="water_plants")
async def water_plants(event: list[str], ctx: DurableContext) -> list[str]:
    """As it is now: sorted, and with the cactus at the end."""
    watered = [await ctx.step(water, plant, key=plant) for plant in sorted(event)]
    await ctx.wait(timedelta(days=1), key="rest")
    return [*watered, await ctx.step(water, "cactus", key="cactus")]


if __name__ == "__main__":
    run(water_plants, ["rose", "fern"])
