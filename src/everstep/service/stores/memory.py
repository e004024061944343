"""A store that forgets: for tests, demonstrations and throw-away work.

Rule: it answers exactly as the durable stores do, and keeps references, since everything it is given is immutable.
"""

from __future__ import annotations

from bisect import bisect_left, bisect_right, insort
from collections import Counter
from collections.abc import Collection, Mapping, Sequence

from msgspec.structs import replace

from everstep.protocol.shapes import ExecutionStatus
from everstep.service.machine.model import OPEN, Event, Execution, Notice, Record
from everstep.service.machine.upkeep import needs_recovery
from everstep.service.machine.waiting import Waiting, longest_waiting
from everstep.service.stores.api import Due, Filter, Position, Snapshot, Tally, Write
from everstep.service.stores.outbox import Backlog, Later, Owed


class _Row:
    """An execution with all that belongs to it. number: by creation."""

    __slots__ = ("events", "execution", "number", "records")

    def __init__(self, number: int, execution: Execution) -> None:
        self.number, self.execution = number, execution
        self.records: dict[int, Record] = {}
        self.events: list[Event] = []


class MemoryOutbox:
    """An Outbox. Only one service has it open, so that nothing has to be noted of what is claimed."""

    def __init__(self) -> None:
        self._due: dict[tuple[str, str], tuple[int, Owed]] = {}  # by webhook and id: from when it can be claimed

    def add(self, notices: Sequence[Notice]) -> None:
        for notice in notices:
            self._due.setdefault((notice.webhook, notice.id), (notice.at, Owed(notice, 0)))

    async def claim(self, webhook: str, now: int, until: int, *, limit: int, besides: Collection[str]) -> Sequence[Owed]:
        found = [one for one in self._of(webhook, besides) if one[0] <= now]
        return [owed for _, owed in sorted(found, key=lambda one: one[0])[:limit]]

    async def next_due(self, webhook: str, *, besides: Collection[str]) -> int | None:
        return min((due_at for due_at, _ in self._of(webhook, besides)), default=None)

    async def settle(self, webhook: str, gone: Sequence[str], later: Sequence[Later]) -> None:
        for notice_id in gone:
            self._due.pop((webhook, notice_id), None)
        for one in later:
            if (known := self._due.get((webhook, one.id))) is not None:
                self._due[webhook, one.id] = one.due_at, Owed(known[1].notice, one.attempts)

    async def expire(self, webhook: str, before: int) -> int:
        return self._forget([key for key, (_, owed) in self._due.items() if key[0] == webhook and owed.notice.at < before])

    async def forget_others(self, webhooks: Collection[str], before: int) -> int:
        return self._forget([key for key, (_, owed) in self._due.items() if key[0] not in webhooks and owed.notice.at < before])

    async def backlog(self) -> Mapping[str, Backlog]:
        times: dict[str, list[int]] = {}
        for _, owed in self._due.values():
            times.setdefault(owed.notice.webhook, []).append(owed.notice.at)
        return {webhook: Backlog(len(at), min(at)) for webhook, at in times.items()}

    def _of(self, webhook: str, besides: Collection[str]) -> list[tuple[int, Owed]]:
        return [one for (its, notice_id), one in self._due.items() if its == webhook and notice_id not in besides]

    def _forget(self, keys: Sequence[tuple[str, str]]) -> int:
        for key in keys:
            del self._due[key]
        return len(keys)


class MemoryStore:
    """A Store in this process's memory. Closing it does not empty it: it can be opened again, as a file can."""

    def __init__(self) -> None:
        self._rows: dict[str, _Row] = {}
        self._names: dict[tuple[str, str], str] = {}
        self._due: list[Due] = []  # sorted
        self._created = 0
        self.outbox = MemoryOutbox()

    async def open(self) -> None:
        pass

    async def close(self) -> None:
        pass

    async def commit(self, writes: Sequence[Write]) -> Sequence[bool]:
        taken: list[bool] = []
        refused: dict[str, int] = {}
        for write in writes:
            new = write.execution
            taken.append(refused.pop(new.id, None) != new.revision - 1 and self._take(write))
            if not taken[-1]:
                refused[new.id] = new.revision
        return taken

    def _take(self, write: Write) -> bool:
        new = write.execution
        row = self._rows.get(new.id)
        if new.revision == 1:
            if row is not None or (new.function, new.name) in self._names:
                return False
            self._created += 1
            row = self._rows[new.id] = _Row(self._created, new)
            self._names[new.function, new.name] = new.id
        elif row is None or row.execution.revision != new.revision - 1:
            return False
        else:
            self._unschedule(row)
            row.execution = new
        row.records.update((record.order, record) for record in write.records)
        row.events.extend(write.events)
        self.outbox.add(write.notices)
        if new.due_at is not None:
            insort(self._due, Due(new.due_at, row.number, new.id))
        return True

    def _unschedule(self, row: _Row) -> None:
        if row.execution.due_at is not None:
            del self._due[bisect_left(self._due, Due(row.execution.due_at, row.number, row.execution.id))]

    async def load(self, execution_id: str) -> Snapshot | None:
        row = self._rows.get(execution_id)
        if row is None:
            return None
        return Snapshot(execution=row.execution, records=[row.records[order] for order in sorted(row.records)])

    async def find(self, function: str, name: str) -> Execution | None:
        execution_id = self._names.get((function, name))
        return None if execution_id is None else self._rows[execution_id].execution

    async def executions(
        self, where: Filter, *, limit: int, oldest_first: bool = False, after: Position | None = None
    ) -> Sequence[Execution]:
        found = [execution for row in self._rows.values() if _matches(execution := row.execution, where)]
        found.sort(key=_position, reverse=not oldest_first)
        if after is not None:
            found = [one for one in found if (_position(one) > after if oldest_first else _position(one) < after)]
        return [replace(execution, input=None, result=None) for execution in found[:limit]]

    async def waiting(self, execution_ids: Sequence[str], what: Waiting) -> Mapping[str, Record]:
        rows = (self._rows.get(execution_id) for execution_id in execution_ids)
        found = ((row.execution.id, longest_waiting(row.records.values(), what)) for row in rows if row is not None)
        return {execution_id: record for execution_id, record in found if record is not None}

    async def events(self, execution_id: str, *, limit: int, newest_first: bool = False, after: int | None = None) -> Sequence[Event]:
        row = self._rows.get(execution_id)
        events = [] if row is None else row.events[::-1] if newest_first else row.events
        if after is not None:
            events = [event for event in events if (event.event_id < after if newest_first else event.event_id > after)]
        return events[:limit]

    async def due(self, *, after: Due | None = None, limit: int) -> Sequence[Due]:
        first = 0 if after is None else bisect_right(self._due, after)
        return self._due[first : first + limit]

    async def to_recover(self) -> Sequence[str]:
        return [row.execution.id for row in self._rows.values() if needs_recovery(row.execution)]

    async def count_open(self) -> int:
        return sum(row.execution.status in OPEN for row in self._rows.values())

    async def tally(self) -> Sequence[Tally]:
        counts: Counter[tuple[str, ExecutionStatus]] = Counter()
        counts.update((row.execution.function, row.execution.status) for row in self._rows.values())
        return [Tally(function, status, count) for (function, status), count in counts.items()]

    async def delete(self, execution_ids: Sequence[str]) -> None:
        for execution_id in execution_ids:
            row = self._rows.pop(execution_id, None)
            if row is not None:
                self._unschedule(row)
                del self._names[row.execution.function, row.execution.name]


def _position(execution: Execution) -> Position:
    return Position(execution.started_at, execution.id)


def _matches(execution: Execution, where: Filter) -> bool:
    return (
        (where.function is None or execution.function == where.function)
        and (where.version is None or execution.version == where.version)
        and (where.name is None or execution.name == where.name)
        and (not where.statuses or execution.status in where.statuses)
        and (where.started_after is None or execution.started_at > where.started_after)
        and (where.started_before is None or execution.started_at < where.started_before)
    )
