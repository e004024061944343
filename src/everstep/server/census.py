"""How many executions are open, counted now and then.

Rule: counting takes a look at every execution, so it may take up to a hundredth of the time; and nobody waits for it for long.
"""

from __future__ import annotations

import asyncio
import logging
import time
from typing import Final

from everstep.service.stores.api import Store, StoreError

log = logging.getLogger("everstep.server")

SHARE: Final = 0.01
PATIENCE_S: Final = 2.0


class Census:
    def __init__(self) -> None:
        self._last: int | None = None
        self._rests_until = 0.0
        self._counting: asyncio.Task[None] | None = None

    async def open_executions(self, store: Store) -> int | None:
        """As of the last count; None if there has been none yet."""
        if self._counting is None and time.monotonic() >= self._rests_until:
            self._counting = asyncio.create_task(self._count(store), name="census")
        if self._counting is not None:
            await asyncio.wait({self._counting}, timeout=PATIENCE_S)
        return self._last

    async def _count(self, store: Store) -> None:
        began_at = time.monotonic()
        try:
            self._last = await store.count_open()
        except StoreError as error:
            log.warning("the open executions could not be counted: %s", error)
            self._last = None
        finally:
            now = time.monotonic()
            self._rests_until = now + (now - began_at) / SHARE
            self._counting = None
