"""A callback with two limits: on the time until the result, and on the silence between two heartbeats.

The error's type tells which of them was passed.
"""

from __future__ import annotations

from datetime import timedelta

from everstep import CallbackTimeout, DurableContext, durable
from examples.run import Answer, run, tell


async def call_courier(parcel: str, callback_id: str) -> None:
    await tell("courier", callback_id)


@durable
async def deliver(event: str, ctx: DurableContext) -> str:
    delivery = await ctx.create_callback(name="delivery", returns=str, timeout=timedelta(hours=8), heartbeat_timeout=timedelta(minutes=30))
    await ctx.step(call_courier, event, delivery.callback_id)
    try:
        return f"{event} was given to {await delivery}"
    except CallbackTimeout as error:
        why = "the courier can't be reached" if error.error_type == "Callback.Heartbeat" else "the courier's day is over"
        return f"{event} comes tomorrow: {why}"


if __name__ == "__main__":
    courier = Answer("a neighbour", after=timedelta(hours=3), heartbeat_every=timedelta(minutes=20))
    run(deliver, "parcel 7", answers={"courier": courier})
