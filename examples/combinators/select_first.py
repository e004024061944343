"""`ctx.select`: which of several named things happens first, and with what value.

For a fork in the road: the customer pays, or cancels, or the time is over.
"""

from __future__ import annotations

from datetime import timedelta

from everstep import DurableContext, durable
from examples.run import Answer, run, tell


async def show_button(callback_id: str, button: str) -> None:
    await tell(button, callback_id)


async def time_is_over(ctx: DurableContext) -> str:
    await ctx.wait(timedelta(days=3), name="time to pay")
    return "nobody"


@durable
async def checkout(event: str, ctx: DurableContext) -> str:
    first = await ctx.select(
        {
            "pay": ctx.wait_for_callback(show_button, "pay", returns=str, name="pay"),
            "cancel": ctx.wait_for_callback(show_button, "cancel", returns=str, name="cancel"),
            "expire": time_is_over(ctx),
        }
    )
    match first.name:
        case "pay":
            return f"{event} paid by {first.value}"
        case "cancel":
            return f"{event} cancelled by {first.value}"
        case _:
            return f"{event} expired"


if __name__ == "__main__":
    run(checkout, "order 17", answers={"cancel": Answer("Ada", after=timedelta(hours=6))})
