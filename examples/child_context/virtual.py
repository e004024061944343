"""A virtual child context: it keeps a part of the code to itself and is not recorded, which saves an operation.

For helpers that are called often and do little. Their operations stand directly under the handler in the history.
"""

from __future__ import annotations

from everstep import DurableContext, durable
from examples.run import run


async def convert(amount: int, currency: str) -> float:
    return amount * {"EUR": 1.0, "USD": 0.9, "JPY": 0.006}[currency]


async def in_euro(child: DurableContext, amount: int, currency: str) -> float:
    return await child.step(convert, amount, currency, name=f"convert {currency}")


@durable
async def total(event: dict[str, int], ctx: DurableContext) -> float:
    return sum([await ctx.run_in_child_context(in_euro, amount, currency, virtual=True) for currency, amount in event.items()])


if __name__ == "__main__":
    run(total, {"EUR": 40, "USD": 100, "JPY": 5000})
