"""One execution as the machine sees it: the row, its operations, and what would be slow to search for among them.

Rule: commands only read it. It changes in `absorb`, by a transition that the store has taken. All of it can be built
anew from the execution and its records; only that looks at every operation, a checkpoint never does.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from heapq import heappop, heappush
from typing import NamedTuple

from everstep.protocol.lifecycle import SERVICE_MOVES
from everstep.service.machine.model import OPEN, Execution, Record, Reply, Transition
from everstep.service.machine.tokens import mint_token


class _Timer(NamedTuple):
    """An entry of the heap of timers. It is out of date once the record has another due time."""

    due_at: int
    order: int
    operation_id: str


def is_pending(record: Record) -> bool:
    """Whether the service will move the operation on, so that a handler may suspend on it."""
    return (record.operation.type, record.operation.status) in SERVICE_MOVES


class State:
    """An execution with all its operations.

    records: by operation id, in the order in which the operations began.
    unseen: ids of the operations that changed since the handler last saw state.
    pending: how many operations the service will move on.
    last_reply: the answer to the running invocation's last checkpoint, None if it is not known any more.
    """

    __slots__ = ("_ids", "_timers", "execution", "last_reply", "pending", "records", "unseen")

    def __init__(self, execution: Execution, records: Iterable[Record]) -> None:
        """records: all of them, by order."""
        self.execution = execution
        self.records = {record.operation.id: record for record in records}
        self._ids = list(self.records)
        self.unseen = self._changed_after(execution.seen)
        self.pending = sum(map(is_pending, self.records.values()))
        self._timers: list[_Timer] = []
        self.last_reply: Reply | None = None
        for operation_id, record in self.records.items():
            if record.due_at is not None:
                heappush(self._timers, _Timer(record.due_at, record.order, operation_id))

    def at(self, order: int) -> Record:
        """The operation at this position."""
        return self.records[self._ids[order]]

    @property
    def token(self) -> str | None:
        """The only checkpoint token that is valid now."""
        invocation = self.execution.invocation
        if invocation is None or invocation.is_cut_short or self.execution.status not in OPEN:
            return None
        if self.last_reply is not None:
            return self.last_reply.token
        return mint_token(self.execution.id, invocation.number, invocation.checkpoints, invocation.secret)

    def absorb(self, transition: Transition) -> None:
        """Take over a transition, made from this state, that is (or is about to be) recorded."""
        before, after = self.execution, transition.execution
        if after is before:
            return
        assert after.revision == before.revision + 1, "transitions are absorbed in the order in which they are made"
        for record in transition.records:
            self._put(record, after.revision)
        if after.seen >= after.revision:
            self.unseen.clear()
        elif after.seen < before.seen:
            self.unseen = self._changed_after(after.seen)
        self.execution = after
        if transition.reply is not None:
            self.last_reply = transition.reply
        elif after.invocation is None:
            self.last_reply = None

    def _put(self, record: Record, revision: int) -> None:
        operation_id = record.operation.id
        replaced = self.records.get(operation_id)
        self.records[operation_id] = record
        if replaced is None:
            self._ids.append(operation_id)
        else:
            self.pending -= is_pending(replaced)
        self.pending += is_pending(record)
        if record.due_at is not None and (replaced is None or replaced.due_at != record.due_at):
            heappush(self._timers, _Timer(record.due_at, record.order, operation_id))
        if record.revision == revision:
            self.unseen.add(operation_id)
        while self._timers and not self._is_current(self._timers[0]):
            heappop(self._timers)

    def _changed_after(self, revision: int) -> set[str]:
        return {operation_id for operation_id, record in self.records.items() if record.revision > revision}

    def _is_current(self, timer: _Timer) -> bool:
        return self.records[timer.operation_id].due_at == timer.due_at

    def due(self, now: int) -> list[Record]:
        """The operations whose timer is due, earliest first."""
        timers = self._timers
        if not timers or timers[0].due_at > now:
            return []
        found: set[_Timer] = set()  # a set: a due time that was moved away and back stands in the heap twice
        places = [0]
        while places:
            place = places.pop()
            if place < len(timers) and timers[place].due_at <= now:
                if self._is_current(timers[place]):
                    found.add(timers[place])
                places += (2 * place + 1, 2 * place + 2)
        return [self.records[timer.operation_id] for timer in sorted(found)]

    def next_timer(self, changed: Mapping[str, Record]) -> int | None:
        """The earliest due time of all operations, taking `changed` records as they will be."""
        earliest = min((record.due_at for record in changed.values() if record.due_at is not None), default=None)
        timers = self._timers
        places: list[tuple[int, int]] = [(timers[0].due_at, 0)] if timers else []
        while places:
            due_at, place = heappop(places)
            if earliest is not None and due_at >= earliest:
                break
            if timers[place].operation_id not in changed and self._is_current(timers[place]):
                return due_at
            for below in (2 * place + 1, 2 * place + 2):
                if below < len(timers):
                    heappush(places, (timers[below].due_at, below))
        return earliest
