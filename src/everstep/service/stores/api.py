"""What the service needs of a store, whatever keeps the rows.

Rule: `commit` makes each write durable as a whole before it returns, in the order given, and tells which it refused
because the row had moved on. A store decides nothing else: no clock, no state machine.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import NamedTuple, Protocol

from msgspec import Struct

from everstep.errors import ServiceError
from everstep.protocol.shapes import ExecutionStatus
from everstep.service.machine.model import Event, Execution, Notice, Record
from everstep.service.machine.waiting import Waiting
from everstep.service.stores.outbox import Outbox


class Write(Struct, frozen=True, kw_only=True):
    """One execution's change. execution.revision must be the stored one + 1, or 1 for a new execution.

    A new execution is refused if another one that still exists has its (function, name). What a write may count on to
    be unchanged since the execution was new: id, arn, function, name, version, started_at and input; and a result stays.
    is_claim: whether the writer begins something for it that others would have to take over; see shared.py.
    """

    execution: Execution
    records: Sequence[Record] = ()
    events: Sequence[Event] = ()
    notices: Sequence[Notice] = ()
    is_claim: bool = False


class Snapshot(Struct, frozen=True, kw_only=True):
    """An execution with all its operations, by order."""

    execution: Execution
    records: Sequence[Record]


class Filter(Struct, frozen=True, kw_only=True):
    """Which executions to list; absent members do not restrict. Times are exclusive bounds on started_at, in ms."""

    function: str | None = None
    version: str | None = None
    name: str | None = None
    statuses: Sequence[ExecutionStatus] = ()
    started_after: int | None = None
    started_before: int | None = None


class Position(Struct, frozen=True, order=True):
    """Where an execution stands in listings: by start, then id."""

    started_at: int
    id: str


class Tally(NamedTuple):
    """How many executions of a function have a status."""

    function: str
    status: ExecutionStatus
    number: int


class Due(NamedTuple):
    """When an execution comes due. number: grows with each execution that is created; it settles ties."""

    at: int
    number: int
    id: str


class Store(Protocol):
    """Keeps executions, operations and events. Methods raise StoreError if the store itself fails; then nothing was written.

    Calls may overlap; a read sees every commit that returned before it began.
    """

    @property
    def outbox(self) -> Outbox:
        """What webhooks are owed."""
        ...

    async def open(self) -> None:
        """Make ready, creating or migrating the schema. Raises StoreError on a schema that is newer than this code."""
        ...

    async def close(self) -> None:
        """Let go of everything. Safe to call twice, and after a failed `open`."""
        ...

    async def commit(self, writes: Sequence[Write]) -> Sequence[bool]:
        """Make the writes durable in one go; for each, whether it was taken (False: its row had moved on, or its name is taken).

        Several writes of one execution may follow each other; one that follows a refused one, by revision, is refused
        with it. Any other exception than StoreError means that some write cannot be recorded at all; none was.
        """
        ...

    async def load(self, execution_id: str) -> Snapshot | None: ...

    async def find(self, function: str, name: str) -> Execution | None:
        """The execution that holds this name."""
        ...

    async def executions(
        self, where: Filter, *, limit: int, oldest_first: bool = False, after: Position | None = None
    ) -> Sequence[Execution]:
        """Up to `limit` executions by position, newest first by default, without input and result. after: the last one already seen."""
        ...

    async def waiting(self, execution_ids: Sequence[str], what: Waiting) -> Mapping[str, Record]:
        """Of these executions those that wait so, each with the operation that is meant and began first.

        It takes a look at all operations of all of them. Unknown ids are passed over.
        """
        ...

    async def events(self, execution_id: str, *, limit: int, newest_first: bool = False, after: int | None = None) -> Sequence[Event]:
        """Up to `limit` events by id, ascending by default. after: the id of the last one already seen."""
        ...

    async def due(self, *, after: Due | None = None, limit: int) -> Sequence[Due]:
        """What comes due next: executions with a due_at, the earliest first (ties: the one created first)."""
        ...

    async def to_recover(self) -> Sequence[str]:
        """Ids of the executions that `needs_recovery` holds for. Asked when a service starts."""
        ...

    async def count_open(self) -> int:
        """How many executions have not closed. It may take a look at all of them."""
        ...

    async def tally(self) -> Sequence[Tally]:
        """How many executions there are, by function and status, in no certain order. It may take a look at all of them."""
        ...

    async def delete(self, execution_ids: Sequence[str]) -> None:
        """Forget executions and all that belongs to them; their names become free. Unknown ids are passed over."""
        ...


class StoreError(ServiceError):
    """The store could not do its work: the disk is full, the file is locked, damaged or of a newer schema.

    is_retryable: whether the same call may succeed later without anybody changing code or settings.
    """

    def __init__(self, message: str, *, is_retryable: bool = True) -> None:
        super().__init__(message, code="StoreError", is_retryable=is_retryable)
