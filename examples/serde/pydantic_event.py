"""A pydantic model as the event: an input that does not fit is refused before the handler runs, and says where it is wrong.

Models are read and written wherever dataclasses are: events, results of steps, answers to callbacks.
"""

from __future__ import annotations

from datetime import timedelta

from pydantic import BaseModel, Field

from everstep import DurableContext, durable
from examples.run import run


class Subscription(BaseModel):
    email: str = Field(pattern=r".+@.+")
    months: int = Field(ge=1, le=12)


class Receipt(BaseModel):
    email: str
    total: float


async def charge(subscription: Subscription) -> Receipt:
    return Receipt(email=subscription.email, total=4.9 * subscription.months)


@durable
async def subscribe(event: Subscription, ctx: DurableContext) -> Receipt:
    receipt = await ctx.step(charge, event)
    await ctx.wait(timedelta(days=30) * event.months, name="subscribed")
    return receipt.model_copy(update={"email": receipt.email.lower()})


if __name__ == "__main__":
    run(subscribe, Subscription(email="Ada@example.com", months=3))
