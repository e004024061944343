"""The time as the service knows it. Only the edge owns a clock; tests give one that they move by hand."""

from __future__ import annotations

import asyncio
import time
from typing import Final, Protocol

LONGEST_SLEEP_S: Final = 1.0
"""The wall clock may be set, and stands still while a machine sleeps: look at it that often."""

RETRY_MS: Final = 1_000
"""When to try again what the store could not do."""


class Clock(Protocol):
    """Milliseconds since the epoch, UTC."""

    def now_ms(self) -> int: ...

    async def sleep_until(self, at_ms: int) -> None:
        """Returns once `now_ms() >= at_ms`, never before."""
        ...


class WallClock:
    """The machine's clock."""

    def now_ms(self) -> int:
        return time.time_ns() // 1_000_000

    async def sleep_until(self, at_ms: int) -> None:
        # The loop is no polling for a condition: each sleep ends when the time has come, or to look whether the clock was set.
        while (remaining_ms := at_ms - self.now_ms()) > 0:  # noqa: ASYNC110
            await asyncio.sleep(min(remaining_ms / 1000, LONGEST_SLEEP_S))
