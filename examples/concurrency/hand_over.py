"""Two lines of work that hand things over by an `asyncio.Queue`: one picks, the other packs what has been picked.

Queues, events and locks of asyncio work in a handler as they do anywhere, and replay in the same order.
"""

from __future__ import annotations

import asyncio
from datetime import timedelta

from everstep import DurableContext, durable
from examples.run import run


async def pick(item: str) -> str:
    return f"{item} picked"


async def pack(item: str) -> str:
    return f"{item}, packed"


@durable
async def fulfil(event: list[str], ctx: DurableContext) -> list[str]:
    bench: asyncio.Queue[str] = asyncio.Queue(maxsize=2)
    packed: list[str] = []

    async def picker() -> None:
        for item in event:
            await bench.put(await ctx.step(pick, item, name=f"pick {item}"))

    async def packer() -> None:
        for _ in event:
            item = await bench.get()
            await ctx.wait(timedelta(minutes=4), name="folding a box")
            packed.append(await ctx.step(pack, item))

    async with asyncio.TaskGroup() as group:
        group.create_task(picker())
        group.create_task(packer())
    return packed


if __name__ == "__main__":
    run(fulfil, ["lamp", "book", "vase"])
