"""`wait` and `as_completed` that keep the order they were given, where asyncio's own go by memory address.

Rule: the same awaitables in the same order give the same tasks, and the same completions give the same answers, on every
replay. Names and meanings are asyncio's; only the collections differ: lists instead of sets.
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Awaitable, Iterable
from typing import Generic, Literal, TypeAlias, TypeVar

from everstep.durations import Duration, seconds_of

T = TypeVar("T")
ReturnWhen: TypeAlias = Literal["ALL_COMPLETED", "FIRST_COMPLETED", "FIRST_EXCEPTION"]


async def wait(
    awaitables: Iterable[Awaitable[T]],
    *,
    timeout: Duration | None = None,  # noqa: ASYNC109  # asyncio.wait's own argument
    return_when: ReturnWhen = "ALL_COMPLETED",
) -> tuple[list[asyncio.Future[T]], list[asyncio.Future[T]]]:
    """The awaitables, as tasks, that are done, and those that are not, each in the order given.

    timeout: a timedelta or seconds, after which it returns whatever is done; in a handler, a durable timer.
    """
    tasks = [asyncio.ensure_future(awaitable) for awaitable in awaitables]
    if not tasks:
        return [], []
    done, _ = await asyncio.wait(tasks, timeout=None if timeout is None else seconds_of(timeout), return_when=return_when)
    return [task for task in tasks if task in done], [task for task in tasks if task not in done]


class as_completed(Generic[T]):  # noqa: N801  # asyncio's name
    """The awaitables, as finished tasks, in the order in which they complete: `async for task in as_completed(…): await task`."""

    def __init__(self, awaitables: Iterable[Awaitable[T]]) -> None:
        self._finished: asyncio.Queue[asyncio.Future[T]] = asyncio.Queue()
        tasks = [asyncio.ensure_future(awaitable) for awaitable in awaitables]
        self._left = len(tasks)
        for task in tasks:
            task.add_done_callback(self._finished.put_nowait)

    def __aiter__(self) -> AsyncIterator[asyncio.Future[T]]:
        return self

    async def __anext__(self) -> asyncio.Future[T]:
        if not self._left:
            raise StopAsyncIteration
        self._left -= 1
        return await self._finished.get()
