"""Group commit: one commit in flight, and whatever arrives meanwhile goes together in the next.

Rule: no timers and no windows. Alone, a write leaves at once; under load, one wait for the disk carries many writes.
Writes leave in the order in which they were handed over, so those of one execution follow each other.
"""

from __future__ import annotations

import asyncio
import time
from collections import deque
from collections.abc import Sequence
from typing import Final, NamedTuple

from everstep.service.metering import Meter
from everstep.service.stores.api import Store, StoreError, Write

MAX_GROUP: Final = 1_000
"""Writes per commit, so that the first of a very long queue need not wait for the last."""


class _Waiting(NamedTuple):
    write: Write
    after: asyncio.Future[bool] | None
    taken: asyncio.Future[bool]


class Committer:
    """Hands writes to `store` in groups. `run` must be running; it returns after `close`, when nothing is left to write."""

    def __init__(self, store: Store, meter: Meter | None = None) -> None:
        self._store, self._meter = store, meter
        self._queue: deque[_Waiting] = deque()
        self._arrived = asyncio.Event()
        self._is_closed = False

    def hand_over(self, write: Write, *, after: asyncio.Future[bool] | None = None) -> asyncio.Future[bool]:
        """Whether the write was taken, known once it is durable. Raises what kept the write from being recorded.

        The order of calls is the order of writes. Cancelling the wait does not take the write back. after: of the write
        that this one rests on; without that one it is refused, even if another service's write has the same revision.
        """
        taken = asyncio.get_running_loop().create_future()
        if self._is_closed:
            taken.set_exception(StoreError("the service is closing"))
        else:
            self._queue.append(_Waiting(write, after, taken))
            self._arrived.set()
        return taken

    def close(self) -> None:
        self._is_closed = True
        self._arrived.set()

    async def run(self) -> None:
        while self._queue or not self._is_closed:
            if not self._queue:
                self._arrived.clear()
                await self._arrived.wait()
                await asyncio.sleep(0)  # what follows in this turn of the loop, such as a start's first invocation, comes along
                continue
            group = [self._queue.popleft() for _ in range(min(len(self._queue), MAX_GROUP))]
            try:
                await self._commit(group)
            except asyncio.CancelledError:
                _fail([*group, *self._queue], StoreError("the service was closed before the write was known to be recorded"))
                raise

    async def _commit(self, group: Sequence[_Waiting]) -> None:
        for waiting in group:
            if waiting.after is not None and waiting.after.done() and not was_taken(waiting.after):
                _give(waiting, is_taken=False)
        group = [waiting for waiting in group if not waiting.taken.done()]
        if not group:
            return
        began_at = 0.0 if self._meter is None else time.perf_counter()
        try:
            taken = await self._store.commit([waiting.write for waiting in group])
        except StoreError as error:
            if self._meter is not None:
                self._meter.commit_failed()
            _fail(group, error)
        except Exception as error:
            # A write that no store can hold, such as text that is no Unicode, must not take the others with it.
            if len(group) == 1:
                _fail(group, error)
                return
            for waiting in group:
                await self._commit([waiting])
        else:
            if self._meter is not None:
                self._meter.committed(time.perf_counter() - began_at, len(group))
            for waiting, is_taken in zip(group, taken, strict=True):
                _give(waiting, is_taken=is_taken)


def was_taken(write: asyncio.Future[bool]) -> bool:
    return not write.cancelled() and write.exception() is None and write.result()


def _give(waiting: _Waiting, *, is_taken: bool) -> None:
    if not waiting.taken.done():
        waiting.taken.set_result(is_taken)


def _fail(group: Sequence[_Waiting], error: Exception) -> None:
    for waiting in group:
        if not waiting.taken.done():
            waiting.taken.set_exception(error)
