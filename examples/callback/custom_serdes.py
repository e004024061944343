"""A callback whose result comes in a form of the partner's, read by a serdes of one's own.

When the other side's JSON is not shaped like any type here.
"""

from __future__ import annotations

import json
from dataclasses import dataclass
from datetime import timedelta
from decimal import Decimal

from everstep import DurableContext, durable
from examples.run import Answer, run, tell


@dataclass
class Money:
    cents: int
    currency: str


class PartnerMoney:
    """The partner writes "EUR 12.50"."""

    def serialize(self, value: Money) -> str:
        return json.dumps(f"{value.currency} {Decimal(value.cents) / 100:.2f}")

    def deserialize(self, text: str) -> Money:
        currency, amount = json.loads(text).split()
        return Money(int(Decimal(amount) * 100), currency)


async def ask_for_quote(item: str, callback_id: str) -> None:
    await tell("partner", callback_id)


@durable
async def quote(event: str, ctx: DurableContext) -> Money:
    price = await ctx.create_callback(name="price", serdes=PartnerMoney())
    await ctx.step(ask_for_quote, event, price.callback_id)
    received = await price
    return Money(received.cents + 250, received.currency)  # with postage


if __name__ == "__main__":
    run(quote, "tea pot", answers={"partner": Answer("EUR 12.50", after=timedelta(minutes=10))})
