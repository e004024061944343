"""A saga: each step says how it is undone, and if a later one fails the done ones are undone in reverse order.

For things that are only worth something together and can't be had in one transaction.
"""

from __future__ import annotations

from everstep import DurableContext, Retry, durable
from examples.run import run


class SoldOut(Exception):
    """Not to be had."""


async def book(what: str) -> str:
    if what == "hotel on the moon":
        raise SoldOut(what)
    return f"booking of the {what}"


async def cancel(booking: str) -> str:
    return f"{booking} cancelled"


@durable
async def plan_trip(event: list[str], ctx: DurableContext) -> list[str]:
    bookings: list[str] = []
    try:
        async with ctx.saga() as saga:
            for what in event:
                booking = await ctx.step(book, what, name=f"book {what}", retry=Retry.none())
                saga.compensate(cancel, booking, name=f"cancel {what}")
                bookings.append(booking)
    except SoldOut as error:
        return [f"stay at home: no {error}"]
    return bookings


if __name__ == "__main__":
    run(plan_trip, ["train", "museum", "hotel on the moon"])
