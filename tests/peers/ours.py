"""The handler that goes on with what the official SDK began, and begins what it goes on with: `wait` of `official`, in our API."""

from __future__ import annotations

from everstep import DurableContext, durable


@durable
async def wait(event: int, ctx: DurableContext) -> int:
    async def before() -> int:
        return event + 1

    async def after(first: int) -> int:
        return first * 10

    first = await ctx.step(before, name="before")
    await ctx.wait(1, name="pause")
    return await ctx.step(after, first, name="after")
