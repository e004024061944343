"""`ctx.all`: every value, in order and with its own type; the first failure ends it and is raised.

Members are awaitables: steps, waits, callbacks, coroutines of one's own. The decision is recorded, so replay decides the same.
"""

from __future__ import annotations

from everstep import DurableContext, durable
from examples.run import run


async def find_name(isbn: str) -> str:
    return f"book {isbn[-2:]}"


async def find_price(isbn: str) -> float:
    return 18.5


async def count_in(shop: str, isbn: str) -> int:
    return len(shop)


@durable
async def book_page(event: str, ctx: DurableContext) -> str:
    name, price = await ctx.all(ctx.step(find_name, event), ctx.step(find_price, event), name="book")
    counts = await ctx.all(*(ctx.step(count_in, shop, event, name=shop) for shop in ("Graz", "Linz", "Wels", "Steyr", "Enns")))
    return f"{name}, {price:.2f} EUR, {sum(counts)} there"


if __name__ == "__main__":
    run(book_page, "978-3-16-148410-0")
