"""A TaskGroup: tasks that belong together, and when one of them fails the others are cancelled, waits included.

For parts that are worth nothing without each other. Compensation is in `saga/trip.py`.
"""

from __future__ import annotations

import asyncio
from datetime import timedelta

from everstep import DurableContext, Retry, durable
from examples.run import run


class HallTaken(Exception):
    """Somebody else has it."""


async def book_hall(day: str) -> str:
    if day == "Saturday":
        raise HallTaken(day)
    return f"hall on {day}"


async def print_posters(day: str) -> str:
    return f"posters for {day}"


async def publish(ctx: DurableContext, day: str) -> str:
    await ctx.wait(timedelta(days=2), name="proofs")
    return await ctx.step(print_posters, day)


@durable
async def plan_concert(event: str, ctx: DurableContext) -> list[str]:
    try:
        async with asyncio.TaskGroup() as group:
            hall = group.create_task(ctx.step(book_hall, event, retry=Retry.none()))
            posters = group.create_task(publish(ctx, event))
    except* HallTaken:
        plan = ["no concert"]  # and no posters: their wait was cancelled
    else:
        plan = [hall.result(), posters.result()]
    return plan


if __name__ == "__main__":
    run(plan_concert, "Friday")
