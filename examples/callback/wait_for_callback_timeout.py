"""A callback that nobody answers: when its time is over the handler goes on without it.

Seats are held for as long as the customer may take to pay, and not longer.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import timedelta

from everstep import CallbackTimeout, DurableContext, durable
from examples.run import run, tell


@dataclass
class Basket:
    customer: str
    seats: list[str]


async def show_payment_page(callback_id: str, basket: Basket) -> None:
    await tell(basket.customer, callback_id)


async def free(seats: list[str]) -> str:
    return f"{' and '.join(seats)} are free again"


@durable
async def sell_seats(event: Basket, ctx: DurableContext) -> str:
    try:
        return await ctx.wait_for_callback(show_payment_page, event, returns=str, timeout=timedelta(minutes=8))
    except CallbackTimeout:
        return await ctx.step(free, event.seats)


if __name__ == "__main__":
    run(sell_seats, Basket("someone who left", ["C4", "C5"]))
