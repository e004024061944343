"""Suite 2: waits."""

from __future__ import annotations

from datetime import timedelta

from everstep import DurableContext, durable


@durable(warm_executions=0)
async def basic(event: object, ctx: DurableContext) -> str:
    """2-1: a wait."""
    await ctx.wait(2)
    return "waited"


@durable(warm_executions=0)
async def named(event: object, ctx: DurableContext) -> str:
    """2-2: a wait with a name."""
    await ctx.wait(2, name="custom_wait_name")
    return "waited"


@durable(warm_executions=0)
async def sequential(event: object, ctx: DurableContext) -> dict[str, int]:
    """2-3: two waits."""
    await ctx.wait(2, name="wait-1")
    await ctx.wait(2, name="wait-2")
    return {"completedWaits": 2}


@durable(warm_executions=0)
async def minutes(event: object, ctx: DurableContext) -> str:
    """2-4: a wait of a minute."""
    await ctx.wait(timedelta(minutes=1))
    return "waited"


@durable(warm_executions=0)
async def hours(event: object, ctx: DurableContext) -> str:
    """2-5: a wait of an hour."""
    await ctx.wait(timedelta(hours=1))
    return "waited"
