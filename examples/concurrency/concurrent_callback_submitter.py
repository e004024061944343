"""Several people are asked at the same time, each by a `wait_for_callback` of their own.

One that fails does not have to fail the rest: here silence counts as an abstention.
"""

from __future__ import annotations

import asyncio
from datetime import timedelta

from everstep import CallbackTimeout, DurableContext, durable
from examples.run import Answer, run, tell


async def send_ballot(callback_id: str, member: str) -> None:
    await tell(member, callback_id)


async def vote_of(ctx: DurableContext, member: str) -> str:
    try:
        return await ctx.wait_for_callback(send_ballot, member, returns=str, name=member, timeout=timedelta(days=7))
    except CallbackTimeout:
        return "abstains"


@durable
async def ballot(event: list[str], ctx: DurableContext) -> dict[str, str]:
    votes = await asyncio.gather(*(vote_of(ctx, member) for member in event))
    return dict(zip(event, votes, strict=True))


if __name__ == "__main__":
    answers = {"Ada": Answer("yes", after=timedelta(days=2)), "Cy": Answer("no", after=timedelta(hours=1))}
    run(ballot, ["Ada", "Ben", "Cy"], answers=answers)
