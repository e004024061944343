"""A failed step fails the same way on every replay, so code after `except` can be trusted to take the same path.

The body ran once; what is raised after the wait is built from the record, with the original class and its arguments.
"""

from __future__ import annotations

from datetime import timedelta

from everstep import DurableContext, Retry, durable
from examples.run import run


class OutOfStock(Exception):
    def __init__(self, item: str, back_in_days: int) -> None:
        super().__init__(item, back_in_days)
        self.item, self.back_in_days = item, back_in_days


async def reserve(item: str) -> str:
    raise OutOfStock(item, 12)


async def put_on_list(item: str, days: int) -> str:
    return f"{item} will be sent in {days} days"


@durable
async def order(event: str, ctx: DurableContext) -> str:
    try:
        return await ctx.step(reserve, event, retry=Retry.none())
    except OutOfStock as error:
        await ctx.wait(timedelta(days=1))  # the code above is replayed after this, and arrives here again
        return await ctx.step(put_on_list, error.item, error.back_in_days - 1)


if __name__ == "__main__":
    run(order, "kettle")
