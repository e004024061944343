"""Waits with names, so that whoever looks at the history sees what an execution is waiting for.

Seconds will do as well as a timedelta.
"""

from __future__ import annotations

from datetime import timedelta

from everstep import DurableContext, durable
from examples.run import run


@durable
async def bake(event: str, ctx: DurableContext) -> str:
    await ctx.wait(timedelta(hours=12), name="dough rises")
    await ctx.wait(45 * 60, name="in the oven")
    await ctx.wait(timedelta(minutes=20), name="cools down")
    return f"{event} is ready"


if __name__ == "__main__":
    run(bake, "rye bread")
