"""A step that must not happen twice: at most once, with a time limit, and no second try.

For effects that can't be taken back and that the other side does not recognise as repeated. If a crash cuts such a step off,
it fails with StepInterrupted, and the handler decides.
"""

from __future__ import annotations

from everstep import DurableContext, Retry, StepInterrupted, durable
from examples.run import run


async def launch(balloon: str) -> str:
    return f"{balloon} is up"


async def look_for(balloon: str) -> str:
    return f"{balloon} was looked for"


@durable
async def send_up(event: str, ctx: DurableContext) -> str:
    try:
        return await ctx.step(launch, event, semantics="at_most_once", retry=Retry.none(), timeout=30)
    except StepInterrupted:  # nobody knows whether it took off
        return await ctx.step(look_for, event)


if __name__ == "__main__":
    run(send_up, "weather balloon 7")
