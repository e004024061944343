"""A child context that turns a technical failure into one that its caller understands.

The error leaves the context as the class that it was raised as, so `except` around it reads like around any function.
"""

from __future__ import annotations

from everstep import DurableContext, Retry, durable
from examples.run import run


class StockUnknown(Exception):
    """The warehouse can't say what it has."""


async def ask_warehouse(item: str) -> int:
    raise ConnectionRefusedError("warehouse.internal:5432")


async def put_on_back_order(item: str, reason: str) -> str:
    return f"{item} on back order: {reason}"


async def reserve(child: DurableContext, item: str) -> int:
    try:
        return await child.step(ask_warehouse, item, retry=Retry.fixed(30, max_attempts=2))
    except ConnectionError as error:
        raise StockUnknown(f"no stock figure for {item}") from error


@durable
async def order(event: str, ctx: DurableContext) -> str:
    try:
        return f"{await ctx.run_in_child_context(reserve, event)} reserved"
    except StockUnknown as error:
        return await ctx.step(put_on_back_order, event, str(error))


if __name__ == "__main__":
    run(order, "kettle")
