"""Group commit: one commit in flight, and whatever arrives meanwhile goes together in the next.

Rule: no timers and no windows. Alone, a write leaves at once; under load, one wait for the disk carries many writes.
Writes leave in the order in which they were handed over, so those of one execution follow each other.
"""

from __future__ import annotations

import asyncio
import time
from collections import deque
from collections.abc import Callable, Generator, Sequence
from typing import Final

from everstep.service.metering import Meter
from everstep.service.stores.api import Store, StoreError, Write

MAX_GROUP: Final = 1_000
"""Writes per commit, so that the first of a very long queue need not wait for the last."""

MANY_AT_ONCE: Final = 32
"""Writes that arrived in one turn of the loop: executions that go on in step with each other, as they were woken by one commit."""


class Handed:
    """A write that was handed over. Awaited, it says whether the write was taken, or raises what kept it from being recorded.

    Whoever waits can be cancelled: that does not take the write back.
    """

    __slots__ = ("_listeners", "_outcome", "after", "write")

    def __init__(self, write: Write, after: Handed | None = None) -> None:
        self.write, self.after = write, after
        self._outcome: bool | Exception | None = None
        self._listeners: list[Callable[[], None]] = []

    def done(self) -> bool:
        return self._outcome is not None

    @property
    def was_taken(self) -> bool:
        """Whether it is known to be durable."""
        return self._outcome is True

    @property
    def error(self) -> Exception | None:
        return self._outcome if isinstance(self._outcome, Exception) else None

    def then(self, listener: Callable[[], None]) -> None:
        """Call it as soon as the outcome is known, before anybody who waits for it goes on. What it raises is only reported."""
        if self._outcome is None:
            self._listeners.append(listener)
        else:
            _tell(listener)

    def settle(self, outcome: bool | Exception) -> None:
        """The first outcome counts."""
        if self._outcome is None:
            self._outcome = outcome
            self.after = None  # or one that waits would keep all before it in memory
            listeners, self._listeners = self._listeners, []
            for listener in listeners:
                _tell(listener)

    async def known(self) -> bool:
        """Whether the write was taken, once that is known; False also if it failed."""
        if self._outcome is None:
            waiter: asyncio.Future[None] = asyncio.get_running_loop().create_future()
            self._listeners.append(lambda: None if waiter.done() else waiter.set_result(None))
            await waiter
        return self._outcome is True

    def __await__(self) -> Generator[object, None, bool]:
        taken = yield from self.known().__await__()
        if isinstance(self._outcome, Exception):
            raise self._outcome
        return taken


class Committer:
    """Hands writes to `store` in groups. `run` must be running; it returns after `close`, when nothing is left to write.

    is_elsewhere: a commit is mostly the work of another process, so that ours can go on meanwhile.
    """

    def __init__(self, store: Store, meter: Meter | None = None, *, is_elsewhere: bool = False) -> None:
        self._store, self._meter, self._is_elsewhere = store, meter, is_elsewhere
        self._queue: deque[Handed] = deque()
        self._arrived = asyncio.Event()
        self._is_closed = False

    def hand_over(self, write: Write, *, after: Handed | None = None) -> Handed:
        """The order of calls is the order of writes; those of one turn of the loop go together.

        after: the one that this one rests on; without that one it is refused, even if another service's write has the
        same revision.
        """
        handed = Handed(write, after)
        if self._is_closed:
            handed.settle(StoreError("the service is closing"))
        else:
            self._queue.append(handed)
            self._arrived.set()
        return handed

    def close(self) -> None:
        self._is_closed = True
        self._arrived.set()

    async def run(self) -> None:
        was_idle = False
        while self._queue or not self._is_closed:
            if not self._queue:
                self._arrived.clear()
                await self._arrived.wait()
                was_idle = True
                continue
            size = len(self._queue)
            if self._is_elsewhere and was_idle and size >= MANY_AT_ONCE:
                size //= 2  # from then on, one half's work is done while the other half is committed
            was_idle = False
            group = [self._queue.popleft() for _ in range(min(size, MAX_GROUP))]
            try:
                await self._commit(group)
            except asyncio.CancelledError:
                _settle([*group, *self._queue], StoreError("the service was closed before the write was known to be recorded"))
                raise

    async def _commit(self, group: Sequence[Handed]) -> None:
        for handed in group:
            if handed.after is not None and handed.after.done() and not handed.after.was_taken:
                handed.settle(False)
        group = [handed for handed in group if not handed.done()]
        if not group:
            return
        began_at = 0.0 if self._meter is None else time.perf_counter()
        try:
            taken = await self._store.commit([handed.write for handed in group])
        except StoreError as error:
            if self._meter is not None:
                self._meter.commit_failed()
            _settle(group, error)
        except Exception as error:
            # A write that no store can hold, such as text that is no Unicode, must not take the others with it.
            if len(group) == 1:
                _settle(group, error)
                return
            for handed in group:
                await self._commit([handed])
        else:
            if self._meter is not None:
                self._meter.committed(time.perf_counter() - began_at, len(group))
            for handed, was_taken in zip(group, taken, strict=True):
                handed.settle(was_taken)


def _tell(listener: Callable[[], None]) -> None:
    try:
        listener()
    except Exception as error:
        asyncio.get_running_loop().call_exception_handler({"message": f"exception of {listener}", "exception": error})


def _settle(group: Sequence[Handed], error: Exception) -> None:
    for handed in group:
        handed.settle(error)
