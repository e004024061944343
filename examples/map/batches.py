"""Many small items in few contexts: `map_batches` gives the body a list of them.

For thousands of items that are cheap one by one. Batches are cut by number and by size.
"""

from __future__ import annotations

from collections.abc import Sequence

from everstep import DurableContext, durable
from examples.run import run


async def index(numbers: list[int]) -> int:
    return sum(numbers)


async def index_some(child: DurableContext, numbers: Sequence[int]) -> int:
    return await child.step(index, list(numbers))


@durable
async def index_all(event: int, ctx: DurableContext) -> list[int]:
    sums = await ctx.map_batches(range(event), index_some, max_items=400, max_concurrency=2)
    sums.throw_if_error()
    return sums.get_results()


if __name__ == "__main__":
    run(index_all, 1000)
