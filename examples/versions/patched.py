"""A change in a handler that has executions under way: `ctx.patched` gives new ones the new path, and old ones the old.

Those that are past the place keep on as they began. Once none of them is left the old path can be deleted.
"""

from __future__ import annotations

from datetime import timedelta

from everstep import DurableContext, durable
from examples.run import run


async def pay_by_cheque(amount: int) -> str:
    return f"{amount} by cheque"


async def pay_by_transfer(amount: int) -> str:
    return f"{amount} by transfer"


@durable(name="pay_rent")
async def before(event: int, ctx: DurableContext) -> list[str]:
    """As it was."""
    paid: list[str] = []
    for _ in range(2):
        paid.append(await ctx.step(pay_by_cheque, event))
        await ctx.wait(timedelta(days=30), name="a month")
    return paid


@durable(name="pay_rent")
async def pay_rent(event: int, ctx: DurableContext) -> list[str]:
    """As it is now."""
    paid: list[str] = []
    for month in range(2):
        if ctx.patched(f"transfer-{month}"):
            paid.append(await ctx.step(pay_by_transfer, event))
        else:
            paid.append(await ctx.step(pay_by_cheque, event))
        await ctx.wait(timedelta(days=30), name="a month")
    return paid


if __name__ == "__main__":
    run(pay_rent, 700)
