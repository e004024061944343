"""The submitter itself fails for good: CallbackSubmitterError, told apart from a failure that the other side reports.

Nobody was asked then, so it is safe to ask in another way.
"""

from __future__ import annotations

from datetime import timedelta

from everstep import CallbackFailed, CallbackSubmitterError, DurableContext, Retry, durable
from examples.run import Answer, run, tell


async def text(callback_id: str, number: str) -> None:
    if not number.startswith("+"):
        raise ConnectionError(f"no network takes a message to {number}")
    await tell("phone", callback_id)


async def write(callback_id: str, number: str) -> None:
    await tell("letter box", callback_id)


@durable
async def confirm(event: str, ctx: DurableContext) -> str:
    try:
        return await ctx.wait_for_callback(text, event, returns=str, retry=Retry.fixed(10, max_attempts=3))
    except CallbackSubmitterError as error:
        ctx.logger.info("writing a letter instead: %s", error)
        return await ctx.wait_for_callback(write, event, returns=str)
    except CallbackFailed as error:
        return f"refused: {error}"


if __name__ == "__main__":
    answers = {"phone": Answer("by phone", after=timedelta(minutes=1)), "letter box": Answer("by letter", after=timedelta(days=5))}
    run(confirm, "0049-landline", answers=answers)
