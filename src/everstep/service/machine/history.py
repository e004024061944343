"""The history as it is read: events joined with what operations and execution hold.

Rule: a payload is stored once. What stays with an operation or the execution (its outcome, its input) is not repeated in
the event about it; what is replaced later (the outcome of an attempt that was not the last) is in the event's details.

Source: API model, Event; the sequences and members that the conformance requirements assert.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Final

from everstep.protocol.shapes import ErrorObject
from everstep.service.machine.model import ChainedCall, Event, Execution, Record
from everstep.service.machine.wire import payload_of

_WRAPPERS: Final = ("Input", "Result", "Error", "Reason")
_RESULT_OF: Final = frozenset({"StepSucceeded", "ContextSucceeded", "CallbackSucceeded", "ChainedInvokeSucceeded"})
# fmt: off
_ERROR_OF: Final = frozenset({
    "StepFailed", "ContextFailed", "CallbackFailed", "CallbackTimedOut",
    "ChainedInvokeFailed", "ChainedInvokeTimedOut", "ChainedInvokeStopped",
})
_ERROR_OF_EXECUTION: Final = frozenset({"ExecutionFailed", "ExecutionTimedOut", "ExecutionStopped"})
# fmt: on


def _as_stored(timestamp_ms: int) -> int | float:
    return timestamp_ms


def render_event(
    event: Event,
    execution: Execution,
    record: Record | None,
    *,
    with_data: bool = True,
    timestamp: Callable[[int], int | float] = _as_stored,
) -> dict[str, object]:
    """The event as `GetDurableExecutionHistory` returns it.

    record: of the event's order, None if it has none. with_data: False leaves every payload out and says so.
    timestamp: from milliseconds to the form that the edge speaks.
    """
    rendered: dict[str, object] = {
        "EventType": event.type,
        "EventId": event.event_id,
        "EventTimestamp": timestamp(event.timestamp),
    }
    if record is not None:
        operation = record.operation
        rendered["Id"] = operation.id
        if operation.name is not None:
            rendered["Name"] = operation.name
        if operation.sub_type is not None:
            rendered["SubType"] = operation.sub_type
        if operation.parent_id is not None:
            rendered["ParentId"] = operation.parent_id
    details = dict(event.details)
    _join(details, event, execution, record)
    for member in _WRAPPERS:
        wrapper = details.get(member)
        if isinstance(wrapper, Mapping):
            details[member] = {**wrapper, "Truncated": False} if with_data else {"Truncated": True}
    for member, value in details.items():
        if member.endswith("Timestamp") and isinstance(value, int):
            details[member] = timestamp(value)
    rendered[f"{event.type}Details"] = details
    return rendered


def _join(details: dict[str, object], event: Event, execution: Execution, record: Record | None) -> None:
    """Add the payloads that are kept elsewhere, each in its wrapper."""
    kind = event.type
    if kind == "ExecutionStarted":
        details["Input"] = payload_of(execution.input)
    elif kind == "ExecutionSucceeded":
        details["Result"] = payload_of(execution.result)
    elif kind in _ERROR_OF_EXECUTION:
        details["Error"] = payload_of(execution.error)
    elif kind == "InvocationCompleted":
        if details.get("Error") == {}:
            details["Error"] = payload_of(execution.error)
    elif record is None:
        pass
    elif kind in _RESULT_OF:
        details.setdefault("Result", payload_of(_outcome(record)[0]))
    elif kind in _ERROR_OF:
        details.setdefault("Error", payload_of(_outcome(record)[1]))
    elif kind == "ChainedInvokeStarted" and isinstance(record.kept, ChainedCall) and record.kept.input is not None:
        details["Input"] = payload_of(record.kept.input)


def _outcome(record: Record) -> tuple[str | None, ErrorObject | None]:
    operation = record.operation
    details = operation.step_details or operation.context_details or operation.callback_details or operation.chained_invoke_details
    return (details.result, details.error) if details is not None else (None, None)
