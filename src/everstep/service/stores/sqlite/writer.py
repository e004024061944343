"""The writing side of the SQLite store: groups of writes as one transaction, in few statements.

Rule: only this connection changes the file (see ownership.py), so what it remembers of the rows stays true.

Each sqlite3 call gives up Python's global lock and has to win it back, which takes up to 5 ms while a thread is busy
with Python code, as a step may be. So a group's rows go in statements of up to 64 rows each, and the revisions are
remembered here instead of read. Measured: 50 writes beside a busy thread took 1,180 ms with a call per row, 107 ms so.
"""

from __future__ import annotations

import sqlite3
import time
from collections.abc import Callable, Collection, Mapping, Sequence
from contextlib import suppress
from functools import cache
from typing import Final, Literal, NamedTuple, TypeAlias

from everstep.service.machine.model import Execution, Notice
from everstep.service.machine.upkeep import needs_recovery
from everstep.service.stores.api import Write
from everstep.service.stores.rows import encode_event, encode_execution, encode_record
from everstep.service.stores.sqlite.pace import Pace
from everstep.service.stores.sqlite.schema import BUSY_TIMEOUT_S, transaction

MAX_PAGES_LOGGED: Final = 1_000
"""How long the write-ahead log becomes, estimated in pages. Source: SQLite's own default."""
FEW_PAGES_LOGGED: Final = 250
"""How long it becomes while executions write one by one. They write the same few pages again and again, which are soon moved, and a commit
costs half of what it does while the log still grows: 190 µs instead of 360."""
FEW_WRITES: Final = 2
MAX_BYTES_BRIEFLY: Final = 1_000_000
"""What is written in a moment on any disk that is quick."""
ROWS_PER_STATEMENT: Final = (64, 16, 4, 1)
HEADS_KEPT: Final = 10_000
PAGE_BYTES: Final = 4_096

Values: TypeAlias = tuple[str | int | bytes | None, ...]


class Place(NamedTuple):
    """Of an execution's row, the columns that change and have an index. A statement that names them writes the indexes, too."""

    status: str
    due_at: int | None
    needs_recovery: bool


class Head(NamedTuple):
    """What a write is checked against, and what the execution's row has: its number, revision and place."""

    number: int
    revision: int
    place: Place


class EncodedWrite(NamedTuple):
    execution: Execution
    place: Place
    body: bytes
    records: list[tuple[int, bytes]]
    events: list[tuple[int, bytes]]
    notices: Sequence[Notice]


class Writer:
    def __init__(self, connection: sqlite3.Connection) -> None:
        self.connection = connection
        self._heads: dict[str, Head] = {}
        self._was_full = False
        self.pace = Pace()
        self._is_patient = True
        self._pages_logged = 0
        self._last_size = 0

    def commit_briefly(self, writes: Sequence[Write]) -> list[bool] | None:
        """Commit if that is done in a moment, as far as one can know; None: nothing was done, it is to be done where there is time."""
        if not self.pace.is_brief:
            return None
        encoded = [encode(write) for write in writes]
        if sum(map(size_of, encoded)) > MAX_BYTES_BRIEFLY:
            return None
        self._have_patience(False)
        began_at = time.perf_counter()
        try:
            taken = self._commit(encoded)
        except sqlite3.OperationalError as error:
            if error.sqlite_errorcode != sqlite3.SQLITE_BUSY:
                raise
            self.pace.took_on_loop(BUSY_TIMEOUT_S)
            return None
        self.pace.took_on_loop(time.perf_counter() - began_at, len(writes))
        return taken

    def commit(self, writes: Sequence[Write]) -> list[bool]:
        self._have_patience(True)
        encoded = [encode(write) for write in writes]
        began_at = time.perf_counter()
        taken = self._commit(encoded)
        self.pace.took_in_thread(time.perf_counter() - began_at, len(writes))
        return taken

    @property
    def is_log_long(self) -> bool:
        """Whether it is time for `move_log`."""
        return self._pages_logged > (FEW_PAGES_LOGGED if self._last_size <= FEW_WRITES else MAX_PAGES_LOGGED)

    def _have_patience(self, is_patient: bool) -> None:
        """Whether to wait for a lock of another program."""
        if is_patient is not self._is_patient:
            self.connection.execute(f"PRAGMA busy_timeout = {int(BUSY_TIMEOUT_S * 1000) if is_patient else 0}")
            self._is_patient = is_patient

    def _commit(self, writes: Sequence[EncodedWrite]) -> list[bool]:
        heads: dict[str, Head] = {}
        if self._was_full:
            self.move_log("TRUNCATE")
        try:
            with transaction(self.connection):
                taken = self._place_all(writes, heads)
                self._record([write for write, is_taken in zip(writes, taken, strict=True) if is_taken], heads)
        except sqlite3.OperationalError as error:
            self._was_full = error.sqlite_errorcode == sqlite3.SQLITE_FULL
            raise
        self._was_full = False
        self._remember(heads)
        self._last_size = len(writes)
        return taken

    def move_log(self, how: Literal["PASSIVE", "TRUNCATE"] = "PASSIVE") -> None:
        """Move what the write-ahead log holds to where it belongs, so that it is written from its beginning again.

        It holds most pages many times, and may be what fills the disk. TRUNCATE: give its room back.
        """
        with suppress(sqlite3.Error):  # whatever is wrong, the next commit finds it, too
            self.connection.execute(f"PRAGMA wal_checkpoint({how})")
        self._pages_logged = 0

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
            heads[execution.id] = Head(number, 1, write.place)
            return True
        if head is None or head.revision != execution.revision - 1:
            return False
        heads[execution.id] = Head(head.number, execution.revision, head.place)
        return True

    def _find(self, execution_id: str) -> Head | None:
        row = self.connection.execute(
            "SELECT number, revision, status, due_at, needs_recovery FROM executions WHERE id = ?", (execution_id,)
        ).fetchone()
        if row is None:
            return None
        number, revision, *place = row
        return Head(number, revision, Place(*place))

    def _insert(self, write: EncodedWrite) -> int | None:
        new = write.execution
        cursor = self.connection.execute(
            "INSERT INTO executions (id, function, name, version, started_at, status, due_at, needs_recovery, revision, body) "
            "VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?) ON CONFLICT DO NOTHING",
            (
                new.id,
                new.function,
                new.name,
                new.version,
                new.started_at,
                *write.place,
                new.revision,
                write.body,
            ),
        )
        return cursor.lastrowid if cursor.rowcount == 1 else None

    def _record(self, writes: Sequence[EncodedWrite], heads: dict[str, Head]) -> None:
        """Where a group holds several writes of one execution, the last of them counts: it is the newest state."""
        changed: dict[str, EncodedWrite] = {}
        payloads: dict[int, Values] = {}
        operations: dict[tuple[int, int], Values] = {}
        events: list[Values] = []
        notices: list[Values] = []
        for write in writes:
            execution, number = write.execution, heads[write.execution.id].number
            if execution.revision > 1:
                changed[execution.id] = write
            if (execution.revision == 1 and execution.input is not None) or execution.result is not None:
                payloads[number] = (number, execution.input, execution.result)
            for order, record in write.records:
                operations[number, order] = (number, order, record)
            events.extend((number, event_id, event) for event_id, event in write.events)
            notices.extend((one.webhook, one.id, one.at, one.at, 0, one.body) for one in write.notices)
        self._update(changed, heads)
        self._write(_put_payloads, payloads.values())
        self._write(_put_operations, operations.values())
        self._write(_add_events, events)
        self._write(_add_notices, notices)

    def _update(self, changed: Mapping[str, EncodedWrite], heads: dict[str, Head]) -> None:
        """An execution goes on in its place in the indexes, mostly: then they are left alone."""
        stay: list[Values] = []
        move: list[Values] = []
        for execution_id, write in changed.items():
            head = heads[execution_id]
            if write.place == head.place:
                stay.append((head.revision, write.body, head.number))
            else:
                move.append((head.revision, write.body, *write.place, head.number))
                heads[execution_id] = head._replace(place=write.place)
        self._write(_update_in_place, stay)
        self._write(_update_elsewhere, move)

    def _write(self, statement: Callable[[int], str], rows: Collection[Values]) -> None:
        if not rows:
            return
        remaining = list(rows)
        self._pages_logged += (
            len(remaining) + sum(len(value) for row in remaining for value in row if isinstance(value, bytes)) // PAGE_BYTES
        )
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
    execution = write.execution
    return EncodedWrite(
        execution,
        Place(execution.status, execution.due_at, needs_recovery(execution)),
        encode_execution(execution),
        [(record.order, encode_record(record)) for record in write.records],
        [(event.event_id, encode_event(event)) for event in write.events],
        write.notices,
    )


def size_of(write: EncodedWrite) -> int:
    """In bytes, about."""
    bodies = sum(len(body) for part in (write.records, write.events) for _, body in part)
    return bodies + len(write.execution.input or "") + len(write.execution.result or "")


def _places(rows: int, columns: int) -> str:
    row = "(" + ", ".join("?" * columns) + ")"
    return ", ".join([row] * rows)


def _update(columns: Sequence[str], rows: int) -> str:
    """Values: of the columns, then the row's number."""
    if rows == 1:
        return f"UPDATE executions SET {', '.join(f'{column} = ?' for column in columns)} WHERE number = ?"
    changes = ", ".join(f"{column} = new.column{place}" for place, column in enumerate(columns, 1))
    number = len(columns) + 1
    return f"UPDATE executions SET {changes} FROM (VALUES {_places(rows, number)}) AS new WHERE number = new.column{number}"


@cache
def _update_in_place(rows: int) -> str:
    return _update(("revision", "body"), rows)


@cache
def _update_elsewhere(rows: int) -> str:
    return _update(("revision", "body", *Place._fields), rows)


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
