"""Somebody's answer, awaited while a step and a wait go on: the handler continues when all are done.

The time that an answer takes is used instead of spent.
"""

from __future__ import annotations

import asyncio
from datetime import timedelta

from everstep import DurableContext, durable
from examples.run import Answer, run, tell


async def send_plans(to: str, callback_id: str) -> None:
    await tell(to, callback_id)


async def order_bricks(count: int) -> str:
    return f"{count} bricks"


@durable
async def prepare_site(event: int, ctx: DurableContext) -> list[str]:
    permit = await ctx.create_callback(name="permit", returns=str)
    await ctx.step(send_plans, "building office", permit.callback_id)
    allowed, bricks, _ = await asyncio.gather(permit, ctx.step(order_bricks, event), ctx.wait(timedelta(days=5), name="foundation sets"))
    return [allowed, bricks]


if __name__ == "__main__":
    run(prepare_site, 2000, answers={"building office": Answer("permit 11", after=timedelta(days=3))})
