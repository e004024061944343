"""The reading side of the SQLite store, on a connection of its own: a long read never holds up a commit.

Many rows come back as one value, the concatenation of their bodies: fetching is a call per row, and each call has to
win back Python's global lock. Measured: 3,000 operations beside a busy thread took 830 ms by row, 1 ms so. The bodies
follow each other in the order of the subquery, since SQLite aggregates the rows as they come.
"""

from __future__ import annotations

import sqlite3
from collections.abc import Mapping, Sequence
from typing import Final

from everstep.service.machine.model import OPEN, Event, Execution, Record
from everstep.service.machine.waiting import Waiting
from everstep.service.stores.api import Due, Filter, Position, Snapshot, Tally
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

_OPEN: Final = ", ".join(f"'{status}'" for status in sorted(OPEN))


class Reader:
    def __init__(self, connection: sqlite3.Connection) -> None:
        self.connection = connection

    def load(self, execution_id: str) -> Snapshot | None:
        self.connection.execute("BEGIN")  # one view for both queries
        try:
            found = self._execution("id = ?", execution_id)
            if found is None:
                return None
            number, execution = found
            bodies = self._bodies("SELECT body FROM operations WHERE execution = ? ORDER BY ord", number)
        finally:
            self.connection.execute("COMMIT")
        return Snapshot(execution=execution, records=decode_records(*bodies, execution.input))

    def find(self, function: str, name: str) -> Execution | None:
        found = self._execution("function = ? AND name = ?", function, name)
        return None if found is None else found[1]

    def _execution(self, condition: str, *values: str) -> tuple[int, Execution] | None:
        row = self.connection.execute(
            "SELECT number, body, input, result FROM executions LEFT JOIN payloads ON execution = number WHERE " + condition, values
        ).fetchone()
        if row is None:
            return None
        number, body, input_payload, result = row
        return number, decode_execution(body, input_payload, result)

    def executions(self, where: Filter, *, limit: int, oldest_first: bool, after: Position | None) -> Sequence[Execution]:
        conditions: list[str] = []
        values: list[str | int] = []

        def require(condition: str, *operands: str | int) -> None:
            conditions.append(condition)
            values.extend(operands)

        if where.function is not None:
            require("function = ?", where.function)
        if where.version is not None:
            require("version = ?", where.version)
        if where.name is not None:
            require("name = ?", where.name)
        if where.statuses:
            require(f"status IN ({', '.join('?' * len(where.statuses))})", *where.statuses)
        if where.started_after is not None:
            require("started_at > ?", where.started_after)
        if where.started_before is not None:
            require("started_at < ?", where.started_before)
        if after is not None:
            require(f"(started_at, id) {'>' if oldest_first else '<'} (?, ?)", after.started_at, after.id)
        direction = "ASC" if oldest_first else "DESC"
        return decode_executions(
            *self._bodies(
                f"SELECT body FROM executions WHERE {' AND '.join(conditions) or 'TRUE'} "
                f"ORDER BY started_at {direction}, id {direction} LIMIT ?",
                *values,
                limit,
            )
        )

    def waiting(self, execution_ids: Sequence[str], what: Waiting) -> Mapping[str, Record]:
        marks = list(marks_of_unended())
        is_unended = " OR ".join([f"instr(substr(o.body, 1, {MARK_WITHIN}), ?)"] * len(marks))
        ids, bodies = self.connection.execute(
            "SELECT group_concat(id, char(10)), CAST(group_concat(body, '') AS BLOB) FROM ("
            "SELECT id, o.body AS body FROM executions JOIN operations o ON execution = number "
            f"WHERE id IN ({', '.join('?' * len(execution_ids))}) "
            f"AND EXISTS (SELECT 1 FROM operations n WHERE n.execution = number AND instr(n.body, ?)) AND ({is_unended}) "
            "ORDER BY number, ord)",
            (*execution_ids, mark_of_name(what.name), *marks),
        ).fetchone()
        return longest_waiting_of_each(ids.split("\n"), bodies, what) if ids else {}

    def events(self, execution_id: str, *, limit: int, newest_first: bool, after: int | None) -> Sequence[Event]:
        comparison, direction = ("<", "DESC") if newest_first else (">", "ASC")
        bound = after if after is not None else 2**62 if newest_first else 0
        return decode_events(
            *self._bodies(
                "SELECT body FROM events WHERE execution = (SELECT number FROM executions WHERE id = ?) "
                f"AND event_id {comparison} ? ORDER BY event_id {direction} LIMIT ?",
                execution_id,
                bound,
                limit,
            )
        )

    def due(self, *, after: Due | None, limit: int) -> Sequence[Due]:
        at, number = (after.at, after.number) if after is not None else (-(2**62), 0)
        lines = self._lines(
            "SELECT due_at || ' ' || number || ' ' || id AS line FROM executions "
            "WHERE due_at IS NOT NULL AND (due_at, number) > (?, ?) ORDER BY due_at, number LIMIT ?",
            at,
            number,
            limit,
        )
        found = (line.split(" ", 2) for line in lines)
        return [Due(int(at), int(number), execution_id) for at, number, execution_id in found]

    def to_recover(self) -> Sequence[str]:
        return self._lines("SELECT id AS line FROM executions WHERE needs_recovery ORDER BY number")

    def count_open(self) -> int:
        count: int = self.connection.execute(f"SELECT count(*) FROM executions WHERE status IN ({_OPEN})").fetchone()[0]
        return count

    def tally(self) -> Sequence[Tally]:
        query = "SELECT function, status, count(*) FROM executions GROUP BY function, status"
        return [Tally(*row) for row in self.connection.execute(query)]

    def _lines(self, query: str, *values: int) -> list[str]:
        (lines,) = self.connection.execute(f"SELECT group_concat(line, char(10)) FROM ({query})", values).fetchone()
        return lines.split("\n") if lines else []

    def _bodies(self, query: str, *values: str | int) -> tuple[int, bytes]:
        """How many bodies the query finds, and all of them, one after the other."""
        count, bodies = self.connection.execute(f"SELECT count(*), CAST(group_concat(body, '') AS BLOB) FROM ({query})", values).fetchone()
        return count, bodies or b""
