"""A callback that is waited for inside a child context, after a step: both count as one operation once they are done.

For a part of the story that belongs together and is called from more than one place.
"""

from __future__ import annotations

from datetime import timedelta

from everstep import DurableContext, durable
from examples.run import Answer, run, tell


async def register(claim: str) -> str:
    return f"{claim} registered"


async def send_surveyor(callback_id: str, claim: str) -> None:
    await tell("surveyor", callback_id)


async def survey(child: DurableContext, claim: str) -> int:
    await child.step(register, f"survey of {claim}")
    return await child.wait_for_callback(send_surveyor, claim, returns=int)


@durable
async def settle(event: str, ctx: DurableContext) -> str:
    registered = await ctx.step(register, event)
    damage = await ctx.run_in_child_context(survey, event)
    return f"{registered}, {damage} EUR"


if __name__ == "__main__":
    run(settle, "claim 12", answers={"surveyor": Answer(1800, after=timedelta(days=3))})
