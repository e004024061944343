"""A handler that raises: the execution ends FAILED, with the error's type, message and trace on record.

It is not invoked again. What should be tried again is a step's affair, or `with_retry`'s.
"""

from __future__ import annotations

from everstep import DurableContext, durable
from examples.run import run


class NoSuchCourse(Exception):
    """Not in the programme."""


async def look_up(course: str) -> int:
    return {"pottery": 12, "chess": 8}.get(course, 0)


@durable
async def enrol(event: str, ctx: DurableContext) -> str:
    seats = await ctx.step(look_up, event)
    if not seats:
        raise NoSuchCourse(f"there is no course in {event}")
    return f"one of {seats} seats"


if __name__ == "__main__":
    run(enrol, "juggling")
