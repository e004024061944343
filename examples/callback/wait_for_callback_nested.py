"""A callback two named contexts deep: the history shows which part of the sale waits for whom.

Names of contexts are the chapters of a long execution.
"""

from __future__ import annotations

from datetime import timedelta

from everstep import DurableContext, durable
from examples.run import Answer, run, tell


async def book_appointment(callback_id: str, house: str) -> None:
    await tell("notary", callback_id)


async def hand_over_keys(house: str) -> str:
    return f"keys of {house}"


async def notarise(child: DurableContext, house: str) -> str:
    return await child.wait_for_callback(book_appointment, house, returns=str, name="notary's deed")


async def close_sale(child: DurableContext, house: str) -> list[str]:
    deed = await child.run_in_child_context(notarise, house, name="legal part")
    return [deed, await child.step(hand_over_keys, house)]


@durable
async def sell(event: str, ctx: DurableContext) -> list[str]:
    return await ctx.run_in_child_context(close_sale, event, name="closing")


if __name__ == "__main__":
    run(sell, "12 Mill Lane", answers={"notary": Answer("deed 5/26", after=timedelta(weeks=3))})
