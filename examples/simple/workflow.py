"""A booking from check to ticket: named steps, a wait between them, and an input that is turned away.

This is the shape of most handlers, and a good one to begin with.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import timedelta

from everstep import DurableContext, Retry, durable
from examples.run import run


@dataclass
class Booking:
    course: str
    seats: int
    card: str


@dataclass
class Ticket:
    course: str
    seats: int
    payment: str


async def check(booking: Booking) -> None:
    if booking.seats < 1:
        raise ValueError(f"{booking.seats} seats for {booking.course} can't be booked")


async def charge(card: str, amount: int) -> str:
    return f"{amount} EUR from {card}"


async def issue(booking: Booking, payment: str) -> Ticket:
    return Ticket(booking.course, booking.seats, payment)


@durable
async def book(event: Booking, ctx: DurableContext) -> Ticket:
    await ctx.step(check, event, name="check-seats", retry=Retry.none())
    payment = await ctx.step(charge, event.card, 35 * event.seats, name="charge-card")
    await ctx.wait(timedelta(hours=1), name="time-to-change-your-mind")
    return await ctx.step(issue, event, payment, name="issue-ticket")


if __name__ == "__main__":
    run(book, Booking("pottery", 2, "4242"))
