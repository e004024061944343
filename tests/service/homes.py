"""The executions of one service over a store, and of several over several stores: a command at a time, all effects by hand."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path
from typing import Final, TypeVar

from tests.service.machine.world import NOON

from everstep.service.committer import Committer
from everstep.service.executions import Command, Executions, UnknownExecution
from everstep.service.machine.execution import outcome_for_parent, parent_notified
from everstep.service.machine.history import render_event
from everstep.service.machine.invoke import complete_chained_invoke
from everstep.service.machine.model import (
    DeleteExecution,
    Effect,
    Event,
    NewExecution,
    NotifyParent,
    Outcome,
    StartChild,
    Terms,
    Transition,
)
from everstep.service.machine.rejection import Rejected
from everstep.service.stores.api import Snapshot, Store
from everstep.service.stores.memory import MemoryStore
from everstep.service.stores.shared import SharedStore
from everstep.service.stores.sqlite import SqliteStore
from everstep.service.stores.urls import store_at

T = TypeVar("T")

EVERYTHING: Final = 10_000
TIMEOUT_S: Final = 600
"""Of executions."""


class ManualClock:
    def __init__(self) -> None:
        self.now = NOON

    def now_ms(self) -> int:
        return self.now

    async def sleep_until(self, at_ms: int) -> None:
        raise AssertionError("nobody sleeps here")


def new_execution(function: str, identity: str, name: str, payload: str) -> NewExecution:
    arn = f"arn:aws:lambda:us-east-1:123456789012:function:{function}:1/durable-execution/{name}/{identity}"
    return NewExecution(
        id=identity, arn=arn, name=name, function=function, version="1", input=payload, terms=Terms(timeout_s=TIMEOUT_S, retention_days=1)
    )


class Home:
    """One service's executions over its own handle of a store. Effects are performed one after another, before the next command."""

    def __init__(self, make: Callable[[], Store], clock: ManualClock) -> None:
        self._make, self._clock = make, clock
        self._todo: list[Effect] = []

    async def open(self) -> None:
        self.store = self._make()
        await self.store.open()
        self._committer = Committer(self.store)
        self._committing = asyncio.ensure_future(self._committer.run())
        shared = self.store if isinstance(self.store, SharedStore) else None
        self.executions = Executions(self.store, self._committer, self._clock, self._on_durable, self._on_doubt, shared=shared)

    async def close(self) -> None:
        self._committer.close()
        await self._committing
        await self.store.close()

    def _on_durable(self, transition: Transition, now: int) -> None:
        self._todo += transition.effects

    def _on_doubt(self, execution_id: str) -> None:
        raise AssertionError(f"the store failed on {execution_id}")

    async def run_errands(self) -> None:
        while self._todo:
            match self._todo.pop(0):
                case StartChild(start=start):
                    if await self.executions.create(start) is None and start.terms.parent is not None:
                        state = await self.executions.state(start.id)
                        if state.execution.ended_at is not None:
                            outcome = outcome_for_parent(state.execution, state.at(0).operation.status)
                            await self._complete(start.terms.parent.execution_id, start.terms.parent.operation_id, outcome)
                case NotifyParent(child_id=child_id, parent=parent, outcome=outcome):
                    await self._complete(parent.execution_id, parent.operation_id, outcome)
                    await self.executions.perform(child_id, parent_notified)
                case DeleteExecution(execution_id=execution_id):
                    await self.store.delete([execution_id])
                    self.executions.forget(execution_id)
                case _:
                    pass  # invocations and calls are made when the test says so

    async def _complete(self, execution_id: str, operation_id: str, outcome: Outcome) -> None:
        with suppress(UnknownExecution):
            await self.executions.perform(execution_id, lambda state, now: complete_chained_invoke(state, operation_id, outcome, now))


Refusal = tuple[str, str]
"""Code and message."""


async def performed(home: Home, execution_id: str, command: Command) -> Transition | Refusal:
    try:
        return await home.executions.perform(execution_id, command)
    except Rejected as rejected:
        return rejected.code, rejected.message


class Stores:
    """One of each kind, for all examples: each has executions of its own in them. places: the services on each."""

    def __init__(self, path: Path, url: str) -> None:
        self.clock = ManualClock()
        self.runner = asyncio.Runner()
        memory = MemoryStore()
        makes: list[tuple[Callable[[], Store], int]] = [
            (lambda: memory, 1),
            (lambda: SqliteStore(path, synchronous="NORMAL"), 1),
            (lambda: store_at(url), 2),
        ]
        self.places = [[Home(make, self.clock) for _ in range(services)] for make, services in makes]
        self.commands = 0
        self.runner.run(self.open())

    async def open(self) -> None:
        for place in self.places:
            for home in place:
                await home.open()

    async def close(self) -> None:
        for place in self.places:
            for home in place:
                await home.close()

    def end(self) -> None:
        self.runner.run(self.close())
        self.runner.close()


async def read(home: Home, execution_id: str) -> tuple[Snapshot, list[Event], list[object]]:
    """What is stored, and how its history is shown."""
    snapshot = await home.store.load(execution_id)
    assert snapshot is not None
    snapshot = Snapshot(execution=snapshot.execution, records=list(snapshot.records))
    events = list(await home.store.events(execution_id, limit=EVERYTHING))
    by_order = {record.order: record for record in snapshot.records}
    records = [None if event.order is None else by_order[event.order] for event in events]
    shown: list[object] = [render_event(event, snapshot.execution, record) for event, record in zip(events, records, strict=True)]
    return snapshot, events, shown
