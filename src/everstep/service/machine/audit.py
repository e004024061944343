"""Whether a stored execution can have come from this machine: its row, its operations and its history, held against each other.

Rule: no fault is found in what the machine made, whatever happened to the execution; tests hold this against every
transition. What is merely unusual, or late, is a warning.

Source: the service's rules for event ids and order; the lifecycle table.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from itertools import pairwise
from typing import Final

from msgspec import Struct

from everstep.protocol.lifecycle import MOVES, SERVICE_MOVES
from everstep.protocol.shapes import TERMINAL, OperationStatus, OperationType
from everstep.service.machine.change import DAY_MS, Change
from everstep.service.machine.model import OPEN, CallbackTimers, ChainedCall, Event, Execution, Record
from everstep.service.machine.state import State, is_pending

LATE_MS: Final = 3_600_000
"""How much later than due is worth a warning."""


class Finding(Struct, frozen=True):
    """rule: which one is broken, a word. is_warning: nothing is broken, but an operator may want to know."""

    rule: str
    text: str
    is_warning: bool = False


def audit(execution: Execution, records: Sequence[Record], events: Sequence[Event], now: int) -> list[Finding]:
    """What is wrong, nothing if all is well. records: by order. events: by id."""
    found = [*_events(execution, events), *_operations(execution, records)]
    if found:
        return found  # what follows relies on them
    by_order = {record.order: record for record in records}
    found = [*_outcome(execution, by_order[0], events), *_events_of_operations(by_order, events)]
    return found or [*_timers(execution, records, now)]


# -- the history by itself


def _events(execution: Execution, events: Sequence[Event]) -> Iterator[Finding]:
    ids = [event.event_id for event in events]
    missing = sorted(set(range(1, execution.events + 1)).difference(ids))
    if missing:
        yield Finding("events", f"of {execution.events} events these are missing: {_listed(missing)}")
    beyond = [one for one in ids if not 1 <= one <= execution.events]
    if beyond:
        yield Finding("events", f"there are events beyond the last one, {execution.events}: {_listed(beyond)}")
    if ids and ids[0] == 1 and events[0].type != "ExecutionStarted":
        yield Finding("events", f"the first event is {events[0].type}, not ExecutionStarted")
    for before, after in pairwise(events):
        if after.timestamp < before.timestamp:
            yield Finding("events", f"event {after.event_id} is dated before event {before.event_id}")


# -- the operations by themselves

_DETAILS: Final[Mapping[OperationType, str]] = {
    "EXECUTION": "execution_details",
    "CONTEXT": "context_details",
    "STEP": "step_details",
    "WAIT": "wait_details",
    "CALLBACK": "callback_details",
    "CHAINED_INVOKE": "chained_invoke_details",
}


def _reachable() -> Mapping[OperationType, frozenset[OperationStatus]]:
    # Beside the moves of the table: an execution is also closed by its timeout and by operators.
    found: dict[OperationType, set[OperationStatus]] = {"EXECUTION": {"STARTED", "TIMED_OUT", "STOPPED"}}
    for (kind, _, _), after in MOVES.items():
        found.setdefault(kind, set()).add(after)
    for (kind, _), many in SERVICE_MOVES.items():
        found[kind] |= many
    return {kind: frozenset(statuses) for kind, statuses in found.items()}


_STATUSES: Final = _reachable()


def _operations(execution: Execution, records: Sequence[Record]) -> Iterator[Finding]:
    orders = [record.order for record in records]
    missing = sorted(set(range(execution.operations)).difference(orders))
    if missing:
        yield Finding("operations", f"of {execution.operations} operations these are missing, by order: {_listed(missing)}")
    beyond = [order for order in orders if order >= execution.operations]
    if beyond:
        yield Finding("operations", f"there are operations beyond the last one, {execution.operations - 1}: {_listed(beyond)}")
    for operation_id, count in Counter(record.operation.id for record in records).items():
        if count > 1:
            yield Finding("operations", f"{count} operations have the id {operation_id}")
    for record in records:
        yield from _operation(execution, record)
    yield from _parents(records)


def _operation(execution: Execution, record: Record) -> Iterator[Finding]:
    operation = record.operation
    what = _name(record)
    if (operation.type == "EXECUTION") != (record.order == 0) or (record.order == 0 and operation.id != execution.id):
        yield Finding("operations", f"{what} is in the wrong place: the first operation, and no other, is the execution's own")
    if operation.status not in _STATUSES[operation.type]:
        yield Finding("operations", f"{what} is {operation.status}, which its type never is")
    if (operation.end_timestamp is not None) != (operation.status in TERMINAL):
        yield Finding("operations", f"{what} is {operation.status} and has {'an' if operation.end_timestamp is not None else 'no'} end")
    unfit = [member for kind, member in _DETAILS.items() if kind != operation.type and getattr(operation, member) is not None]
    if unfit:
        yield Finding("operations", f"{what} has the {', '.join(unfit)} of another type")
    if record.revision > execution.revision:
        yield Finding("operations", f"{what} changed at revision {record.revision}, the execution is at {execution.revision}")


def _parents(records: Sequence[Record]) -> Iterator[Finding]:
    by_id = {record.operation.id: record for record in records}
    for record in records:
        parent_id = record.operation.parent_id
        if parent_id is None:
            continue
        parent = by_id.get(parent_id)
        if parent is None:
            yield Finding("parents", f"{_name(record)} has a parent that does not exist, {parent_id}")
        elif parent.operation.type != "CONTEXT" or parent.order >= record.order:
            yield Finding("parents", f"{_name(record)} has a parent that cannot be one, {_name(parent)}")


# -- the end

_CLOSINGS: Final[Mapping[str, OperationStatus]] = {
    "ExecutionSucceeded": "SUCCEEDED",
    "ExecutionFailed": "FAILED",
    "ExecutionTimedOut": "TIMED_OUT",
    "ExecutionStopped": "STOPPED",
}


def _outcome(execution: Execution, own: Record, events: Sequence[Event]) -> Iterator[Finding]:
    closings = [event for event in events if event.type in _CLOSINGS]
    status = own.operation.status
    is_open = execution.status in OPEN
    if is_open != (execution.ended_at is None) or is_open != (status == "STARTED"):
        yield Finding("end", f"the execution is {execution.status}, its own operation {status}, and its end {execution.ended_at}")
        return
    if len(closings) != (0 if is_open else 1):
        named = ", ".join(f"{event.type} ({event.event_id})" for event in closings) or "no closing event"
        yield Finding("end", f"the execution is {execution.status} and has {named}")
        return
    if (execution.status == "DELETING") != (execution.deletion_requested_at is not None):
        yield Finding("end", f"the execution is {execution.status}, and its deletion was {_when(execution.deletion_requested_at)}")
    if is_open:
        if execution.result is not None:
            yield Finding("end", f"the execution is {execution.status} and has a result")
        return
    if execution.status not in ("DELETING", status):
        yield Finding("end", f"the execution is {execution.status}, its own operation {status}")
    if _CLOSINGS[closings[0].type] != status:
        yield Finding("end", f"the execution's own operation is {status}, the history ends with {closings[0].type}")
    later = [event for event in events if event.event_id > closings[0].event_id]
    if len(later) > 1 or any(event.type != "InvocationCompleted" for event in later):
        yield Finding("end", f"after {closings[0].type} there is {later[-1].type} ({later[-1].event_id})")
    if (execution.error is not None and status == "SUCCEEDED") or (execution.result is not None and status != "SUCCEEDED"):
        yield Finding("result", f"the execution's own operation is {status}, and the outcome does not fit it")
    if execution.error is None and status in ("TIMED_OUT", "STOPPED"):
        yield Finding("result", f"the execution is {status} without an error")
    if execution.result is None and status == "SUCCEEDED":
        yield Finding("result", "the execution succeeded without a result", is_warning=True)


# -- operations and what is said about them

_PREFIXES: Final[Mapping[OperationType, str]] = {
    "EXECUTION": "Execution",
    "CONTEXT": "Context",
    "STEP": "Step",
    "WAIT": "Wait",
    "CALLBACK": "Callback",
    "CHAINED_INVOKE": "ChainedInvoke",
}
_ENDS: Final[Mapping[str, OperationStatus]] = {
    "Succeeded": "SUCCEEDED",
    "Failed": "FAILED",
    "TimedOut": "TIMED_OUT",
    "Stopped": "STOPPED",
    "Cancelled": "CANCELLED",
}


def _events_of_operations(by_order: Mapping[int, Record], events: Sequence[Event]) -> Iterator[Finding]:
    begun = Counter[int]()
    ends: dict[int, list[Event]] = {}
    for event in events:
        if event.order is None:
            if event.type != "InvocationCompleted":
                yield Finding("events", f"event {event.event_id}, {event.type}, is about no operation")
            continue
        record = by_order.get(event.order)
        if record is None:
            yield Finding("events", f"event {event.event_id}, {event.type}, is about an operation that does not exist, {event.order}")
            continue
        prefix = _PREFIXES[record.operation.type]
        if not event.type.startswith(prefix):
            yield Finding("events", f"event {event.event_id}, {event.type}, is about {_name(record)}")
        elif event.type == f"{prefix}Started":
            begun[event.order] += 1
        elif event.order > 0 and not _is_retried(event):
            ends.setdefault(event.order, []).append(event)
    for order, record in by_order.items():
        if order > 0:
            yield from _told(record, begun[order], ends.get(order, ()))


def _is_retried(event: Event) -> bool:
    details = event.details.get("RetryDetails")
    return isinstance(details, Mapping) and "NextAttemptDelaySeconds" in details


def _told(record: Record, begun: int, ends: Sequence[Event]) -> Iterator[Finding]:
    operation = record.operation
    if operation.type not in ("STEP", "CONTEXT") and begun != 1:  # those may end without having said that they began
        yield Finding("events", f"{_name(record)} began {begun} times in the history")
    if len(ends) != (operation.status in TERMINAL):
        named = ", ".join(f"{event.type} ({event.event_id})" for event in ends) or "no end in the history"
        yield Finding("events", f"{_name(record)} is {operation.status} and has {named}")
    elif ends and _ENDS.get(ends[0].type.removeprefix(_PREFIXES[operation.type])) != operation.status:
        yield Finding("events", f"{_name(record)} is {operation.status}, and the history says {ends[0].type} ({ends[0].event_id})")


# -- what comes next


def _timers(execution: Execution, records: Sequence[Record], now: int) -> Iterator[Finding]:
    state = State(execution, records)
    if execution.status in OPEN:
        for record in records:
            yield from _timer(record)
        waiting = sum(isinstance(record.kept, ChainedCall) and record.operation.status == "STARTED" for record in records)
        if waiting != execution.calls:
            yield Finding("timers", f"the execution waits for {waiting} chained invokes, and counts {execution.calls}")
        is_owed = execution.invoke_at is not None or execution.invocation is not None
        if not (is_owed or state.pending or execution.status != "RUNNING"):
            yield Finding("timers", "nothing will ever move the execution on: it waits for nothing, and no invocation is owed")
    due_at = Change(state, now).due_at()
    if execution.due_at != due_at:
        what = "an execution that has ended is removed" if execution.ended_at is not None else "the execution has to be moved on"
        yield Finding("timers", f"{what} at {due_at}, and is due {'never' if execution.due_at is None else f'at {execution.due_at}'}")
    elif due_at is not None and due_at < now - LATE_MS:
        late = f"has been due for {_span(now - due_at)}: a running service moves it on"
        if execution.ended_at is not None and not execution.owes_parent:
            retention = f"its retention of {execution.terms.retention_days} days"
            late = f"is kept for {_span(now - due_at)} longer than {retention}: a running service removes it"
        yield Finding("late", f"the execution {late}", is_warning=True)


def _timer(record: Record) -> Iterator[Finding]:
    operation, kept = record.operation, record.kept
    needs_timer = (operation.type, operation.status) in (("WAIT", "STARTED"), ("STEP", "PENDING"))
    if isinstance(kept, CallbackTimers) and operation.status == "STARTED":
        needs_timer = kept.expires_at is not None or kept.heartbeat_due_at is not None
    if needs_timer and record.due_at is None:
        yield Finding("timers", f"{_name(record)} is {operation.status}, and no timer will end that")
    if record.due_at is not None and not is_pending(record):
        yield Finding("timers", f"{_name(record)} is {operation.status}, and has a timer")


def _name(record: Record) -> str:
    operation = record.operation
    name = "" if operation.name is None else f" {operation.name!r}"
    return f"operation {record.order} ({operation.type}{name}, id {operation.id})"


def _listed(numbers: Sequence[int]) -> str:
    shown = ", ".join(map(str, numbers[:10]))
    return shown if len(numbers) <= 10 else f"{shown} and {len(numbers) - 10} more"


def _span(ms: int) -> str:
    return f"{ms // DAY_MS} days" if ms >= 2 * DAY_MS else f"{ms // 3_600_000} hours"


def _when(at: int | None) -> str:
    return "never asked for" if at is None else f"asked for at {at}"
