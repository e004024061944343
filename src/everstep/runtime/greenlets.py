"""Plain functions on the engine: each runs in a greenlet, which hands what it waits for to the task that it runs in.

Rule: a greenlet and its task are one line of execution; no thread is involved, and nothing else about the engine changes.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from importlib.util import find_spec
from typing import TYPE_CHECKING, TypeVar, cast

from everstep.errors import UsageError

if TYPE_CHECKING:
    import greenlet as greenlets

T = TypeVar("T")


def load_greenlet() -> None:
    """Raises UsageError if handlers of plain functions can't run here."""
    if find_spec("greenlet") is None:
        raise UsageError("a handler that is a plain `def` needs greenlet: pip install 'everstep[sync]', or write it `async def`")


async def in_greenlet(function: Callable[..., T], *args: object) -> T:
    """What the function returns; what it waits for by `wait_here` is awaited by the running task."""
    from greenlet import getcurrent, greenlet

    line: greenlets.greenlet = greenlet(function)
    line.gr_context = getcurrent().gr_context  # the task's own: variables that either sets, both see
    answer: object = line.switch(*args)
    while not line.dead:
        try:
            value = await cast("Awaitable[object]", answer)
        except BaseException as error:
            answer = line.throw(error)
        else:
            answer = line.switch(value)
    return cast("T", answer)


def wait_here(awaitable: Awaitable[T]) -> T:
    """The awaitable's value, for a function that runs by `in_greenlet`. Raises what it raises; UsageError elsewhere."""
    from greenlet import getcurrent

    task_side = getcurrent().parent
    if task_side is None:
        if hasattr(awaitable, "close"):
            awaitable.close()  # pyright: ignore[reportAttributeAccessIssue, reportUnknownMemberType]
        raise UsageError(
            "an operation was called outside the handler's own code: in a step's body or another thread. Steps can't hold "
            "operations: call them from the handler, or make the step a child context."
        )
    return cast("T", task_side.switch(awaitable))
