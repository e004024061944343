"""STEP: attempts until one succeeds, or the handler gives up. A retry's delay is the service's to keep."""

from __future__ import annotations

from typing import Final

from msgspec.structs import replace

from everstep.protocol.lifecycle import MOVES
from everstep.protocol.shapes import Operation, OperationStatus, OperationUpdate, StepDetails
from everstep.service.machine.change import Change
from everstep.service.machine.model import JsonObject, Record
from everstep.service.machine.rejection import invalid
from everstep.service.machine.wire import payload_of

_UNTRIED: Final = StepDetails(attempt=0)
_FIRST_ATTEMPT: Final[JsonObject] = {"RetryDetails": {"CurrentAttempt": 1}}
_ILLEGAL: Final = {
    "START": "Invalid current STEP state to start.",
    "SUCCEED": "Invalid current STEP state to close.",
    "FAIL": "Invalid current STEP state to close.",
    "RETRY": "Invalid current STEP state to re-attempt.",
}


def apply(change: Change, update: OperationUpdate, record: Record | None) -> None:
    """Record what a handler says about a step. Raises Rejected."""
    status = MOVES.get(("STEP", record.operation.status if record else None, update.action))
    if status is None:
        raise invalid(_ILLEGAL[update.action])
    if (update.step_options is not None) != (update.action == "RETRY"):
        raise invalid("Invalid StepOptions for the given action.")
    if update.action == "START":
        _start(change, update, record)
    elif update.action == "RETRY":
        _retry(change, update, record)
    else:
        _close(change, update, record, status)


def _start(change: Change, update: OperationUpdate, record: Record | None) -> None:
    if record is None:
        record = change.create(_new(change, update, "STARTED", _UNTRIED))
    else:
        record = change.move(record, replace(record.operation, status="STARTED"))
    change.emit("StepStarted", record.order)


def _retry(change: Change, update: OperationUpdate, record: Record | None) -> None:
    if update.payload is not None and update.error is not None:
        raise invalid("Cannot provide both error and payload to RETRY a STEP.")
    assert update.step_options is not None
    delay_s = update.step_options.next_attempt_delay_seconds
    due_at = change.stamp + delay_s * 1000
    attempt = _attempts(record) + 1
    details = StepDetails(attempt=attempt, next_attempt_timestamp=due_at, result=update.payload, error=update.error)
    if record is None:
        record = change.create(_new(change, update, "PENDING", details), due_at=due_at)
    else:
        change.use_operation()
        record = change.move(record, replace(record.operation, status="PENDING", step_details=details), due_at=due_at)
    # The next attempt replaces what this one leaves behind, so the event keeps it.
    outcome = {"Result": payload_of(update.payload)} if update.error is None else {"Error": payload_of(update.error)}
    change.emit(
        "StepSucceeded" if update.error is None else "StepFailed",
        record.order,
        {**outcome, "RetryDetails": {"CurrentAttempt": attempt, "NextAttemptDelaySeconds": delay_s}},
    )


def _close(change: Change, update: OperationUpdate, record: Record | None, status: OperationStatus) -> None:
    attempt = _attempts(record) + 1
    details = StepDetails(attempt=attempt, result=update.payload, error=update.error)
    if record is None:
        record = change.create(_new(change, update, status, details))
    else:
        record = change.move(record, replace(record.operation, status=status, end_timestamp=change.stamp, step_details=details))
    change.emit(
        "StepSucceeded" if status == "SUCCEEDED" else "StepFailed",
        record.order,
        _FIRST_ATTEMPT if attempt == 1 else {"RetryDetails": {"CurrentAttempt": attempt}},
    )


def ready(change: Change, record: Record) -> None:
    """Let the next attempt begin: its delay is over."""
    operation = record.operation
    details = operation.step_details or _UNTRIED
    change.move(record, replace(operation, status="READY", step_details=replace(details, next_attempt_timestamp=None)))
    change.wake()


def _attempts(record: Record | None) -> int:
    details = record.operation.step_details if record else None
    return (details.attempt or 0) if details else 0


def _new(change: Change, update: OperationUpdate, status: OperationStatus, details: StepDetails) -> Operation:
    return Operation(
        id=update.id,
        type="STEP",
        status=status,
        start_timestamp=change.stamp,
        end_timestamp=change.stamp if status in ("SUCCEEDED", "FAILED") else None,
        parent_id=update.parent_id,
        name=update.name,
        sub_type=update.sub_type,
        step_details=details,
    )
