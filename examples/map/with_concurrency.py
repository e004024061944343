"""A map with a limit on how many items are under way at the same time; the next begins when one is done.

For a resource that bears only so much: here two kilns and five pots.
"""

from __future__ import annotations

from datetime import timedelta

from everstep import DurableContext, durable
from examples.run import run


async def take_out(pot: str) -> str:
    return f"{pot} fired"


async def fire(child: DurableContext, pot: str) -> str:
    await child.wait(timedelta(hours=8), name="in the kiln")
    return await child.step(take_out, pot)


@durable
async def fire_all(event: list[str], ctx: DurableContext) -> list[str]:
    fired = await ctx.map(event, fire, max_concurrency=2)
    return [*fired, f"after {(ctx.now().day - 2) * 24 + ctx.now().hour - 9} hours"]


if __name__ == "__main__":
    run(fire_all, ["cup", "bowl", "vase", "plate", "jug"])
