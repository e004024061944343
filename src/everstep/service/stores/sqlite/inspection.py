"""A SQLite store that nobody serves, looked into."""

from __future__ import annotations

import sqlite3
from collections.abc import AsyncGenerator, AsyncIterator, Generator, Sequence
from contextlib import asynccontextmanager, closing, contextmanager
from pathlib import Path
from typing import Final

from everstep.service.stores.api import StoreError
from everstep.service.stores.inspection import Column, EventRow, StoredExecution
from everstep.service.stores.sqlite.ownership import Ownership
from everstep.service.stores.sqlite.resident import explained
from everstep.service.stores.sqlite.schema import check_version, connect_for_reading, migrations

COLUMNS: Final = ("id", "function", "name", "version", "status", "started_at", "due_at", "needs_recovery", "revision")
OWNED: Final = ("payloads", "operations", "events")
MANY: Final = 100
"""How many faults SQLite looks for in its own structures."""


@asynccontextmanager
async def inspecting(path: Path) -> AsyncGenerator[SqliteInspection]:
    """Raises StoreError if it cannot be looked into: a service has it, it is not there, or of another schema."""
    with _owned(path), _explained(path), closing(connect_for_reading(path)) as connection:
        version = check_version(path, connection, len(migrations()))
        if version < len(migrations()):
            advice = f"a service brings it up to {len(migrations())} when it starts"
            raise StoreError(f"{path} has the older schema {version}: {advice}", is_retryable=False)
        yield SqliteInspection(path, version, connection)


@contextmanager
def _owned(path: Path) -> Generator[None]:
    if not path.is_file():
        raise StoreError(f"{path}: there is no such file", is_retryable=False)
    ownership = Ownership(path)
    ownership.acquire()
    try:
        yield
    finally:
        ownership.release()


class SqliteInspection:
    def __init__(self, path: Path, schema: int, connection: sqlite3.Connection) -> None:
        self.place, self.schema = str(path), schema
        self._path, self._connection = path, connection

    async def damage(self) -> Sequence[str]:
        try:
            rows = self._connection.execute(f"PRAGMA integrity_check({MANY})").fetchall()
        except sqlite3.DatabaseError as error:
            return [str(error)]
        return [text for (text,) in rows if text != "ok"]

    async def orphans(self) -> Sequence[str]:
        found: list[str] = []
        with _explained(self._path):
            for table in OWNED:
                query = f"SELECT execution, count(*) FROM {table} WHERE execution NOT IN (SELECT number FROM executions) GROUP BY 1"
                found += (
                    f"{count} {table} of an execution that is not there, number {number}"
                    for number, count in self._connection.execute(query)
                )
        return found

    async def executions(self) -> AsyncIterator[StoredExecution]:
        with _explained(self._path):
            query = f"SELECT number, {', '.join(COLUMNS)}, body FROM executions ORDER BY number"
            for number, *values, body in self._connection.execute(query):
                columns: dict[str, Column] = dict(zip(COLUMNS, values, strict=True))
                columns["needs_recovery"] = bool(columns["needs_recovery"])
                payload = self._connection.execute("SELECT input, result FROM payloads WHERE execution = ?", (number,)).fetchone()
                operations = self._connection.execute("SELECT ord, body FROM operations WHERE execution = ? ORDER BY ord", (number,))
                events = self._connection.execute("SELECT event_id, body FROM events WHERE execution = ? ORDER BY event_id", (number,))
                yield StoredExecution(
                    columns=columns,
                    body=body,
                    input=payload and payload[0],
                    result=payload and payload[1],
                    operations=operations.fetchall(),
                    events=[EventRow(event_id, 1, event) for event_id, event in events],
                )


@contextmanager
def _explained(path: Path) -> Generator[None]:
    try:
        yield
    except sqlite3.Error as error:
        raise explained(path, error) from error
