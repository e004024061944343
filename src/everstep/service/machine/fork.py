"""FORK: a new execution that begins where another one stood at one of its operations.

Rule: the other one is only read. What had ended there has ended here, at the times and in the order in which it had, so that a
handler replays it as it would there. What was under way begins anew; but contexts stay open, and so do callbacks, because
a handler may know their ids: each gets a new one, and its whole time.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Final, cast

from msgspec.structs import replace

from everstep.protocol.limits import EXECUTION_NAME_PATTERN, MAX_OPERATION_PAYLOAD
from everstep.protocol.shapes import (
    CallbackDetails,
    ChainedInvokeDetails,
    ContextDetails,
    ExecutionDetails,
    Operation,
    OperationType,
    StepDetails,
)
from everstep.service.machine.change import Change
from everstep.service.machine.clock import next_stamp
from everstep.service.machine.model import CallbackTimers, Event, Execution, ForkPoint, InvokeHandler, JsonObject, Record, Transition
from everstep.service.machine.rejection import Rejected, conflict, invalid
from everstep.service.machine.sizes import error_bytes, text_bytes
from everstep.service.machine.state import State
from everstep.service.machine.tokens import mint_callback_id

_ENDS: Final = ("Succeeded", "Failed", "TimedOut", "Stopped", "Cancelled")
_CLOSINGS: Final = frozenset({"ExecutionSucceeded", "ExecutionFailed", "ExecutionTimedOut", "ExecutionStopped"})
_KINDS: Final[Mapping[OperationType, str]] = {
    "STEP": "StepSucceeded",
    "CONTEXT": "ContextSucceeded",
    "CALLBACK": "CallbackSucceeded",
    "CHAINED_INVOKE": "ChainedInvokeSucceeded",
}
"""The events that tell of a result."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Fork:
    """What is asked for.

    id: of the new execution. name: its name, None for one that tells where it comes from.
    operation: from which on it runs anew, by id, or by a name that no other operation has.
    result: instead, the operation has succeeded with this text, and the execution goes on after it.
    secret: of new callbacks' ids, unguessable.
    """

    id: str
    operation: str
    secret: bytes
    name: str | None = None
    result: str | None = None


def fork_execution(fork: Fork, source: State, events: Sequence[Event], now: int) -> Transition:
    """The new execution, which owes an invocation; see `start_execution`. events: the source's, all, by id. Raises Rejected."""
    if source.execution.status == "DELETING":
        raise conflict("The durable execution is being deleted.")
    if fork.name is not None and not EXECUTION_NAME_PATTERN.fullmatch(fork.name):
        raise invalid(f"{fork.name!r} cannot name an execution: 1 to 64 letters, digits, - and _")
    target = _target(source, fork.operation)
    if fork.result is not None:
        if target.operation.type not in _KINDS:
            raise invalid(f"A {target.operation.type} has no result that could be edited.")
        if text_bytes(fork.result) > MAX_OPERATION_PAYLOAD:
            raise invalid(f"{target.operation.type} payload size must be less than or equal to {MAX_OPERATION_PAYLOAD} bytes.")
    return _Copy(fork, source, target, _past(events, target.order, with_end=fork.result is not None), now).transition()


def _target(source: State, operation: str) -> Record:
    record = source.records.get(operation)
    if record is not None and record.order > 0:
        return record
    named = [one for one in source.records.values() if one.operation.name == operation and one.order > 0]
    if len(named) > 1:
        ids = ", ".join(one.operation.id for one in named[:3])
        raise invalid(f"{len(named)} operations are called {operation!r}: name one by its id, {ids}" + (", …" if len(named) > 3 else ""))
    if not named:
        raise Rejected("ResourceNotFoundException", f"The durable execution has no operation {operation!r}.")
    return named[0]


def _past(events: Sequence[Event], order: int, *, with_end: bool) -> list[Event]:
    """What had happened when the operation began, or when it had ended: then all, if it has not."""
    found: list[Event] = []
    for event in events:
        if event.type in _CLOSINGS or (event.order == order and not with_end):
            break
        if event.order != 0 or event.type == "ExecutionStarted":  # what operators did is no part of it
            found.append(event)
        if event.order == order and _is_end(event):
            break
    return found


def _is_end(event: Event) -> bool:
    retry = event.details.get("RetryDetails")
    return event.type.endswith(_ENDS) and not (isinstance(retry, Mapping) and "NextAttemptDelaySeconds" in retry)


class _Copy:
    """The new execution in the making. orders: of what is kept, there and here."""

    def __init__(self, fork: Fork, source: State, target: Record, past: Sequence[Event], now: int) -> None:
        self._fork, self._source, self._target, self._now = fork, source, target, now
        self._began = {event.order: event for event in reversed(past) if event.order is not None}
        self._ended = {event.order for event in past if event.order is not None and _is_end(event)}
        self._name = fork.name or f"{source.execution.name[:50]}-fork-{fork.id[:8]}"
        self._records: list[Record] = []
        self._orders: dict[int, int] = {}
        for record in source.records.values():
            copied = self._copied(record)
            if copied is not None:
                self._orders[record.order] = len(self._records)
                self._records.append(replace(copied, order=len(self._records), revision=1))
        self._events = [replace(event, event_id=number) for number, event in enumerate(self._told(past), start=1)]
        self._end_target()

    def transition(self) -> Transition:
        old = self._source.execution
        clock_ms = max(event.timestamp for event in self._events)
        execution = Execution(
            id=self._fork.id,
            arn=f"{old.arn.partition('/durable-execution/')[0]}/durable-execution/{self._name}/{self._fork.id}",
            name=self._name,
            function=old.function,
            version=old.version,
            status="RUNNING",
            revision=1,
            started_at=self._now,
            terms=replace(old.terms, parent=None, forked_from=ForkPoint(execution_id=old.id, operation_id=self._target.operation.id)),
            input=old.input,
            times_out_at=self._now + old.terms.timeout_s * 1000,
            operations=len(self._records),
            events=len(self._events),
            used=1 + sum(_uses(record.operation) for record in self._records[1:]),
            written_bytes=text_bytes(old.input) + sum(_bytes(record.operation) for record in self._records),
            clock_ms=clock_ms,
            clock_order=max((record.order for record in self._records if clock_ms in _ticks(record.operation)), default=0),
            invocations=sum(event.type == "InvocationCompleted" for event in self._events),
            invoke_at=self._now,
        )
        execution = replace(execution, due_at=Change(State(execution, self._records), self._now).due_at())
        effects = (InvokeHandler(execution_id=execution.id),)
        return Transition(execution=execution, records=tuple(self._records), events=tuple(self._events), effects=effects)

    # -- operations

    def _copied(self, record: Record) -> Record | None:
        """The operation as it is here, None if it begins anew."""
        operation = record.operation
        if record.order == 0:
            details = ExecutionDetails(input_payload=self._source.execution.input)
            began = Operation(
                id=self._fork.id,
                type="EXECUTION",
                status="STARTED",
                start_timestamp=operation.start_timestamp,
                name=self._name,
                execution_details=details,
            )
            return Record(operation=began, order=0, revision=1)
        if record.order == self._target.order and self._fork.result is not None:
            return replace(record, operation=_with_result(operation, self._fork.result), due_at=None)
        if record.order in self._ended:
            return record
        if record.order not in self._began:
            return None
        match operation.type:
            case "CONTEXT":
                opened = replace(operation, status="STARTED", end_timestamp=None, context_details=ContextDetails())
                return replace(record, operation=opened)
            case "CALLBACK":
                return None if self._is_inside_target(operation) else self._open_callback(record)
            case _:
                return None

    def _open_callback(self, record: Record) -> Record:
        details = self._began[record.order].details
        timeout_s, heartbeat_s = cast("int", details.get("Timeout", 0)), cast("int", details.get("HeartbeatTimeout", 0))
        timers = CallbackTimers(
            expires_at=self._now + timeout_s * 1000 if timeout_s else None,
            heartbeat_s=heartbeat_s or None,
            heartbeat_due_at=self._now + heartbeat_s * 1000 if heartbeat_s else None,
        )
        opened = replace(
            record.operation,
            status="STARTED",
            end_timestamp=None,
            callback_details=CallbackDetails(callback_id=self._callback_id(record.operation.id)),
        )
        due_at = min((at for at in (timers.expires_at, timers.heartbeat_due_at) if at is not None), default=None)
        return replace(record, operation=opened, due_at=due_at, kept=timers)

    def _callback_id(self, operation_id: str) -> str:
        return mint_callback_id(self._fork.id, operation_id, self._fork.secret)

    def _is_inside_target(self, operation: Operation) -> bool:
        parent_id = operation.parent_id
        while parent_id is not None and self._fork.result is not None:
            if parent_id == self._target.operation.id:
                return True
            parent_id = self._source.records[parent_id].operation.parent_id
        return False

    # -- history

    def _told(self, past: Sequence[Event]) -> Iterator[Event]:
        for event in past:
            if event.order is None:
                # The error of the answer that closed the source belongs to the source.
                yield replace(event, details={name: value for name, value in event.details.items() if (name, value) != ("Error", {})})
            elif event.order in self._orders:
                order = self._orders[event.order]
                yield replace(event, order=order, details=self._details(event, self._records[order].operation))

    def _details(self, event: Event, operation: Operation) -> JsonObject:
        if event.type == "CallbackStarted" and operation.status == "STARTED":
            assert operation.callback_details is not None
            return {**event.details, "CallbackId": operation.callback_details.callback_id}
        return event.details

    def _end_target(self) -> None:
        """Have the history say that the operation has succeeded with the result that it was given."""
        order = self._orders.get(self._target.order)
        if order is None or self._fork.result is None:
            return
        kind = _KINDS[self._target.operation.type]
        last = self._events[-1]
        if self._target.order in self._ended:  # its end is the last that had happened
            details = {name: value for name, value in last.details.items() if name not in ("Result", "Error")}
            self._events[-1] = replace(last, type=kind, details=details)
            return
        tick = max((one.order for one in self._records if last.timestamp in _ticks(one.operation)), default=0)
        stamp = next_stamp(self._now, last.timestamp, tick, order)
        record = self._records[order]
        self._records[order] = replace(record, operation=replace(record.operation, end_timestamp=stamp))
        step = record.operation.step_details
        details = {} if step is None else {"RetryDetails": {"CurrentAttempt": step.attempt}}
        self._events.append(Event(event_id=len(self._events) + 1, type=kind, timestamp=stamp, order=order, details=details))


def _with_result(operation: Operation, result: str) -> Operation:
    succeeded = replace(operation, status="SUCCEEDED")
    match operation.type:
        case "STEP":
            attempt = operation.step_details.attempt if operation.step_details is not None else None
            return replace(succeeded, step_details=StepDetails(attempt=attempt or 1, result=result))
        case "CONTEXT":
            return replace(succeeded, context_details=ContextDetails(result=result))
        case "CALLBACK":
            details = operation.callback_details or CallbackDetails()
            return replace(succeeded, callback_details=replace(details, result=result, error=None))
        case _:
            return replace(succeeded, chained_invoke_details=ChainedInvokeDetails(result=result))


def _ticks(operation: Operation) -> tuple[int | float | None, ...]:
    """The timestamps that count in the order of completions; see clock.py."""
    return (operation.end_timestamp, operation.start_timestamp) if operation.type == "CALLBACK" else (operation.end_timestamp,)


def _uses(operation: Operation) -> int:
    attempts = operation.step_details.attempt if operation.step_details is not None else 1
    return max(attempts or 1, 1)


def _bytes(operation: Operation) -> int:
    details = operation.step_details or operation.context_details or operation.callback_details or operation.chained_invoke_details
    return 0 if details is None else text_bytes(details.result) + error_bytes(details.error)
