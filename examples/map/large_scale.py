"""Fifty items with two steps and a wait each, ten at a time; a replay of what is done costs one operation for all of it.

An execution may hold 3,000 operations: beyond that use `map/batches.py`, `map/flat.py` or `invoke/recurse.py`.
"""

from __future__ import annotations

from datetime import timedelta

from everstep import DurableContext, durable
from examples.run import run


async def read_meter(flat: int) -> int:
    return 100 + flat


async def bill(flat: int, units: int) -> int:
    return units * 3


async def bill_flat(child: DurableContext, flat: int) -> int:
    units = await child.step(read_meter, flat)
    await child.wait(timedelta(days=1), name="objections")
    return await child.step(bill, flat, units)


@durable
async def bill_house(event: int, ctx: DurableContext) -> int:
    bills = await ctx.map(range(event), bill_flat, max_concurrency=10)
    bills.throw_if_error()
    return sum(bills)


if __name__ == "__main__":
    run(bill_house, 50)
