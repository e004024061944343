"""The handlers of the official histories in tests/golden, as ours.

The files are histories of the official Python SDK 3.0.0, as boto3's answers look when Python prints them (`json.dumps(…, default=str)`).
"""

from __future__ import annotations

from contextlib import suppress
from pathlib import Path
from typing import cast

from everstep import DurableContext, DurableHandler, Retry, durable

HISTORIES = Path(__file__).parents[1] / "golden" / "official-python-3.0.0-histories"


def never(*_: object) -> object:
    """A body. In a verification none runs."""
    raise AssertionError("a body ran")


def send(callback_id: str) -> None:
    never(callback_id)


@durable
async def order(event: dict[str, int], ctx: DurableContext) -> dict[str, object]:
    paid = await ctx.step(never, name="charge")
    await ctx.wait(1, name="cool off")
    with suppress(ZeroDivisionError):
        await ctx.step(never, name="broken", retry=Retry.none())

    async def child(inner: DurableContext) -> dict[str, object]:
        return {"inner": await inner.step(never, name="in child")}

    async def item(inner: DurableContext, number: int) -> object:
        return await inner.step(never, name="double")

    inside = await ctx.run_in_child_context(child, name="child")
    mapped = await ctx.map([1, 2, 3], item, name="map", max_concurrency=1)
    return {"paid": paid, "inner": inside["inner"], "map": mapped.get_results()}


@durable
async def approval(event: dict[str, int], ctx: DurableContext) -> object:
    await ctx.step(never, name="ask")
    answer = await ctx.wait_for_callback(send, name="approval")
    return await ctx.step(never, answer, name="use")


@durable
async def big(event: dict[str, int], ctx: DurableContext) -> list[int]:
    async def child(inner: DurableContext) -> str:
        await inner.step(never, name="small")
        return "x" * 300_000

    async def item(inner: DurableContext, number: int) -> str:
        return str(await inner.step(never, name="page")) * 270_000

    text = await ctx.run_in_child_context(child, name="big child")
    mapped = await ctx.map([1, 2], item, name="big map", max_concurrency=1)
    await ctx.wait(1, name="rest")
    return [len(text), mapped.success_count]


Handler = DurableHandler[object, object]
HANDLERS = {"order": cast("Handler", order), "approval": cast("Handler", approval), "big": cast("Handler", big)}
