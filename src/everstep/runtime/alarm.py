"""When to ask the service what has changed, while work on this side keeps an invocation alive.

Rule: a time that the service is to act at is asked about once it has come; callbacks and invokes, which have no time, are
asked about now and then. Asking is an empty checkpoint. Without work on this side the invocation simply ends.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from heapq import heappop, heappush

from everstep.protocol.shapes import Operation

_FIRST_S, _LONGEST_S = 1.0, 15.0
"""How often callbacks and invokes are asked about: first, and at the longest."""
_LATE_S, _LATEST_S = 0.005, 1.0
"""How soon to ask again about a time that the service's clock has not come to yet."""


class Alarm:
    """The next moment to ask. is_awaited: whether handler code still waits for an operation, by its id."""

    def __init__(self, is_awaited: Callable[[str], bool], record_of: Callable[[str], Operation | None], clock: Callable[[], float]) -> None:
        self._is_awaited = is_awaited
        self._record_of = record_of
        self._clock = clock
        self._times: list[tuple[float, str]] = []
        self._external: set[str] = set()
        self._external_s = _FIRST_S
        self._late_s = _LATE_S
        self._timer: asyncio.TimerHandle | None = None

    def watch(self, record: Operation) -> None:
        """Mind an operation that the service will move on."""
        due: float | None = None
        if record.wait_details is not None:
            due = record.wait_details.scheduled_end_timestamp
        elif record.step_details is not None:
            due = record.step_details.next_attempt_timestamp
        elif record.type in ("CALLBACK", "CHAINED_INVOKE"):
            self._external.add(record.id)
        if due is not None:
            heappush(self._times, (due, record.id))

    def forget(self, operation_id: str) -> None:
        """It has ended, or nobody waits for it any more."""
        self._external.discard(operation_id)
        self._late_s = _LATE_S

    def set(self, host: asyncio.AbstractEventLoop, ask: Callable[[], None]) -> None:
        """Have `ask` called at the next moment, if there is one."""
        delay = self._delay()
        if delay is None:
            return
        at = host.time() + delay
        if self._timer is not None:
            if self._timer.when() <= at:
                return
            self._timer.cancel()
        self._timer = host.call_at(at, self._ring, ask)

    def cancel(self) -> None:
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None
        self._external_s = _FIRST_S

    def _delay(self) -> float | None:
        times = self._times
        while times and not self._is_current(*times[0]):
            heappop(times)
        delay = max(self._late_s, times[0][0] / 1000 - self._clock()) if times else None
        if self._external:
            delay = self._external_s if delay is None else min(delay, self._external_s)
        return delay

    def _is_current(self, due: float, operation_id: str) -> bool:
        record = self._record_of(operation_id)
        if record is None or record.status not in ("STARTED", "PENDING") or not self._is_awaited(operation_id):
            return False
        wait, step = record.wait_details, record.step_details
        return due in (wait and wait.scheduled_end_timestamp, step and step.next_attempt_timestamp)

    def _ring(self, ask: Callable[[], None]) -> None:
        self._timer = None
        if self._external:
            self._external_s = min(self._external_s * 2, _LONGEST_S)
        if self._times and self._times[0][0] / 1000 <= self._clock():
            self._late_s = min(self._late_s * 2, _LATEST_S)
        ask()
