"""Several waits between steps: a course of mails that runs for two weeks as one straight function.

For anything that goes on for long and does little at a time.
"""

from __future__ import annotations

from datetime import timedelta

from everstep import DurableContext, durable
from examples.run import run


async def mail(to: str, subject: str) -> str:
    return f"{subject} -> {to}"


@durable
async def onboard(event: str, ctx: DurableContext) -> list[str]:
    sent = [await ctx.step(mail, event, "Welcome")]
    await ctx.wait(timedelta(days=1))
    sent.append(await ctx.step(mail, event, "Three things to try"))
    await ctx.wait(timedelta(days=3))
    sent.append(await ctx.step(mail, event, "Invite your team"))
    await ctx.wait(timedelta(days=10))
    sent.append(await ctx.step(mail, event, "How was it?"))
    return sent


if __name__ == "__main__":
    run(onboard, "ada@example.com")
