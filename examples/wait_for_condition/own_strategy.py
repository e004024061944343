"""A pace of one's own: a function of the state and the number of the poll that answers with a delay, or None when it is done.

When the thing that is polled says itself how far it is.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import timedelta

from everstep import DurableContext, durable
from examples.run import run


@dataclass
class Export:
    rows: int
    of: int


async def progress(export: Export) -> Export:
    """What the database says. Here it writes 400 rows between two looks."""
    return Export(min(export.rows + 400, export.of), export.of)


def by_what_is_left(export: Export, poll: int) -> timedelta | None:
    left = export.of - export.rows
    return timedelta(minutes=left / 10) if left else None


@durable
async def export(event: int, ctx: DurableContext) -> str:
    done = await ctx.wait_for_condition(progress, Export(0, event), poll=by_what_is_left)
    return f"{done.rows} rows, after {ctx.now():%H:%M}"


if __name__ == "__main__":
    run(export, 1_000)
