"""A handler that is a plain function: the same operations, without `await`. It needs `pip install everstep[sync]`.

For code bases that have no asyncio. Steps may still be of either kind.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import timedelta

from everstep import Retry, SyncContext, durable, get_step_context
from examples.run import Answer, run, tell


@dataclass
class Meal:
    dish: str
    table: int


def cook(dish: str) -> str:
    if get_step_context().attempt == 1:
        raise RuntimeError("burnt")
    return f"{dish} cooked"


async def call_waiter(callback_id: str, table: int) -> None:
    await tell("waiter", callback_id)


@durable
def serve(event: Meal, ctx: SyncContext) -> str:
    cooked = ctx.step(cook, event.dish, retry=Retry.fixed(timedelta(minutes=20), max_attempts=2))
    tip = ctx.wait_for_callback(call_waiter, event.table, returns=int)
    ctx.wait(timedelta(minutes=40), name="they eat")
    return f"{cooked}, table {event.table} gave {tip} EUR"


if __name__ == "__main__":
    run(serve, Meal("goulash", 7), answers={"waiter": Answer(5, after=timedelta(minutes=3))})
