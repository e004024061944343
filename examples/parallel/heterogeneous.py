"""Branches of different types: a tuple of up to four gives `values()` in which each has the type of its branch.

For gathering the parts of one thing from different places.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import date

from everstep import DurableContext, durable
from examples.run import run


@dataclass
class Address:
    street: str
    town: str


async def find_address(customer: str) -> Address:
    return Address("Ring 1", "Vienna")


async def count_orders(customer: str) -> int:
    return 17


async def find_birthday(customer: str) -> date:
    return date(1815, 12, 10)


@durable
async def profile(event: str, ctx: DurableContext) -> str:
    async def address(child: DurableContext) -> Address:
        return await child.step(find_address, event)

    async def orders(child: DurableContext) -> int:
        return await child.step(count_orders, event)

    async def birthday(child: DurableContext) -> date:
        return await child.step(find_birthday, event)

    lives, ordered, born = (await ctx.parallel((address, orders, birthday))).values()
    return f"{event} of {lives.town}, {ordered + 1}th order, born in {born:%B}"


if __name__ == "__main__":
    run(profile, "Ada")
