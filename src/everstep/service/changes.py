"""Lets others wait until something changes: an execution, or any of them.

Rule: whoever waits says what he has seen, and is told at once if there is more, so nothing is missed between two waits. What this service
writes is heard of when it is durable. What other services write to the same store is looked for, for all who wait with one query, and
only while somebody waits and there are others.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Coroutine
from typing import Final, TypeAlias

from everstep.service.executions import Executions
from everstep.service.stores.api import StoreError
from everstep.service.stores.shared import SharedStore

LOOKS_EVERY_S: Final = 0.3
SHARED_S: Final = 2.0
"""How long a wait for any execution takes at most if others write to the store, for it cannot be seen that they did."""

Start: TypeAlias = Callable[[Coroutine[object, object, None], str], None]


class Changes:
    """me: tells positions of this process from those of others. start: runs something until the service is left."""

    def __init__(self, executions: Executions, shared: SharedStore | None, me: str, start: Start) -> None:
        self._executions, self._shared, self._start = executions, shared, start
        self._me = me
        self._number = 0
        self._waiting: dict[str, dict[asyncio.Event, int]] = {}
        self._waiting_for_any: set[asyncio.Event] = set()
        self._is_looking = False

    def tell(self, execution_id: str) -> None:
        """The execution has changed, and it is durable."""
        self._number += 1
        for waiter in (*self._waiting.get(execution_id, ()), *self._waiting_for_any):
            waiter.set()

    async def of_any(self, seen: str, wait_s: float) -> str:
        """Where the store stands, as soon as that is not `seen`, or after `wait_s` seconds."""
        if seen != self._position():
            return self._position()
        changed = asyncio.Event()
        self._waiting_for_any.add(changed)
        is_shared = self._shared is not None and not self._shared.is_alone
        try:
            await _for(changed, min(wait_s, SHARED_S) if is_shared else wait_s)
        finally:
            self._waiting_for_any.discard(changed)
        if is_shared and wait_s and not changed.is_set():
            self._number += 1  # it may have changed
        return self._position()

    @property
    def waiting(self) -> int:
        """How many wait."""
        return len(self._waiting_for_any) + sum(map(len, self._waiting.values()))

    def _position(self) -> str:
        return f"{self._me}.{self._number}"

    async def of(self, execution_id: str, seen: str, wait_s: float) -> str:
        """The same of an execution. Raises UnknownExecution or StoreError."""
        changed = asyncio.Event()
        waiting = self._waiting.setdefault(execution_id, {})
        try:
            revision = (await self._executions.read(execution_id)).revision
            if wait_s and seen == str(revision):
                waiting[changed] = revision
                self._look()
                await _for(changed, wait_s)
                revision = (await self._executions.read(execution_id)).revision
            return str(revision)
        finally:
            waiting.pop(changed, None)
            if not waiting and self._waiting.get(execution_id) is waiting:
                del self._waiting[execution_id]

    def _look(self) -> None:
        if self._shared is not None and not self._is_looking:
            self._is_looking = True
            self._start(self._look_for_changes(self._shared), "looking for changes")

    async def _look_for_changes(self, shared: SharedStore) -> None:
        try:
            while self._waiting:
                await asyncio.sleep(LOOKS_EVERY_S)
                if shared.is_alone or not self._waiting:
                    continue
                try:
                    revisions = await shared.revisions(list(self._waiting))
                except StoreError:
                    continue  # whoever cannot be told asks again
                for execution_id, waiters in self._waiting.items():
                    for changed, seen in waiters.items():
                        if revisions.get(execution_id) != seen:
                            changed.set()
        finally:
            self._is_looking = False


async def _for(changed: asyncio.Event, wait_s: float) -> None:
    """Returns when it is set, or after so long."""
    try:
        async with asyncio.timeout(wait_s):
            await changed.wait()
    except TimeoutError:
        pass
