"""How many executions each function has in each status, counted when it is asked for, and not too often.

Rule: counting takes a look at every execution, so after it has taken a second, its answer is good for a hundred. Who asks meanwhile
gets that; who asks while it counts waits with the others.
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import Sequence
from typing import Final, NamedTuple

from everstep.service.stores.api import Store, Tally

SHARE: Final = 0.01


class Counted(NamedTuple):
    """at_s: when, in seconds since the epoch."""

    tallies: Sequence[Tally]
    at_s: float


class Counts:
    def __init__(self) -> None:
        self._last: Counted | None = None
        self._good_until = 0.0
        self._counting = asyncio.Lock()

    async def now(self, store: Store) -> Counted:
        """Raises StoreError."""
        async with self._counting:
            began_at = time.monotonic()
            if self._last is None or began_at >= self._good_until:
                self._last = Counted(await store.tally(), time.time())
                ended_at = time.monotonic()
                self._good_until = ended_at + (ended_at - began_at) / SHARE
            return self._last
