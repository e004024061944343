"""A child context: a group of operations that counts as one, with a result of its own.

When it is done a replay takes its result and does not run it again: long handlers stay quick, and read in chapters.
"""

from __future__ import annotations

from everstep import DurableContext, durable
from examples.run import run


async def find_flight(city: str) -> str:
    return f"flight to {city}"


async def hold_seat(flight: str) -> str:
    return f"{flight}, seat 14A"


async def book_hotel(city: str) -> str:
    return f"hotel in {city}"


async def fly(child: DurableContext, city: str) -> str:
    flight = await child.step(find_flight, city)
    return await child.step(hold_seat, flight)


@durable
async def travel(event: str, ctx: DurableContext) -> list[str]:
    return [await ctx.run_in_child_context(fly, event), await ctx.step(book_hotel, event)]


if __name__ == "__main__":
    run(travel, "Lisbon")
