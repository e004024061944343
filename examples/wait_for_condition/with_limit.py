"""A condition that may never be met: a limit on the number of polls, and on the time for all of them.

Afterwards the handler goes on with what it does when nothing came of it.
"""

from __future__ import annotations

from datetime import timedelta

from everstep import DurableContext, Poll, WaitForConditionError, durable
from examples.run import run


async def stock(count: int) -> int:
    """How many there are in the shop. None have come."""
    return count


def any_there(count: int) -> bool:
    return count > 0


@durable
async def restock(event: str, ctx: DurableContext) -> str:
    less_and_less_often = Poll(until=any_there, initial_delay=timedelta(hours=1), max_delay=timedelta(hours=8), jitter="none")
    try:
        count = await ctx.wait_for_condition(stock, 0, poll=less_and_less_often, timeout=timedelta(days=2))
    except WaitForConditionError as error:
        return f"{event} are ordered elsewhere: {error}"
    return f"{count} {event} arrived"


if __name__ == "__main__":
    run(restock, "lamps")
