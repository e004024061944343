"""`asyncio.timeout` around anything: a durable limit, which holds across crashes and restarts.

For a limit on several operations together. What is under way when it passes is cancelled.
"""

from __future__ import annotations

import asyncio
from datetime import timedelta

from everstep import DurableContext, durable
from examples.run import Answer, run, tell


async def offer(callback_id: str, flat: str, to: str) -> None:
    await tell(to, callback_id)


@durable
async def let(event: list[str], ctx: DurableContext) -> str:
    asked: list[str] = []
    try:
        async with asyncio.timeout(timedelta(days=10).total_seconds()):
            for name in event:
                asked.append(name)
                if await ctx.wait_for_callback(offer, "flat 3", name, returns=bool, name=name):
                    return f"let to {name}"
    except TimeoutError:
        return f"given to an agent, after {' and '.join(asked)} were asked"
    return "nobody wants it"


if __name__ == "__main__":
    run(let, ["Ada", "Ben", "Cy"], answers={"Ada": Answer(False, after=timedelta(days=6)), "Ben": Answer(True, after=timedelta(days=3))})
