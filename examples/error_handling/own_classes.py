"""Own exception classes around a step: what is caught is an instance of the class that was raised, with its attributes.

It is a StepError as well, and the same on the first run and on every replay, for it is always made from the record.
"""

from __future__ import annotations

from datetime import timedelta

from everstep import DurableContext, Retry, durable
from examples.run import run


class TableError(Exception):
    """Whatever the restaurant's system says."""


class FullyBooked(TableError):
    def __init__(self, free_at: int) -> None:
        super().__init__(f"free again at {free_at}:00")
        self.free_at = free_at


class Closed(TableError):
    """On Mondays."""


async def reserve(day: str, hour: int) -> str:
    if day == "Monday":
        raise Closed(day)
    if hour < 20:
        raise FullyBooked(free_at=20)
    return f"a table at {hour}:00"


@durable
async def dine(event: tuple[str, int], ctx: DurableContext) -> str:
    day, hour = event
    try:
        try:
            return await ctx.step(reserve, day, hour, retry=Retry.none())
        except FullyBooked as error:
            await ctx.wait(timedelta(minutes=10), name="think about it")
            return await ctx.step(reserve, day, error.free_at, retry=Retry.none())
    except TableError as error:
        return f"at home: the restaurant is closed on {error}"


if __name__ == "__main__":
    run(dine, ("Friday", 18))
