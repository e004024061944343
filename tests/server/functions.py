"""Functions that the tests serve."""

from __future__ import annotations

import asyncio
import logging
import os
import time
from dataclasses import dataclass
from pathlib import Path

from everstep import DurableContext, Retry, durable, get_step_context


async def double(value: int) -> int:
    return value * 2


@durable
async def order(event: dict[str, int], ctx: DurableContext) -> dict[str, int]:
    """Two steps around a wait."""
    first = await ctx.step(double, event["amount"])
    await ctx.wait(1)
    return {"total": await ctx.step(double, first)}


@durable
async def quick(event: object, ctx: DurableContext) -> object:
    async def echo() -> object:
        return event

    return await ctx.step(echo)


@durable
async def logging_one(event: object, ctx: DurableContext) -> object:
    logging.getLogger("shop").info("a line of the function's own")
    return event


@durable
async def stalling(event: object, ctx: DurableContext) -> str:
    """Takes for ever in a process that is told so, and no time in another."""

    async def work() -> str:
        if os.environ.get("EVERSTEP_TEST_STALLS"):
            await asyncio.sleep(3_600)
        return "done"

    return await ctx.step(work, name="work")


@durable
async def failing(event: object, ctx: DurableContext) -> None:
    async def fail() -> None:
        raise ValueError("out of stock")

    await ctx.step(fail, retry=Retry.none())


@durable
async def approval(event: object, ctx: DurableContext) -> object:
    callback = await ctx.create_callback(name="approval", timeout=60, heartbeat_timeout=30)
    return await callback


@durable
async def sleeper(event: object, ctx: DurableContext) -> str:
    await ctx.wait(600)
    return "awake"


@durable
async def caller(event: str, ctx: DurableContext) -> list[object]:
    """Invokes a durable function, a plain one, and one that does not exist."""
    results = [await ctx.invoke("quick:$LATEST", event), await ctx.invoke("plain", event)]
    for unknown in ("nobody", "quick"):
        try:
            await ctx.invoke(unknown, event)
        except Exception as error:  # whatever it is, its text is the result
            results.append(str(error))
    return results


@durable
async def crashing(event: object, ctx: DurableContext) -> int:
    """Ends its process at the first attempt."""

    async def crash_at_first() -> int:
        if get_step_context().attempt == 1:
            os._exit(3)
        return os.getpid()

    return await ctx.step(crash_at_first, semantics="at_most_once", retry=Retry.fixed(1, max_attempts=2))


def plain(event: object, context: object) -> dict[str, object]:
    return {"event": event, "name": getattr(context, "function_name", None), "pid": os.getpid()}


@dataclass
class Parcel:
    weight: int


async def plain_typed(event: Parcel) -> Parcel:
    return Parcel(event.weight * 2)


async def plain_async(event: object) -> object:
    return event


def plain_failing(event: object) -> object:
    raise LookupError("no such thing")


def plain_exiting(event: object) -> object:
    os._exit(7)


def plain_hanging(event: object) -> object:
    time.sleep(30)
    return event


def nonsense(event: object) -> object:
    return "this is no durable function's answer"


def plain_meeting(event: str) -> list[str]:
    """Ends when as many as meet are there, each a file of its name."""
    place, me, others = event.split()
    Path(place, me).touch()
    while len(there := sorted(path.name for path in Path(place).iterdir())) < int(others):
        time.sleep(0.01)
    return there


@durable
async def meeting(event: str, ctx: DurableContext) -> list[str]:
    return await ctx.step(plain_meeting, event)
