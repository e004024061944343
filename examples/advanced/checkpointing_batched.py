"""Durability "acknowledged", the default: the handler goes on when a step's result is recorded; what comes together is sent together.

The steps of a gather need one request for all of them, not one each.
"""

from __future__ import annotations

import asyncio

from everstep import DurableContext, durable
from examples.run import run


async def light(lamp: str) -> str:
    return f"{lamp} lit"


@durable(durability="acknowledged")
async def light_street(event: int, ctx: DurableContext) -> int:
    lit = await asyncio.gather(*(ctx.step(light, f"lamp {number}", name=f"lamp {number}") for number in range(event)))
    return len(lit)


if __name__ == "__main__":
    run(light_street, 8)
