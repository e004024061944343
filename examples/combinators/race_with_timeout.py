"""An answer in a race with a wait: whichever comes first.

`asyncio.timeout` does it with an exception, this way does it with a value.
"""

from __future__ import annotations

from datetime import timedelta

from everstep import DurableContext, durable
from examples.run import Answer, run, tell


async def ask_guest(callback_id: str, question: str) -> None:
    await tell("guest", callback_id)


async def default(ctx: DurableContext, after: timedelta) -> str:
    await ctx.wait(after, name="kitchen closes")
    return "the dish of the day"


@durable
async def take_order(event: str, ctx: DurableContext) -> str:
    asked = ctx.wait_for_callback(ask_guest, event, returns=str)
    return await ctx.race(asked, default(ctx, timedelta(minutes=30)))


if __name__ == "__main__":
    run(take_order, "soup or salad?", answers={"guest": Answer("soup", after=timedelta(minutes=4))})
