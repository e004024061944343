"""Recorded ends that wait for their turn, and the time that the handler knows.

Rule: they are handed out one at a time, by (end time, place in the order of beginnings); durable time is the latest time
that was handed out (ADR 0005).
"""

from __future__ import annotations

import asyncio
from heapq import heappop, heappush
from typing import TypeAlias

from everstep.protocol.shapes import Operation
from everstep.runtime.loop import DurableTimer

Target: TypeAlias = "asyncio.Future[object] | DurableTimer"
"""Who waits for an end: handler code, by a future, or one of asyncio's timers."""
Key: TypeAlias = tuple[float, int]


def is_over(target: Target) -> bool:
    """Whether nobody waits any more."""
    return target.cancelled() if isinstance(target, DurableTimer) else target.done()


class Deliveries:
    """A queue by key. now_ms: durable time, in ms since the epoch."""

    __slots__ = ("_added", "_heap", "now_ms")

    def __init__(self, now_ms: float) -> None:
        self.now_ms = now_ms
        self._heap: list[tuple[float, int, int, Target, Operation]] = []
        self._added = 0

    def __bool__(self) -> bool:
        return bool(self._heap)

    def add(self, key: Key, target: Target, record: Operation) -> None:
        self._added += 1
        heappush(self._heap, (*key, self._added, target, record))

    def pop(self) -> tuple[Target, Operation]:
        """The next one. Time moves to its end."""
        ended_at, _, _, target, record = heappop(self._heap)
        self.now_ms = max(self.now_ms, ended_at)
        return target, record

    def passes(self, key: Key) -> bool:
        """Whether an end comes before all that wait here; if so, time moves to it."""
        if self._heap and self._heap[0][:2] < key:
            return False
        self.now_ms = max(self.now_ms, key[0])
        return True

    def clear(self) -> None:
        self._heap.clear()
