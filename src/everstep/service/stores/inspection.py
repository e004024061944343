"""A store as it lies there: rows that are read one by one, so that what is wrong with one hides no other.

Rule: nothing is written, nothing is migrated, and nothing is served.
"""

from __future__ import annotations

from collections.abc import AsyncIterator, Callable, Mapping, Sequence
from contextlib import AbstractAsyncContextManager
from functools import partial
from typing import Final, Protocol, TypeVar, runtime_checkable

import msgspec
from msgspec import Struct

from everstep.service.machine.audit import Finding, audit
from everstep.service.machine.model import Event, Execution, Record
from everstep.service.machine.upkeep import needs_recovery, owed_at
from everstep.service.stores.rows import decode_events, decode_execution, decode_records

T = TypeVar("T")

Column = str | int | bool | None


class EventRow(Struct, frozen=True):
    """A row that holds events, several in some stores."""

    last_id: int
    count: int
    bodies: bytes


class StoredExecution(Struct, frozen=True, kw_only=True):
    """All rows of an execution as they are. columns: of its own row, beside the body. operations: by order."""

    columns: Mapping[str, Column]
    body: bytes
    input: bytes | str | None
    result: bytes | str | None
    operations: Sequence[tuple[int, bytes]]
    events: Sequence[EventRow]


class Inspection(Protocol):
    """place: what is inspected. schema: its version. Methods raise StoreError if the database can be read no further."""

    @property
    def place(self) -> str: ...

    @property
    def schema(self) -> int: ...

    async def damage(self) -> Sequence[str]:
        """What the database itself finds wrong."""
        ...

    async def orphans(self) -> Sequence[str]:
        """Rows that belong to no execution."""
        ...

    def executions(self) -> AsyncIterator[StoredExecution]: ...


@runtime_checkable
class Inspectable(Protocol):
    """A store that can be looked into without being opened."""

    def inspecting(self) -> AbstractAsyncContextManager[Inspection]:
        """Raises StoreError if it cannot be looked into: it is not there, of another schema, or in use by a service."""
        ...


_DERIVED: Final[Mapping[str, Callable[[Execution], Column]]] = {
    "id": lambda execution: execution.id,
    "function": lambda execution: execution.function,
    "name": lambda execution: execution.name,
    "version": lambda execution: execution.version,
    "status": lambda execution: execution.status,
    "started_at": lambda execution: execution.started_at,
    "due_at": lambda execution: execution.due_at,
    "owed_at": owed_at,
    "needs_recovery": needs_recovery,
    "revision": lambda execution: execution.revision,
}
"""What the columns of an execution's row repeat of its body, for queries."""


class Inspected(Struct, frozen=True):
    """name: the execution's ARN, or what is known of it. findings: nothing if all is well."""

    name: str
    operations: int
    events: int
    findings: Sequence[Finding]


def inspected(stored: StoredExecution, now: int) -> Inspected:
    columns = stored.columns
    name = f"execution {columns['id']} (function {columns['function']}, name {columns['name']})"
    found: list[Finding] = []

    def decoded(what: str, decode: Callable[[], T]) -> T | None:
        try:
            return decode()
        except (msgspec.DecodeError, ValueError, OverflowError) as error:  # a ValidationError is a DecodeError
            found.append(Finding("rows", f"{what} cannot be decoded: {error}"))
            return None

    execution = decoded("its row", lambda: decode_execution(stored.body, _text(stored.input), _text(stored.result)))
    if execution is None:
        return Inspected(name, len(stored.operations), sum(row.count for row in stored.events), found)
    for column, value in columns.items():
        said = _DERIVED[column](execution)
        if said != value:
            found.append(Finding("rows", f"its column {column} is {value!r}, its body says {said!r}"))
    records: list[Record] = []
    for order, body in stored.operations:
        of_this = decoded(f"operation {order}", partial(decode_records, 1, body, execution.input)) or ()
        found += [Finding("rows", f"the row of operation {order} holds operation {one.order}") for one in of_this if one.order != order]
        records += of_this
    events: list[Event] = []
    for row in stored.events:
        some = decoded(f"event {row.last_id}", partial(decode_events, row.count, row.bodies)) or ()
        found += [
            Finding("rows", f"the row of event {row.last_id} ends with event {one.event_id}")
            for one in some[-1:]
            if one.event_id != row.last_id
        ]
        events += some
    if not found:
        found = audit(execution, records, events, now)
    return Inspected(execution.arn, len(records), len(events), found)


def _text(value: bytes | str | None) -> str | None:
    return value.decode() if isinstance(value, bytes) else value
