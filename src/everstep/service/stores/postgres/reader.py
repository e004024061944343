"""The reading side of the PostgreSQL store. Many bodies come back as one value, joined: see rows.py."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from typing import Final

from psycopg import DataError
from psycopg.rows import TupleRow

from everstep.service.machine.model import OPEN, Event, Execution, Record
from everstep.service.machine.waiting import Waiting
from everstep.service.stores.api import Due, Filter, Position, Snapshot, Tally
from everstep.service.stores.postgres.connections import Connections
from everstep.service.stores.rows import (
    MARK_WITHIN,
    decode_events,
    decode_execution,
    decode_executions,
    decode_records,
    longest_waiting_of_each,
    mark_of_name,
    marks_of_unended,
)

EXECUTION: Final = """SELECT e.body, i.body, r.body FROM executions e
LEFT JOIN payloads i ON i.execution = e.number AND NOT i.is_result
LEFT JOIN payloads r ON r.execution = e.number AND r.is_result
WHERE e.function = %b AND e.name = %b"""
SNAPSHOT: Final = """SELECT e.body, i.body, r.body, o.count, o.bodies FROM executions e
LEFT JOIN payloads i ON i.execution = e.number AND NOT i.is_result
LEFT JOIN payloads r ON r.execution = e.number AND r.is_result,
LATERAL (SELECT count(*) AS count, string_agg(body, '' ORDER BY ord) AS bodies FROM operations WHERE execution = e.number) o
WHERE e.id = %b"""

FIRST_BEYOND: Final = "SELECT min(last_id) FROM events WHERE execution = number AND last_id >= %b"


class Reader:
    def __init__(self, connections: Connections) -> None:
        self._connections = connections

    async def load(self, execution_id: str) -> Snapshot | None:
        rows = await self._rows(SNAPSHOT, execution_id)
        if not rows:
            return None
        [(body, input_payload, result, count, bodies)] = rows
        execution = _execution(body, input_payload, result)
        return Snapshot(execution=execution, records=decode_records(count, bodies or b"", execution.input))

    async def revision(self, execution_id: str) -> int | None:
        rows = await self._rows("SELECT revision FROM executions WHERE id = %b", execution_id)
        return rows[0][0] if rows else None

    async def revisions(self, execution_ids: Collection[str]) -> Mapping[str, int]:
        return dict(await self._rows("SELECT id, revision FROM executions WHERE id = ANY(%b::text[])", list(execution_ids)))

    async def find(self, function: str, name: str) -> Execution | None:
        rows = await self._rows(EXECUTION, function, name)
        return _execution(*rows[0]) if rows else None

    async def executions(self, where: Filter, *, limit: int, oldest_first: bool, after: Position | None) -> Sequence[Execution]:
        conditions = ["TRUE"]
        values: list[object] = []

        def require(condition: str, *operands: object) -> None:
            conditions.append(condition)
            values.extend(operands)

        if where.function is not None:
            require("function = %b", where.function)
        if where.version is not None:
            require("version = %b", where.version)
        if where.name is not None:
            require("name = %b", where.name)
        if where.statuses:
            require("status = ANY(%b)", list(where.statuses))
        if where.started_after is not None:
            require("started_at > %b", where.started_after)
        if where.started_before is not None:
            require("started_at < %b", where.started_before)
        if after is not None:
            require(f"(started_at, id) {'>' if oldest_first else '<'} (%b, %b)", after.started_at, after.id)
        direction = "ASC" if oldest_first else "DESC"
        rows = await self._rows(
            f"SELECT body FROM executions WHERE {' AND '.join(conditions)} ORDER BY started_at {direction}, id {direction} LIMIT %b",
            *values,
            limit,
        )
        return decode_executions(len(rows), b"".join(body for (body,) in rows))

    async def waiting(self, execution_ids: Sequence[str], what: Waiting) -> Mapping[str, Record]:
        marks = list(marks_of_unended())
        is_unended = " OR ".join([f"position(%b IN substring(o.body FOR {MARK_WITHIN})) > 0"] * len(marks))
        rows = await self._rows(
            "SELECT id, o.body FROM executions JOIN operations o ON execution = number "
            "WHERE id = ANY(%b) AND EXISTS (SELECT FROM operations n WHERE n.execution = number AND position(%b IN n.body) > 0) "
            f"AND ({is_unended}) ORDER BY number, ord",
            list(execution_ids),
            mark_of_name(what.name),
            *marks,
        )
        return longest_waiting_of_each([execution_id for execution_id, _ in rows], b"".join(body for _, body in rows), what)

    async def events(self, execution_id: str, *, limit: int, newest_first: bool, after: int | None) -> Sequence[Event]:
        # A row holds one event or more, so `limit` rows hold enough; the first one may begin before what is asked for.
        if newest_first:
            bound = 2**62 if after is None else after
            condition = f"first_id < %b AND last_id <= COALESCE(({FIRST_BEYOND}), 2 ^ 62) ORDER BY last_id DESC"
            rows = await self._event_rows(condition, execution_id, bound, bound, limit)
            events = [event for event in reversed(decode_events(*rows)) if event.event_id < bound]
        else:
            bound = -1 if after is None else after
            rows = await self._event_rows("last_id > %b ORDER BY last_id", execution_id, bound, limit)
            events = [event for event in decode_events(*rows) if event.event_id > bound]
        return events[:limit]

    async def _event_rows(self, condition: str, *values: object) -> tuple[int, bytes]:
        """How many events, and their bodies, oldest first."""
        rows = await self._rows(
            "SELECT last_id, count, bodies FROM executions, LATERAL "
            f"(SELECT last_id, count, bodies FROM events WHERE execution = number AND {condition} LIMIT %b) found WHERE id = %b",
            *values[1:],
            values[0],
        )
        rows.sort(key=lambda row: row[0])
        return sum(row[1] for row in rows), b"".join(row[2] for row in rows)

    async def due(self, *, after: Due | None, limit: int) -> Sequence[Due]:
        at, number = (after.at, after.number) if after is not None else (-(2**62), 0)
        rows = await self._rows(
            "SELECT due_at, number, id FROM executions WHERE due_at IS NOT NULL AND (due_at, number) > (%b, %b) "
            "ORDER BY due_at, number LIMIT %b",
            at,
            number,
            limit,
        )
        return [Due(*row) for row in rows]

    async def to_recover(self) -> Sequence[str]:
        # owner: has an index, and is never NULL where the other holds.
        rows = await self._rows("SELECT id FROM executions WHERE owner IS NOT NULL AND needs_recovery ORDER BY number")
        return [execution_id for (execution_id,) in rows]

    async def tally(self) -> Sequence[Tally]:
        rows = await self._rows("SELECT function, status, count(*) FROM executions GROUP BY function, status")
        return [Tally(*row) for row in rows]

    async def count_open(self) -> int:
        rows = await self._rows("SELECT count(*) FROM executions WHERE status = ANY(%b)", list(OPEN))
        count: int = rows[0][0]
        return count

    async def _rows(self, query: str, *values: object) -> list[TupleRow]:
        async with self._connections.reading() as connection:
            cursor = connection.cursor(binary=True)
            try:
                await cursor.execute(query.encode(), values)
            except (DataError, UnicodeEncodeError):
                return []  # text that PostgreSQL cannot hold, such as NUL: nothing is called so
            return await cursor.fetchall()


def _execution(body: bytes, input_payload: bytes | None, result: bytes | None) -> Execution:
    return decode_execution(body, None if input_payload is None else input_payload.decode(), None if result is None else result.decode())
