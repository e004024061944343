"""Every durable store answers as the memory store does, whatever is asked and however often it is closed in between."""

from __future__ import annotations

import asyncio
import tempfile
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import TypeAlias

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from msgspec import Struct
from msgspec.structs import replace
from tests.service.postgres import Server
from tests.service.stores.rows import execution, hashed, step

from everstep.protocol.shapes import ExecutionStatus
from everstep.service.machine.model import Event, Record
from everstep.service.machine.waiting import Waiting
from everstep.service.stores.api import Due, Filter, Position, Store, Write
from everstep.service.stores.memory import MemoryStore
from everstep.service.stores.sqlite import SqliteStore
from everstep.service.stores.urls import store_at

IDS = st.sampled_from("abcd")
FUNCTIONS = st.sampled_from(["order", "invoice"])
TIMES = st.integers(0, 5)
LIMITS = st.integers(1, 4)
STATUSES: st.SearchStrategy[ExecutionStatus] = st.sampled_from(["RUNNING", "PAUSED", "FAILED"])
NEXT = 0
"""In place of a revision: the one that follows, as far as the answers so far tell."""
NAMES = st.none() | st.sampled_from(["charge", "ship"])
CONTEXTS = [("CONTEXT", "STARTED"), ("CONTEXT", "SUCCEEDED")]
TEXTS = st.one_of(st.none(), st.text(st.characters(exclude_categories=["Cs"]), max_size=20))


class Commit(Struct):
    writes: Sequence[Write]


class Ask(Struct):
    """One of the questions; each answers with something comparable."""

    question: str
    identity: str
    function: str
    where: Filter
    limit: int
    reverse: bool
    after: int | None


class Delete(Struct):
    ids: Sequence[str]


class Reopen(Struct):
    pass


Command: TypeAlias = Commit | Ask | Delete | Reopen


def as_drawn(draw: st.DrawFn, record: Record) -> Record:
    """It may be something else than a step, stand somewhere else and within another."""
    kind, status = draw(st.sampled_from([("STEP", record.operation.status), ("STEP", "PENDING"), ("WAIT", "STARTED"), *CONTEXTS]))
    parent_id = draw(st.none() | st.integers(0, record.order - 1).map(lambda order: hashed(str(order))))
    return replace(record, operation=replace(record.operation, type=kind, status=status, name=draw(NAMES), parent_id=parent_id))


@st.composite
def writes(draw: st.DrawFn) -> Write:
    identity, revision = draw(IDS), draw(st.just(NEXT) | st.integers(1, 4))
    events = draw(st.integers(0, 2))
    return Write(
        execution=execution(
            identity,
            # What never changes of an execution depends on its id; two ids share a name.
            name="shared" if identity in "ab" else None,
            function="order",
            started_at=ord(identity) % 2,
            input_payload="{}" if identity == "a" else None,
            revision=revision,
            status=draw(STATUSES),
            due_at=draw(st.none() | TIMES),
        ),
        records=[
            as_drawn(draw, step(order, revision=revision, result=draw(TEXTS)))
            for order in draw(st.lists(st.integers(1, 80), max_size=3, unique=True))
        ],
        events=[Event(event_id=number, type="StepStarted", timestamp=number, order=1) for number in range(events)],
    )


COMMANDS: st.SearchStrategy[Command] = st.one_of(
    st.builds(Commit, st.lists(writes(), max_size=5)),
    st.builds(Commit, st.lists(writes(), max_size=5)),
    st.builds(
        Ask,
        st.sampled_from(["load", "find", "executions", "events", "due", "to_recover", "waiting"]),
        IDS,
        FUNCTIONS,
        st.builds(
            Filter,
            function=st.none() | FUNCTIONS,
            name=st.none() | st.just("shared"),
            statuses=st.lists(STATUSES, max_size=2),
            started_after=st.none() | TIMES,
            started_before=st.none() | TIMES,
        ),
        LIMITS,
        st.booleans(),
        st.none() | st.integers(0, 50),
    ),
    st.builds(Delete, st.lists(IDS, max_size=2)),
    st.builds(Reopen),
)


def numbered(writes: Sequence[Write], revisions: Mapping[str, int]) -> list[Write]:
    """The writes with what depends on their revision filled in. A result comes late and stays, as with real executions."""
    expected = dict(revisions)
    finished: list[Write] = []
    for write in writes:
        identity = write.execution.id
        revision = write.execution.revision or expected.get(identity, 0) + 1
        if revision == expected.get(identity, 0) + 1:
            expected[identity] = revision
        events = [replace(event, event_id=event.event_id + 10 * revision) for event in write.events]
        finished.append(
            replace(
                write,
                execution=replace(write.execution, revision=revision, calls=revision % 2, result="done" if revision > 2 else None),
                events=events,
            )
        )
    return finished


async def answer(store: Store, command: Command, revisions: dict[str, int]) -> object:
    match command:
        case Commit(writes):
            writes = numbered(writes, revisions)
            taken = list(await store.commit(writes))
            revisions.update(
                (write.execution.id, write.execution.revision) for write, was_taken in zip(writes, taken, strict=True) if was_taken
            )
            return taken
        case Delete(ids):
            await store.delete(ids)
            for identity in ids:
                revisions.pop(identity, None)
            return None
        case Reopen():
            await store.close()
            await store.open()
            return None
        case Ask("load", identity):
            snapshot = await store.load(identity)
            return snapshot and (snapshot.execution, list(snapshot.records))
        case Ask("find", identity, function):
            return await store.find(function, execution(identity).name), await store.find(function, "shared")
        case Ask("executions", identity, _, where, limit, reverse, after):
            position = None if after is None else Position(after % 2, identity)
            return list(await store.executions(where, limit=limit, oldest_first=reverse, after=position))
        case Ask("events", identity, _, _, limit, reverse, after):
            return list(await store.events(identity, limit=limit, newest_first=reverse, after=after))
        case Ask("due", _, _, _, limit, reverse, after):
            place = None if after is None else Due(after % 6, 2**62 if reverse else 0, "")
            return [(due.at, due.id) for due in await store.due(after=place, limit=limit)]
        case Ask("waiting", identity, _, _, limit, reverse, _):
            what = Waiting(name=(None, "charge", "ship")[limit % 3], type="WAIT" if reverse else None)
            return await store.waiting([identity, "a", "b"], what)
        case _:
            return list(await store.to_recover())


EVERYTHING: Sequence[Command] = [
    Ask(question, identity, "order", Filter(), 99, False, None)
    for question in ("load", "find", "executions", "events", "due", "to_recover", "waiting")
    for identity in "abcd"
]


def sqlite_in(folder: Path, _: Server) -> Store:
    return SqliteStore(folder / "executions.db", synchronous="NORMAL")


def postgres_at(_: Path, server: Server) -> Store:
    return store_at(server.new_schema())


@pytest.mark.parametrize("make", [sqlite_in, postgres_at])
@settings(max_examples=60, deadline=None)
@given(commands=st.lists(COMMANDS, max_size=12))
def test_every_store_answers_as_the_memory_store(
    postgres: Server, make: Callable[[Path, Server], Store], commands: Sequence[Command]
) -> None:
    async def run(store: Store) -> list[object]:
        await store.open()
        revisions: dict[str, int] = {}
        answers = [await answer(store, command, revisions) for command in [*commands, *EVERYTHING, Reopen(), *EVERYTHING]]
        await store.close()
        return answers

    with tempfile.TemporaryDirectory() as folder:
        assert asyncio.run(run(make(Path(folder), postgres))) == asyncio.run(run(MemoryStore()))
