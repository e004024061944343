"""Steps at the same time, joined by asyncio's own `gather`.

For a few things that do not need each other. Their results come in the order of the call, whichever is done first.
"""

from __future__ import annotations

import asyncio

from everstep import DurableContext, durable
from examples.run import run


async def weather(city: str) -> str:
    await asyncio.sleep(0.3)
    return f"sun in {city}"


async def trains(city: str) -> int:
    await asyncio.sleep(0.1)
    return 3


async def events(city: str) -> list[str]:
    await asyncio.sleep(0.2)
    return [f"market in {city}"]


@durable
async def morning_brief(event: str, ctx: DurableContext) -> str:
    sky, late, today = await asyncio.gather(ctx.step(weather, event), ctx.step(trains, event), ctx.step(events, event))
    return f"{sky}, {late} trains late, {', '.join(today)}"


if __name__ == "__main__":
    run(morning_brief, "Graz")
