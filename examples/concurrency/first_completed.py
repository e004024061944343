"""`everstep.wait`: what is done and what is not, as lists in the order given. asyncio's sets have no order to rely on.

For going on when the first is there while the rest may still come.
"""

from __future__ import annotations

from datetime import timedelta

import everstep
from everstep import DurableContext, durable
from examples.run import run


async def answer(shop: str, days: int) -> str:
    return f"{shop} has it in {days} days"


async def ask(ctx: DurableContext, shop: str, days: int) -> str:
    await ctx.wait(timedelta(hours=days), name=shop)
    return await ctx.step(answer, shop, days)


@durable
async def find_spare_part(event: dict[str, int], ctx: DurableContext) -> list[str]:
    done, pending = await everstep.wait([ask(ctx, shop, days) for shop, days in event.items()], return_when="FIRST_COMPLETED")
    first = [await task for task in done]
    done, pending = await everstep.wait(pending, timeout=timedelta(hours=2))  # the others get two hours more
    later = [await task for task in done]
    for task in pending:
        task.cancel()
    return [*first, *later, f"{len(pending)} did not answer"]


if __name__ == "__main__":
    run(find_spare_part, {"north": 5, "south": 2, "west": 3})
