"""How many executions are open, and what webhooks are owed, counted now and then.

Rule: counting takes a look at every execution and every event that is owed, so it may take up to a hundredth of the time; and
nobody waits for it for long.
"""

from __future__ import annotations

import asyncio
import logging
import time
from collections.abc import Mapping
from typing import Final, NamedTuple

from everstep.service.stores.api import Store, StoreError
from everstep.service.stores.outbox import Backlog

log = logging.getLogger("everstep.server")

SHARE: Final = 0.01
PATIENCE_S: Final = 2.0


class Counted(NamedTuple):
    open_executions: int
    owed: Mapping[str, Backlog]


class Census:
    def __init__(self) -> None:
        self._last: Counted | None = None
        self._rests_until = 0.0
        self._counting: asyncio.Task[None] | None = None

    async def counted(self, store: Store) -> Counted | None:
        """As of the last count; None if there has been none yet."""
        if self._counting is None and time.monotonic() >= self._rests_until:
            self._counting = asyncio.create_task(self._count(store), name="census")
        if self._counting is not None:
            await asyncio.wait({self._counting}, timeout=PATIENCE_S)
        return self._last

    async def _count(self, store: Store) -> None:
        began_at = time.monotonic()
        try:
            self._last = Counted(await store.count_open(), await store.outbox.backlog())
        except StoreError as error:
            log.warning("the open executions, or the events that are owed, could not be counted: %s", error)
            self._last = None
        finally:
            now = time.monotonic()
            self._rests_until = now + (now - began_at) / SHARE
            self._counting = None
