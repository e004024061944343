"""Waits at the same time: together they last as long as the longest.

`asyncio.sleep` in a handler is a durable wait, too.
"""

from __future__ import annotations

import asyncio
from datetime import timedelta

from everstep import DurableContext, durable
from examples.run import run


@durable
async def dry(event: list[str], ctx: DurableContext) -> str:
    await asyncio.gather(
        ctx.wait(timedelta(hours=6), name="paint"),
        ctx.wait(timedelta(days=2), name="glue"),
        asyncio.sleep(3600),  # varnish
    )
    return f"{' and '.join(event)} are dry"


if __name__ == "__main__":
    run(dry, ["table", "chairs"])
