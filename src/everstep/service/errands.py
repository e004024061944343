"""What the service does for executions beside calling their handlers: functions they invoke, children, parents, removal.

Rule: an errand is run once at a time, and again and again until it succeeds. It may be asked for more than once.
"""

from __future__ import annotations

import asyncio
import logging
from collections import defaultdict
from collections.abc import Awaitable, Callable, Collection
from contextlib import suppress
from typing import Final, TypeAlias

from everstep.errors import ServiceError
from everstep.failures import describe
from everstep.protocol.shapes import ErrorObject
from everstep.service.clock import RETRY_MS, Clock
from everstep.service.executions import Executions, UnknownExecution
from everstep.service.functions import FunctionError, Functions, Plain
from everstep.service.machine.execution import outcome_for_parent, parent_notified
from everstep.service.machine.invoke import complete_chained_invoke
from everstep.service.machine.model import CallFunction, DeleteExecution, NotifyParent, Outcome, ParentLink, StartChild
from everstep.service.removal import Removal
from everstep.service.stores.api import Store

log = logging.getLogger("everstep.service")

Errand: TypeAlias = CallFunction | StartChild | NotifyParent | DeleteExecution
_Key: TypeAlias = tuple[str, ...]

MAX_CALLS: Final = 1_000
"""How many plain functions run at a time."""


class Errands:
    """Runs errands as tasks of a group, once `start` has named it."""

    def __init__(self, executions: Executions, functions: Functions, store: Store, clock: Clock) -> None:
        self._executions, self._functions, self._clock = executions, functions, clock
        self._removal = Removal(store)
        self._running: dict[_Key, asyncio.Task[None]] = {}
        self._strangers: defaultdict[str, list[CallFunction]] = defaultdict(list)
        self._calls = asyncio.Semaphore(MAX_CALLS)
        self._group: asyncio.TaskGroup | None = None

    def start(self, group: asyncio.TaskGroup) -> None:
        self._group = group

    def stop(self) -> None:
        """Begin nothing any more: what is not done is found again at the next start."""
        self._group = None

    @property
    def tasks(self) -> Collection[asyncio.Task[None]]:
        """Those that run now."""
        return self._running.values()

    def run(self, errand: Errand) -> None:
        match errand:
            case CallFunction(parent=parent):
                entry = self._functions.plain_for(errand)
                if entry is None:
                    self._strangers[errand.target.function].append(errand)
                else:
                    self._begin(("call", parent.execution_id, parent.operation_id), lambda: self._call(errand, entry))
            case StartChild(start=start):
                self._begin(("start", start.id), lambda: self._start_child(errand))
            case NotifyParent(child_id=child_id):
                self._begin(("notify", child_id), lambda: self._notify_parent(errand))
            case DeleteExecution(execution_id=execution_id):
                self._begin(("delete", execution_id), lambda: self._delete(execution_id))

    def registered(self, function: str) -> None:
        """The function can be called now: calls that waited for it are made."""
        for call in self._strangers.pop(function, ()):
            self.run(call)

    def _begin(self, key: _Key, errand: Callable[[], Awaitable[None]]) -> None:
        if self._group is not None and key not in self._running:
            task = self._group.create_task(self._until_done(key, errand), name=" ".join(key))
            self._running[key] = task
            # A callback, for a task that is cancelled before its first turn runs no code of its own.
            task.add_done_callback(lambda _: self._running.pop(key))

    async def _until_done(self, key: _Key, errand: Callable[[], Awaitable[None]]) -> None:
        try:
            while True:
                try:
                    await errand()
                except ServiceError as error:
                    log.warning("could not %s, trying again: %s", " ".join(key), error)
                    await self._clock.sleep_until(self._clock.now_ms() + RETRY_MS)
                else:
                    return
        except Exception:
            log.exception("could not %s; it is left until the service starts again", " ".join(key))

    async def _call(self, errand: CallFunction, entry: Plain) -> None:
        """The function is called once; only the recording of its outcome is tried again."""
        async with self._calls:
            outcome = await outcome_of(entry, errand)
        while True:
            try:
                await self._complete(errand.parent, outcome)
            except UnicodeError as error:
                outcome = Outcome(status="FAILED", error=ErrorObject(error_message=f"the outcome cannot be recorded: {error}"))
            except ServiceError as error:
                log.warning("the outcome of %s could not be recorded, trying again: %s", entry.name, error)
                await self._clock.sleep_until(self._clock.now_ms() + RETRY_MS)
            else:
                return

    async def _start_child(self, errand: StartChild) -> None:
        if await self._executions.create(errand.start) is not None:
            return
        # It exists: this service has been here before, and ended before it could say so.
        async with self._executions.using(errand.start.id):
            execution = await self._executions.read(errand.start.id)
            child = await self._executions.state(errand.start.id)  # asked last: once the execution has ended, this knows how
            outcome = outcome_for_parent(execution, child.at(0).operation.status)
        if execution.ended_at is not None and errand.start.terms.parent is not None:
            await self._complete(errand.start.terms.parent, outcome)

    async def _notify_parent(self, errand: NotifyParent) -> None:
        await self._complete(errand.parent, errand.outcome)
        await self._executions.perform(errand.child_id, parent_notified)

    async def _complete(self, parent: ParentLink, outcome: Outcome) -> None:
        with suppress(UnknownExecution):  # it has closed and been removed: nobody waits any more
            await self._executions.perform(
                parent.execution_id, lambda state, now: complete_chained_invoke(state, parent.operation_id, outcome, now)
            )

    async def _delete(self, execution_id: str) -> None:
        await self._removal.remove(execution_id)
        self._executions.forget(execution_id)


async def outcome_of(entry: Plain, errand: CallFunction) -> Outcome:
    """Call a plain function, once."""
    patience = asyncio.timeout(errand.target.timeout_s or None)
    try:
        async with patience:
            return Outcome(status="SUCCEEDED", result=await entry.call(errand.payload))
    except Exception as error:
        if patience.expired():
            message = f"Task timed out after {errand.target.timeout_s:.2f} seconds"
            return Outcome(status="FAILED", error=ErrorObject(error_type="Sandbox.Timedout", error_message=message))
        return Outcome(status="FAILED", error=error.error if isinstance(error, FunctionError) else describe(error))
