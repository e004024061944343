"""A time limit for each attempt of a step; one that takes longer counts as failed, and may be tried again.

For calls that hang now and then.
"""

from __future__ import annotations

import asyncio

from everstep import DurableContext, Retry, StepTimeout, durable, get_step_context
from examples.run import run


async def scan(label: str, slow_attempts: int) -> str:
    if get_step_context().attempt <= slow_attempts:
        await asyncio.sleep(600)  # inside a step this is ordinary time
    return f"{label} scanned"


@durable
async def check_in(event: int, ctx: DurableContext) -> str:
    try:
        return await ctx.step(scan, "LHR-204", event, timeout=10, retry=Retry.fixed(5, max_attempts=3))
    except StepTimeout as error:
        return f"typed in by hand: {error}"


if __name__ == "__main__":
    run(check_in, 1)
