"""A transition in the making: what one command has changed so far, over a state that it leaves alone.

Rule: nothing is visible before `finish`; a command that is rejected half-way leaves its Change behind.
"""

from __future__ import annotations

from msgspec.structs import replace

from everstep.protocol.shapes import TERMINAL, Operation
from everstep.service.machine.clock import next_stamp
from everstep.service.machine.model import (
    OPEN,
    CallbackTimers,
    ChainedCall,
    Effect,
    Event,
    Execution,
    InvokeHandler,
    JsonObject,
    Record,
    Reply,
    Transition,
)
from everstep.service.machine.rejection import invalid
from everstep.service.machine.rules import RULES, Rules
from everstep.service.machine.state import State, is_pending

DAY_MS = 86_400_000

_NOTHING: JsonObject = {}


class Change:
    """What a command does to `state`, at the instant `now`.

    execution: as it will be, except for the counters and the clock, which `finish` adds.
    stamp: the timestamp of what is recorded next; see `set_stamp`.
    records: the changed ones by operation id.
    """

    __slots__ = (
        "_clock_ms",
        "_clock_order",
        "_events",
        "_operations",
        "_used",
        "_written_bytes",
        "calls",
        "effects",
        "execution",
        "now",
        "records",
        "revision",
        "rules",
        "stamp",
        "state",
    )

    def __init__(self, state: State, now: int, rules: Rules = RULES) -> None:
        execution = state.execution
        self.state, self.now, self.rules = state, now, rules
        self.execution = execution
        self.revision = execution.revision + 1
        self.records: dict[str, Record] = {}
        self.effects: list[Effect] = []
        self.calls = execution.calls
        self._events: list[Event] = []
        self._operations = execution.operations
        self._used = execution.used
        self._written_bytes = execution.written_bytes
        self._clock_ms = execution.clock_ms
        self._clock_order = execution.clock_order
        self.stamp = max(now, execution.clock_ms)

    @property
    def is_open(self) -> bool:
        return self.execution.status in OPEN

    def set_stamp(self, completes: int | None) -> None:
        """Give what follows one timestamp. completes: the smallest order of the operations that it completes."""
        self.stamp = next_stamp(self.now, self._clock_ms, self._clock_order, completes)

    def record(self, operation_id: str) -> Record | None:
        return self.records.get(operation_id) or self.state.records.get(operation_id)

    def create(self, operation: Operation, *, due_at: int | None = None, kept: CallbackTimers | ChainedCall | None = None) -> Record:
        """Record a new operation. Raises Rejected if the execution has as many as it may."""
        self.use_operation()
        record = Record(operation=operation, order=self._operations, revision=self.revision, due_at=due_at, kept=kept)
        self._operations += 1
        if operation.type == "CALLBACK":
            self._tick(record.order)  # the handler learns of its beginning, which has a place among the completions
        return self._put(record)

    def move(
        self,
        record: Record,
        operation: Operation,
        *,
        due_at: int | None = None,
        kept: CallbackTimers | ChainedCall | None = None,
    ) -> Record:
        """Record a known operation's new state."""
        return self._put(Record(operation=operation, order=record.order, revision=self.revision, due_at=due_at, kept=kept))

    def keep(self, record: Record, *, due_at: int | None, kept: CallbackTimers | ChainedCall) -> None:
        """Change what the service alone knows about an operation: to the handler it stays as it is."""
        self.records[record.operation.id] = replace(record, due_at=due_at, kept=kept)

    def _put(self, record: Record) -> Record:
        operation = record.operation
        self.records[operation.id] = record
        if operation.status in TERMINAL:
            self._tick(record.order)
        return record

    def _tick(self, completed: int) -> None:
        if self.stamp > self._clock_ms:
            self._clock_ms, self._clock_order = self.stamp, completed
        elif completed > self._clock_order:
            self._clock_order = completed

    def emit(self, kind: str, order: int | None, details: JsonObject = _NOTHING) -> None:
        self._events.append(
            Event(
                event_id=self.state.execution.events + len(self._events) + 1,
                type=kind,
                timestamp=self.stamp,
                order=order,
                details=details,
            )
        )

    def use_operation(self) -> None:
        """Count an operation or an attempt against the quota. Raises Rejected if it is used up."""
        if self._used >= self.rules.max_operations:
            raise invalid(f"The durable execution has reached its limit of {self.rules.max_operations} operations.")
        self._used += 1

    def use_attempt(self) -> None:
        """Count a failed invocation. It is never refused: it has happened."""
        self._used += 1

    def count_bytes(self, count: int) -> None:
        """Count what an outside party has sent. It is never refused: a handler waits for it."""
        self._written_bytes += count

    def use_bytes(self, count: int) -> None:
        """Count what the handler records against the quota. Raises Rejected if it is used up."""
        self._written_bytes += count
        if self._written_bytes > self.rules.max_written_bytes:
            raise invalid(f"The durable execution has reached its limit of {self.rules.max_written_bytes} bytes of recorded data.")

    def wake(self) -> None:
        """The handler has to hear of a change. While it runs, or an invocation is owed already, it will anyway."""
        if self.execution.invocation is None and self.execution.invoke_at is None:
            self.execution = replace(self.execution, invoke_at=self.now)

    def unseen(self) -> list[Record]:
        """The operations that changed since the handler last saw state, by order, as they will be."""
        changed = [record for record in self.records.values() if record.revision == self.revision]
        for operation_id in self.state.unseen:
            record = self.records.get(operation_id)
            if record is None:
                changed.append(self.state.records[operation_id])
            elif record.revision < self.revision:  # only what is kept with it changed
                changed.append(record)
        if len(changed) > 1:
            changed.sort(key=_order)
        return changed

    def due(self) -> list[Record]:
        """The operations whose timer is due, earliest first, unless this change has moved them on already."""
        return [record for record in self.state.due(self.now) if record.operation.id not in self.records]

    def pending(self) -> int:
        """How many operations the service will move on."""
        known = self.state.records
        return self.state.pending + sum(
            is_pending(record) - (operation_id in known and is_pending(known[operation_id]))
            for operation_id, record in self.records.items()
        )

    def finish(self, reply: Reply | None = None) -> Transition:
        """The transition: everything is counted, and what the service has to do next, and when, is worked out."""
        execution, state = self.execution, self.state
        if is_invocation_due(execution, self.now):
            self.effects.append(InvokeHandler(execution_id=execution.id))
        if execution is state.execution and not self.records and not self._events:
            return Transition(execution=execution, effects=tuple(self.effects), reply=reply)
        if self.stamp > self._clock_ms:
            self._clock_ms, self._clock_order = self.stamp, 0
        return Transition(
            execution=replace(
                execution,
                revision=self.revision,
                due_at=self.due_at(),
                operations=self._operations,
                events=state.execution.events + len(self._events),
                used=self._used,
                written_bytes=self._written_bytes,
                clock_ms=self._clock_ms,
                clock_order=self._clock_order,
                calls=self.calls,
            ),
            records=tuple(self.records.values()),
            events=tuple(self._events),
            effects=tuple(self.effects),
            reply=reply,
        )

    def due_at(self) -> int | None:
        """When the service has to act by itself next."""
        execution = self.execution
        if execution.ended_at is not None:
            return _due_after_the_end(execution)
        due_at = execution.times_out_at
        if execution.invocation is not None:
            # Operations' timers are fired by its checkpoints and at its end, so that their events come after its own.
            return _earlier(due_at, execution.invocation.expires_at)
        if execution.status == "RUNNING":
            due_at = _earlier(due_at, execution.invoke_at)
        return _earlier(due_at, self.state.next_timer(self.records))


def is_invocation_due(execution: Execution, now: int) -> bool:
    invoke_at = execution.invoke_at
    return invoke_at is not None and invoke_at <= now and execution.status == "RUNNING" and execution.invocation is None


def _due_after_the_end(execution: Execution) -> int | None:
    assert execution.ended_at is not None
    if execution.owes_parent or execution.deletion_requested_at is not None:
        return execution.deletion_requested_at or execution.ended_at
    return execution.ended_at + execution.terms.retention_days * DAY_MS


def _earlier(one: int | None, other: int | None) -> int | None:
    return other if one is None or (other is not None and other < one) else one


def _order(record: Record) -> int:
    return record.order
