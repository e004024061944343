"""`ctx.any`: the first member that succeeds, failures passed over; NoneSucceeded with all their errors if none does.

For alternatives of which one will do.
"""

from __future__ import annotations

from datetime import timedelta

from everstep import DurableContext, NoneSucceeded, Retry, durable
from examples.run import run


async def try_key(door: str, key: str) -> str:
    if key != "brass":
        raise ValueError(f"the {key} key does not turn")
    return f"{door} opened with the {key} key"


async def fetch_and_try(ctx: DurableContext, door: str, key: str, minutes: int) -> str:
    await ctx.wait(timedelta(minutes=minutes), name=f"fetch the {key} key")
    return await ctx.step(try_key, door, key, retry=Retry.none())


@durable
async def open_door(event: dict[str, int], ctx: DurableContext) -> str:
    try:
        return await ctx.any(*(fetch_and_try(ctx, "cellar", key, minutes) for key, minutes in event.items()))
    except NoneSucceeded as error:
        return f"locked: {'; '.join(str(each) for each in error.errors)}"


if __name__ == "__main__":
    run(open_door, {"iron": 1, "brass": 5, "silver": 30})
