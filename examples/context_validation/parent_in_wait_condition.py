"""The same rule for a condition that is polled: in a child context it has to be the child's own.

Every operation of a context is checked, not only steps.
"""

from __future__ import annotations

from datetime import timedelta

from everstep import DurableContext, Poll, UsageError, durable
from examples.run import run


async def temperature(degrees: int) -> int:
    """What the thermometer says. It rises."""
    return degrees + 30


def is_hot(degrees: int) -> bool:
    return degrees >= 90


@durable
async def make_tea(event: int, ctx: DurableContext) -> list[str]:
    poll = Poll.fixed(is_hot, timedelta(minutes=1))

    async def wrong(child: DurableContext) -> int:
        return await ctx.wait_for_condition(temperature, event, poll=poll)  # everstep: allow[EVS016] it is shown that it is refused

    async def right(child: DurableContext) -> int:
        return await child.wait_for_condition(temperature, event, poll=poll)

    try:
        outcome = f"{await ctx.run_in_child_context(wrong)} degrees"
    except UsageError as error:
        outcome = f"refused: {str(error).split(':', maxsplit=1)[0]}"
    return [outcome, f"{await ctx.run_in_child_context(right)} degrees"]


if __name__ == "__main__":
    run(make_tea, 15)
