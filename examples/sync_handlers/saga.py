"""A saga in a plain function: `with ctx.saga()`, by the same rules as in `saga/trip.py`; and a block that is tried again.

What undoes a step is a step, too.
"""

from __future__ import annotations

from everstep import Retry, SyncContext, durable
from examples.run import run


def reserve(room: str, seats: int) -> str:
    if seats > 40:
        raise OverflowError(f"{room} is too small for {seats}")
    return f"{room} for {seats}"


def release(reservation: str) -> None:
    """Give the room back."""


def brief(child: SyncContext, attempt: int, lecturer: str) -> str:
    return child.step(str.title, lecturer, name="print the programme")


@durable
def plan_lecture(event: int, ctx: SyncContext) -> list[str]:
    try:
        with ctx.saga() as saga:
            foyer = ctx.step(reserve, "foyer", 10)
            saga.compensate(release, foyer)
            hall = ctx.step(reserve, "hall", event, retry=Retry.none())
            return [foyer, hall, ctx.with_retry(brief, "ada lovelace", retry=Retry.fixed(60))]
    except OverflowError as error:
        return [f"no lecture: {error}"]


if __name__ == "__main__":
    run(plan_lecture, 60)
