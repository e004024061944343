"""The writing side of the SQLite store: groups of writes as one transaction, in few statements.

Rule: only this connection changes the file (see ownership.py), so what it remembers of the rows stays true.

Each sqlite3 call gives up Python's global lock and has to win it back, which takes up to 5 ms while a thread is busy
with Python code, as a step may be. So a group's rows go in statements of up to 64 rows each, and the revisions are
remembered here instead of read. Measured: 50 writes beside a busy thread took 1,180 ms with a call per row, 107 ms so.
"""

from __future__ import annotations

import sqlite3
from collections.abc import Callable, Iterable, Sequence
from contextlib import suppress
from functools import cache
from typing import Final, NamedTuple, TypeAlias

from everstep.service.machine.model import Execution, Notice
from everstep.service.machine.upkeep import needs_recovery
from everstep.service.stores.api import Write
from everstep.service.stores.rows import encode_event, encode_execution, encode_record
from everstep.service.stores.sqlite.schema import transaction

ROWS_PER_STATEMENT: Final = (64, 16, 4, 1)
HEADS_KEPT: Final = 10_000

Values: TypeAlias = tuple[str | int | bytes | None, ...]


class Head(NamedTuple):
    """What a write is checked against: the execution's row number and revision."""

    number: int
    revision: int


class EncodedWrite(NamedTuple):
    execution: Execution
    body: bytes
    records: list[tuple[int, bytes]]
    events: list[tuple[int, bytes]]
    notices: Sequence[Notice]


class Writer:
    def __init__(self, connection: sqlite3.Connection) -> None:
        self.connection = connection
        self._heads: dict[str, Head] = {}
        self._was_full = False

    def commit(self, writes: Sequence[Write]) -> list[bool]:
        encoded = [encode(write) for write in writes]
        heads: dict[str, Head] = {}
        if self._was_full:
            self._shrink_log()
        try:
            with transaction(self.connection):
                taken = self._place_all(encoded, heads)
                self._record([write for write, is_taken in zip(encoded, taken, strict=True) if is_taken], heads)
        except sqlite3.OperationalError as error:
            self._was_full = error.sqlite_errorcode == sqlite3.SQLITE_FULL
            raise
        self._was_full = False
        self._remember(heads)
        return taken

    def _shrink_log(self) -> None:
        """Move what the write-ahead log holds to where it belongs: the log holds most pages many times, and may be what fills the disk."""
        with suppress(sqlite3.OperationalError):
            self.connection.execute("PRAGMA wal_checkpoint(TRUNCATE)")

    def _place_all(self, writes: Sequence[EncodedWrite], heads: dict[str, Head]) -> list[bool]:
        taken: list[bool] = []
        refused: dict[str, int] = {}
        for write in writes:
            new = write.execution
            taken.append(refused.pop(new.id, None) != new.revision - 1 and self._place(write, heads))
            if not taken[-1]:
                refused[new.id] = new.revision
        return taken

    def _place(self, write: EncodedWrite, heads: dict[str, Head]) -> bool:
        """Whether the execution's row is where the write expects it; a new execution gets its row."""
        execution = write.execution
        head = heads.get(execution.id) or self._heads.get(execution.id) or self._find(execution.id)
        if execution.revision == 1:
            number = None if head else self._insert(write)
            if number is None:
                return False
            heads[execution.id] = Head(number, 1)
            return True
        if head is None or head.revision != execution.revision - 1:
            return False
        heads[execution.id] = Head(head.number, execution.revision)
        return True

    def _find(self, execution_id: str) -> Head | None:
        row = self.connection.execute("SELECT number, revision FROM executions WHERE id = ?", (execution_id,)).fetchone()
        return row and Head(*row)

    def _insert(self, write: EncodedWrite) -> int | None:
        new = write.execution
        cursor = self.connection.execute(
            "INSERT INTO executions (id, function, name, version, status, started_at, due_at, needs_recovery, revision, body) "
            "VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?) ON CONFLICT DO NOTHING",
            (
                new.id,
                new.function,
                new.name,
                new.version,
                new.status,
                new.started_at,
                new.due_at,
                needs_recovery(new),
                new.revision,
                write.body,
            ),
        )
        return cursor.lastrowid if cursor.rowcount == 1 else None

    def _record(self, writes: Sequence[EncodedWrite], heads: dict[str, Head]) -> None:
        """Where a group holds several writes of one execution, the last of them counts: it is the newest state."""
        executions: dict[int, Values] = {}
        payloads: dict[int, Values] = {}
        operations: dict[tuple[int, int], Values] = {}
        events: list[Values] = []
        notices: list[Values] = []
        for execution, body, records, new_events, new_notices in writes:
            number = heads[execution.id].number
            if execution.revision > 1:
                executions[number] = (number, execution.status, execution.due_at, needs_recovery(execution), execution.revision, body)
            if (execution.revision == 1 and execution.input is not None) or execution.result is not None:
                payloads[number] = (number, execution.input, execution.result)
            operations.update(((number, order), (number, order, record)) for order, record in records)
            events.extend((number, event_id, event) for event_id, event in new_events)
            notices.extend((one.webhook, one.id, one.at, one.at, 0, one.body) for one in new_notices)
        self._write(_update_executions, executions.values())
        self._write(_put_payloads, payloads.values())
        self._write(_put_operations, operations.values())
        self._write(_add_events, events)
        self._write(_add_notices, notices)

    def _write(self, statement: Callable[[int], str], rows: Iterable[Values]) -> None:
        remaining = list(rows)
        while remaining:
            size = next(size for size in ROWS_PER_STATEMENT if size <= len(remaining))
            self.connection.execute(statement(size), [value for row in remaining[:size] for value in row])
            del remaining[:size]

    def _remember(self, heads: dict[str, Head]) -> None:
        for execution_id, head in heads.items():
            self._heads.pop(execution_id, None)  # so that the dictionary's order is that of use
            self._heads[execution_id] = head
        while len(self._heads) > HEADS_KEPT:
            del self._heads[next(iter(self._heads))]

    def delete(self, execution_ids: Sequence[str]) -> None:
        with transaction(self.connection):
            for execution_id in execution_ids:
                head = self._find(execution_id)
                if head is None:
                    continue
                for table, column in (
                    ("executions", "number"),
                    ("payloads", "execution"),
                    ("operations", "execution"),
                    ("events", "execution"),
                ):
                    self.connection.execute(f"DELETE FROM {table} WHERE {column} = ?", (head.number,))
        for execution_id in execution_ids:
            self._heads.pop(execution_id, None)


def encode(write: Write) -> EncodedWrite:
    return EncodedWrite(
        write.execution,
        encode_execution(write.execution),
        [(record.order, encode_record(record)) for record in write.records],
        [(event.event_id, encode_event(event)) for event in write.events],
        write.notices,
    )


def _places(rows: int, columns: int) -> str:
    row = "(" + ", ".join("?" * columns) + ")"
    return ", ".join([row] * rows)


@cache
def _update_executions(rows: int) -> str:
    return (
        "UPDATE executions SET status = new.column2, due_at = new.column3, needs_recovery = new.column4, "
        f"revision = new.column5, body = new.column6 FROM (VALUES {_places(rows, 6)}) AS new WHERE number = new.column1"
    )


@cache
def _put_payloads(rows: int) -> str:
    return f"INSERT OR REPLACE INTO payloads VALUES {_places(rows, 3)}"


@cache
def _put_operations(rows: int) -> str:
    return f"INSERT OR REPLACE INTO operations VALUES {_places(rows, 3)}"


@cache
def _add_events(rows: int) -> str:
    return f"INSERT INTO events VALUES {_places(rows, 3)}"


@cache
def _add_notices(rows: int) -> str:
    # An execution of the same id may have been removed while its events were still owed.
    return f"INSERT OR IGNORE INTO webhook_events VALUES {_places(rows, 6)}"
