"""Time: hands over each execution when it comes due, without keeping those that sleep in memory.

Rule: nothing is handed over early. The store knows every due time; here is only how far we have come (`_reached`) and
when to look again. What a commit makes due at a point that we have passed already is announced, and taken at once.
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Collection
from typing import Final, TypeAlias

from everstep.service.clock import RETRY_MS, Clock
from everstep.service.stores.api import Due, Store, StoreError

PAGE: Final = 200
"""How many due executions are loaded and moved on at a time."""

MoveOn: TypeAlias = Callable[[Collection[str]], Awaitable[Collection[str]]]


class Scheduler:
    """Calls `move_on` with executions that are due; it returns those that could not be moved on, to be tried again."""

    def __init__(self, store: Store, clock: Clock, move_on: MoveOn) -> None:
        self._store, self._clock, self._move_on = store, clock, move_on
        self._reached: Due | None = None
        self._late: dict[str, None] = {}  # a set that keeps its order
        self._wakes_at: int | None = None
        self._is_asleep = False
        self._awake = asyncio.Event()

    def announce(self, execution_id: str, due_at: int) -> None:
        """A commit has given the execution this due time."""
        if self._reached is not None and due_at <= self._reached.at:
            self._late[execution_id] = None
        elif self._is_asleep and self._wakes_at is not None and due_at >= self._wakes_at:
            return
        self._awake.set()

    async def run(self) -> None:
        while True:
            self._awake.clear()
            try:
                wakes_at = await self._turn()
            except StoreError:
                wakes_at = self._clock.now_ms() + RETRY_MS
            if not self._awake.is_set() and (wakes_at is None or wakes_at > self._clock.now_ms()):
                await self._sleep_until(wakes_at)

    async def _turn(self) -> int | None:
        """Hand over what is due; returns when to look again, None if nothing is known to come due."""
        page = await self._store.due(after=self._reached, limit=PAGE)
        now = self._clock.now_ms()
        due = [entry for entry in page if entry.at <= now]
        if due or self._late:
            ids = dict.fromkeys([*self._late, *(entry.id for entry in due)])
            self._late.clear()
            if due:
                self._reached = due[-1]
            failed = await self._move_on(ids)
            if not failed:
                return now
            self._late.update(dict.fromkeys(failed))
            return self._clock.now_ms() + RETRY_MS
        return page[0].at if page else None

    async def _sleep_until(self, at: int | None) -> None:
        self._wakes_at, self._is_asleep = at, True
        try:
            if at is None:
                await self._awake.wait()
                return
            async with asyncio.TaskGroup() as group:
                alarm = group.create_task(self._clock.sleep_until(at))
                alarm.add_done_callback(lambda _: self._awake.set())
                await self._awake.wait()
                alarm.cancel()
        finally:
            self._is_asleep = False
