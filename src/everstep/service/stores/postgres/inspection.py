"""A PostgreSQL store, looked into while services may be at work on it.

Rule: reading alone, a page of executions at a time, each page as of one moment. So no execution is seen half-changed, and
no old row versions are kept from being cleared away for longer than a page takes.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import AsyncGenerator, AsyncIterator, Sequence
from contextlib import asynccontextmanager
from typing import Final

from psycopg import IsolationLevel
from psycopg.rows import TupleRow
from psycopg.sql import SQL, Identifier

from everstep.service.stores.api import StoreError
from everstep.service.stores.inspection import EventRow, StoredExecution
from everstep.service.stores.postgres.connections import Connections, explained
from everstep.service.stores.postgres.prepared import PreparedConnection
from everstep.service.stores.postgres.schema import check_version, migrations

PAGE: Final = 100
COLUMNS: Final = ("id", "function", "name", "version", "status", "started_at", "due_at", "owed_at", "needs_recovery", "revision")
OWNED: Final = ("payloads", "operations", "events")


@asynccontextmanager
async def inspecting(connections: Connections) -> AsyncGenerator[PostgresInspection]:
    """Raises StoreError if it cannot be looked into: it cannot be reached, is not there, or of another schema."""
    known = len(migrations())
    with explained(connections.place):
        async with await connections.connect() as connection:
            await connection.set_read_only(True)
            await connection.set_isolation_level(IsolationLevel.REPEATABLE_READ)
            version = await check_version(connection, connections.schema, known)
            if version is None:
                raise StoreError(f"{connections.place} has no schema {connections.schema!r}", is_retryable=False)
            if version < known:
                raise StoreError(
                    f"{connections.place} has the older schema {version}: a service brings it up to {known} when it starts",
                    is_retryable=False,
                )
            await connection.execute(SQL("SET search_path TO {}").format(Identifier(connections.schema)))
            yield PostgresInspection(connections.place, version, connection)


class PostgresInspection:
    def __init__(self, place: str, schema: int, connection: PreparedConnection) -> None:
        self.place, self.schema, self._connection = place, schema, connection

    async def damage(self) -> Sequence[str]:
        [(failures,)] = await self._rows("SELECT COALESCE(checksum_failures, 0) FROM pg_stat_database WHERE datname = current_database()")
        return [f"{failures} pages had a wrong checksum: see the server's log"] if failures else []

    async def orphans(self) -> Sequence[str]:
        found: list[str] = []
        for table in OWNED:
            query = (
                f"SELECT execution, count(*) FROM {table} t WHERE NOT EXISTS (SELECT FROM executions WHERE number = t.execution) GROUP BY 1"
            )
            found += [f"{count} {table} of an execution that is not there, number {number}" for number, count in await self._rows(query)]
        return found

    async def executions(self) -> AsyncIterator[StoredExecution]:
        last = 0
        while page := await self._page(last):
            last = page[-1][0]
            for _, stored in page:
                yield stored

    async def _page(self, last: int) -> list[tuple[int, StoredExecution]]:
        async with self._connection.transaction():
            found = await self._rows(
                f"SELECT number, {', '.join(COLUMNS)}, body FROM executions WHERE number > %s ORDER BY number LIMIT %s", last, PAGE
            )
            numbers = [number for number, *_ in found]
            payloads: dict[tuple[int, bool], bytes] = {}
            for number, is_result, body in await self._rows("SELECT * FROM payloads WHERE execution = ANY(%s)", numbers):
                payloads[number, is_result] = body
            operations = defaultdict[int, list[tuple[int, bytes]]](list)
            query = "SELECT execution, ord, body FROM operations WHERE execution = ANY(%s) ORDER BY execution, ord"
            for number, order, body in await self._rows(query, numbers):
                operations[number].append((order, body))
            events = defaultdict[int, list[EventRow]](list)
            query = "SELECT execution, last_id, count, bodies FROM events WHERE execution = ANY(%s) ORDER BY execution, last_id"
            for number, last_id, count, bodies in await self._rows(query, numbers):
                events[number].append(EventRow(last_id, count, bodies))
        return [
            (
                number,
                StoredExecution(
                    columns=dict(zip(COLUMNS, values, strict=True)),
                    body=body,
                    input=payloads.get((number, False)),
                    result=payloads.get((number, True)),
                    operations=operations[number],
                    events=events[number],
                ),
            )
            for number, *values, body in found
        ]

    async def _rows(self, query: str, *values: object) -> list[TupleRow]:
        with explained(self.place):
            return await (await self._connection.execute(query.encode(), values)).fetchall()
