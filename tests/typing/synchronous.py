"""Plain-function handlers: the same inference without `await`."""

from __future__ import annotations

from typing import assert_type

from everstep import BatchResult, DurableHandler, Poll, SyncContext, durable
from tests.typing.bodies import Receipt, charge


def label(ctx: SyncContext) -> str:
    return ctx.step(str, 1)


def length(ctx: SyncContext, item: str) -> int:
    return len(item)


def add(ctx: SyncContext, item: int, more: int) -> int:
    return item + more


@durable
def handler(event: str, ctx: SyncContext) -> int:
    assert_type(ctx.step(charge, 1), Receipt)
    assert_type(ctx.step(len, "ab"), int)
    assert_type(ctx.map(["a"], length), BatchResult[int])
    assert_type(ctx.parallel([label, label]), BatchResult[str])
    assert_type(ctx.run_in_child_context(add, 1, 2), int)
    assert_type(ctx.create_callback(returns=int).result(), int)
    assert_type(ctx.create_callback().result(), str | None)
    assert_type(ctx.invoke("f", returns=Receipt), Receipt)
    assert_type(ctx.wait_for_condition(len, 0, poll=Poll(until=bool)), int)  # type: ignore[arg-type]  # len takes no int
    ctx.run_in_child_context(add, 1, "2")  # type: ignore[arg-type]
    ctx.step(charge, "1")  # type: ignore[arg-type]
    return len(event)


assert_type(handler, DurableHandler[str, int])


@durable(name="named", warm_executions=0)
def decorated(event: int, ctx: SyncContext) -> list[int]:
    return [event]


assert_type(decorated, DurableHandler[int, list[int]])
