"""A child context with a result too large to be recorded: it may be as large as memory, its steps' results up to 1 MiB each.

Above 256 KiB only the steps are on record, and a replay puts the result together from them. Nothing runs again for that.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import timedelta

from everstep import DurableContext, durable
from examples.run import run


@dataclass
class Product:
    number: int
    description: str


async def fetch_page(page: int) -> list[Product]:
    return [Product(page * 1000 + line, f"product {line} of page {page}, in all its colours") for line in range(1000)]


async def fetch_catalogue(child: DurableContext, pages: int) -> list[Product]:
    return [product for page in range(pages) for product in await child.step(fetch_page, page, name=f"page {page}")]


@durable
async def update_shop(event: int, ctx: DurableContext) -> str:
    catalogue = await ctx.run_in_child_context(fetch_catalogue, event)
    await ctx.wait(timedelta(hours=14), name="until the shop closes")
    return f"{len(catalogue)} products, the last is number {catalogue[-1].number}"  # whole, before and after the wait


if __name__ == "__main__":
    run(update_shop, 6)
