"""Errors of single items, kept in the result of a map: which item, what class, what message, with nothing raised.

They can be looked at, sorted, tried again, or raised by `throw_if_error()`.
"""

from __future__ import annotations

from everstep import Completion, DurableContext, Retry, durable
from examples.run import run


class Blurred(Exception):
    def __init__(self, page: int, percent: int) -> None:
        super().__init__(f"page {page} is {percent} % blurred")
        self.percent = percent


async def recognise(page: int, resolution: int) -> str:
    if page % 2 == 0 and resolution < 600:
        raise Blurred(page, 10 * page)
    return f"text of page {page}"


@durable
async def scan_book(event: int, ctx: DurableContext) -> list[str]:
    async def at(child: DurableContext, page: int, resolution: int = 300) -> str:
        return await child.step(recognise, page, resolution, retry=Retry.none())

    async def sharper(child: DurableContext, page: int) -> str:
        return await at(child, page, 600)

    pages = await ctx.map(range(event), at, completion=Completion.all_completed())
    again = [item.index for item in pages.failed() if isinstance(item.error, Blurred) and item.error.percent > 20]
    better = await ctx.map(again, sharper, name="again")
    return [f"{pages.success_count} read at once", *(str(error) for error in pages.get_errors()), f"{len(better)} read again"]


if __name__ == "__main__":
    run(scan_book, 5)
