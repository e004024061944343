"""A callback: an id that is handed to an outside system, and an `await` until that system completes it.

For whatever answers in its own time: a bank, a person, a machine.
"""

from __future__ import annotations

from datetime import timedelta

from everstep import DurableContext, durable
from examples.run import Answer, run, tell


async def send_invoice(number: str, reference: str) -> None:
    """The bank will send the reference back with the payment, so it is the callback's id."""
    await tell("bank", reference)


@durable
async def bill(event: str, ctx: DurableContext) -> str:
    payment = await ctx.create_callback(name="payment", returns=int)
    await ctx.step(send_invoice, event, payment.callback_id)
    amount = await payment
    return f"invoice {event}: {amount} EUR received"


if __name__ == "__main__":
    run(bill, "2026-31", answers={"bank": Answer(120, after=timedelta(days=9))})
