"""A wait: the handler sleeps for days, and no process has to stay up for it.

Wherever the business says "later": a trial that ends, a reminder, a cooling-off period.
"""

from __future__ import annotations

from datetime import timedelta

from everstep import DurableContext, durable
from examples.run import run


async def open_trial(email: str) -> str:
    return f"the trial of {email}"


async def remind(trial: str) -> str:
    return f"{trial} ends tomorrow"


@durable
async def trial(event: str, ctx: DurableContext) -> str:
    opened = await ctx.step(open_trial, event)
    await ctx.wait(timedelta(days=13))
    return await ctx.step(remind, opened)


if __name__ == "__main__":
    run(trial, "ada@example.com")
