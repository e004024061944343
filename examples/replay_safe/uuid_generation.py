"""Identifiers that are the same on every replay: `ctx.uuid4()`, made before the step and handed to it.

An idempotency key has to survive retries and crashes, or the other side books twice.
"""

from __future__ import annotations

from everstep import DurableContext, Retry, durable, get_step_context
from examples.run import run

BANK: dict[str, int] = {}
"""What is booked there: by key, so a repeated request changes nothing."""


async def book(key: str, amount: int) -> str:
    BANK[key] = amount
    if get_step_context().attempt == 1:
        raise TimeoutError("booked, but the answer was lost")
    return key


async def balance(keys: list[str]) -> int:
    return sum(amount for key, amount in BANK.items() if key in keys)


@durable
async def pay(event: list[int], ctx: DurableContext) -> str:
    keys = [await ctx.step(book, str(ctx.uuid4()), amount, retry=Retry.fixed(5)) for amount in event]
    return f"{len(set(keys))} payments, {await ctx.step(balance, keys)} EUR"


if __name__ == "__main__":
    run(pay, [30, 12])
