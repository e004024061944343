"""Several callbacks one after the other: each round is asked for when the one before has been answered.

The loop is a loop. How many rounds there are may depend on the answers.
"""

from __future__ import annotations

from datetime import timedelta

from everstep import DurableContext, durable
from examples.run import Answer, run, tell


async def invite(callback_id: str, candidate: str, interviewer: str) -> None:
    await tell(interviewer, callback_id)


@durable
async def hire(event: str, ctx: DurableContext) -> str:
    opinions: list[str] = []
    for interviewer in ("recruiter", "team", "founder"):
        hired = await ctx.wait_for_callback(invite, event, interviewer, returns=bool, name=f"talk with {interviewer}")
        opinions.append(f"{interviewer}: {'yes' if hired else 'no'}")
        if not hired:
            break
    return ", ".join(opinions)


if __name__ == "__main__":
    answers = {who: Answer(True, after=timedelta(days=days)) for who, days in (("recruiter", 1), ("team", 4), ("founder", 2))}
    run(hire, "Grace", answers=answers)
