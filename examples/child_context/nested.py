"""Contexts in contexts: each level knows only the one below it, and uses the context that it was given.

For work that has parts which have parts.
"""

from __future__ import annotations

from everstep import DurableContext, durable
from examples.run import run

WAREHOUSE = {"hall 1": {"shelf A": 40, "shelf B": 2}, "hall 2": {"shelf C": 7}}


async def count(shelf: str, there: int) -> int:
    """What a person with a scanner finds."""
    return there


async def count_hall(child: DurableContext, shelves: dict[str, int]) -> int:
    return sum([await child.step(count, shelf, there, name=f"count {shelf}") for shelf, there in shelves.items()])


async def count_all(child: DurableContext, halls: list[str]) -> dict[str, int]:
    return {hall: await child.run_in_child_context(count_hall, WAREHOUSE[hall], name=hall) for hall in halls}


@durable
async def take_stock(event: list[str], ctx: DurableContext) -> dict[str, int]:
    return await ctx.run_in_child_context(count_all, event, name="stock-taking")


if __name__ == "__main__":
    run(take_stock, ["hall 1", "hall 2"])
