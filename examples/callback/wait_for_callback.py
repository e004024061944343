"""Callback, submission and wait in one call: `wait_for_callback` hands the id over in a retried step, then waits for the answer.

A card payment in two stages: the customer confirms, then the bank settles. The usual way to wait for somebody.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import timedelta

from everstep import CallbackFailed, CallbackTimeout, DurableContext, durable
from examples.run import Answer, run, tell


@dataclass
class Settlement:
    reference: str
    fee: float


async def open_bank_app(callback_id: str, customer: str) -> None:
    await tell(customer, callback_id)


async def capture(callback_id: str, amount: int) -> None:
    await tell("bank", callback_id)


async def release_basket(reason: str) -> str:
    return f"basket released: {reason}"


@durable
async def pay(event: int, ctx: DurableContext) -> str:
    try:
        await ctx.wait_for_callback(open_bank_app, "customer", name="confirmation", timeout=timedelta(minutes=10))
        settlement = await ctx.wait_for_callback(capture, event, returns=Settlement)
    except CallbackTimeout:
        return await ctx.step(release_basket, "not confirmed in time")
    except CallbackFailed as error:
        return await ctx.step(release_basket, error.message)
    return f"{event - settlement.fee} EUR, reference {settlement.reference}"


if __name__ == "__main__":
    answers = {"customer": Answer(after=timedelta(minutes=2)), "bank": Answer(Settlement("R-71", 0.35), after=timedelta(hours=30))}
    run(pay, 40, answers=answers)
