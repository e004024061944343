"""Names for the items of a map, so that the history shows what each of them is about.

The name is made from the item and its index.
"""

from __future__ import annotations

from dataclasses import dataclass

from everstep import DurableContext, durable
from examples.run import run


@dataclass
class Guest:
    name: str
    room: int


async def write_key_card(guest: Guest) -> str:
    return f"{guest.room} opens to {guest.name}"


async def check_in(child: DurableContext, guest: Guest) -> str:
    return await child.step(write_key_card, guest)


@durable
async def welcome(event: list[Guest], ctx: DurableContext) -> list[str]:
    cards = await ctx.map(event, check_in, name="coach party", item_name=lambda guest, index: f"room {guest.room}")
    cards.throw_if_error()
    return cards.get_results()


if __name__ == "__main__":
    run(welcome, [Guest("Ada", 12), Guest("Ben", 14)])
