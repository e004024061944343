"""Retries that are used up: the last error comes out of the step, and the execution fails with it.

The history has each attempt with its error and the delay after it.
"""

from __future__ import annotations

from datetime import timedelta

from everstep import DurableContext, Retry, durable
from examples.run import run


class LineBusy(Exception):
    """They are on the phone."""


async def call(number: str) -> str:
    raise LineBusy(number)


@durable
async def ring_up(event: str, ctx: DurableContext) -> str:
    each_time_longer = Retry.linear(initial_delay=timedelta(minutes=1), increment=timedelta(minutes=1), max_attempts=4)
    return await ctx.step(call, event, retry=each_time_longer)


if __name__ == "__main__":
    run(ring_up, "1234")
