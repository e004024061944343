"""Another function is invoked, and its result awaited without holding compute: a plain one, and a durable one by its ARN.

A durable function needs a qualifier. A limit on the time is put around it as around anything.
"""

from __future__ import annotations

import asyncio
from dataclasses import dataclass
from datetime import timedelta

from everstep import DurableContext, durable
from examples.run import run


@dataclass
class Quote:
    item: str
    price: float


async def price_list(event: dict[str, str]) -> Quote:
    return Quote(event["item"], 19.5)


async def pack(item: str) -> str:
    return f"{item} in a box"


@durable
async def shipping(event: str, ctx: DurableContext) -> str:
    packed = await ctx.step(pack, event)
    await ctx.wait(timedelta(days=2))
    return f"{packed}, on its way"


@durable
async def sell(event: str, ctx: DurableContext) -> str:
    quote = await ctx.invoke("price_list", {"item": event}, returns=Quote, name="price")
    try:
        async with asyncio.timeout(timedelta(days=7).total_seconds()):
            sent = await ctx.invoke("arn:aws:lambda:us-east-1:123456789012:function:shipping:$LATEST", event, returns=str, name="ship")
    except TimeoutError:
        sent = "still here after a week"
    return f"{quote.price} EUR, {sent}"


if __name__ == "__main__":
    run(sell, "lamp", functions=[price_list, shipping])
