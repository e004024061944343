"""Fifteen items, ten of them at the same time: calls to a partner who allows no more connections than that.

The body takes the item's index as well if it has a third parameter.
"""

from __future__ import annotations

import asyncio

from everstep import DurableContext, durable
from examples.run import run


class Partner:
    """Refuses an eleventh connection."""

    def __init__(self) -> None:
        self.open = 0
        self.most = 0

    async def ask(self, city: str) -> str:
        self.open += 1
        self.most = max(self.most, self.open)
        await asyncio.sleep(0.01)
        self.open -= 1
        return f"{self.most} at most" if city == "city 14" else city


@durable
async def collect_offers(event: int, ctx: DurableContext) -> list[str]:
    partner = Partner()

    async def ask(child: DurableContext, city: str, index: int) -> str:
        return f"{index}: {await child.step(partner.ask, city)}"

    offers = await ctx.map([f"city {number}" for number in range(event)], ask, max_concurrency=10)
    offers.throw_if_error()
    return [offers.get_results()[0], offers.get_results()[-1]]


if __name__ == "__main__":
    run(collect_offers, 15)
