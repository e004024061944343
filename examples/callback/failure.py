"""A callback that the other side completes with a failure, and a handler that has a plan for it.

What they reported is in the error: its message, its type, and the exception class itself where it is known here.
"""

from __future__ import annotations

from datetime import timedelta

from everstep import CallbackFailed, DurableContext, durable
from examples.run import Answer, run, tell


class UnknownPerson(Exception):
    """The bureau has no file."""


async def ask_bureau(applicant: str, callback_id: str) -> None:
    await tell("credit bureau", callback_id)


async def open_manual_review(applicant: str, reason: str) -> str:
    return f"{applicant} is looked at by hand: {reason}"


@durable
async def apply_for_loan(event: str, ctx: DurableContext) -> str:
    score = await ctx.create_callback(name="score", returns=int)
    await ctx.step(ask_bureau, event, score.callback_id)
    try:
        return "granted" if await score >= 600 else "refused"
    except UnknownPerson as error:
        return await ctx.step(open_manual_review, event, str(error))
    except CallbackFailed as error:
        return await ctx.step(open_manual_review, event, f"the bureau failed with {error.error_type}")


if __name__ == "__main__":
    run(apply_for_loan, "Ada", answers={"credit bureau": Answer(error=UnknownPerson("no file on Ada"), after=timedelta(minutes=5))})
