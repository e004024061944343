"""Branches that wait for different times: the parallel lasts as long as the longest, and no process has to.

Each wait is a timer of the service.
"""

from __future__ import annotations

from datetime import timedelta

from everstep import Branch, DurableContext, durable
from examples.run import run


async def look_at(dish: str) -> str:
    return f"{dish} is grown over"


def sample(dish: str, days: int) -> Branch[str]:
    async def incubate(child: DurableContext) -> str:
        await child.wait(timedelta(days=days), name="in the incubator")
        return await child.step(look_at, dish)

    return Branch(incubate, name=dish)


@durable
async def run_cultures(event: dict[str, int], ctx: DurableContext) -> list[str]:
    cultures = await ctx.parallel([sample(dish, days) for dish, days in event.items()])
    cultures.throw_if_error()
    return cultures.get_results()


if __name__ == "__main__":
    run(run_cultures, {"dish A": 1, "dish B": 2, "dish C": 3})
