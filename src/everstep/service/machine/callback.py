"""CALLBACK: completed from outside, by whoever holds its id, or by one of its two timeouts."""

from __future__ import annotations

from typing import Final

from msgspec.structs import replace

from everstep.protocol.lifecycle import MOVES
from everstep.protocol.limits import MAX_ERROR_BYTES, MAX_OPERATION_PAYLOAD
from everstep.protocol.shapes import CallbackDetails, ErrorObject, Operation, OperationUpdate
from everstep.service.machine.change import Change
from everstep.service.machine.model import OPEN, CallbackTimers, Outcome, Record, Transition
from everstep.service.machine.rejection import Rejected, callback_is_over, invalid
from everstep.service.machine.sizes import error_bytes, text_bytes
from everstep.service.machine.state import State
from everstep.service.machine.tokens import is_same, mint_callback_id, parse_callback_id

TIMED_OUT: Final = ErrorObject(error_type="Callback.Timeout", error_message="Callback timed out")
HEARTBEAT_MISSED: Final = ErrorObject(error_type="Callback.Heartbeat", error_message="Callback timed out on heartbeat")


def apply(change: Change, update: OperationUpdate, record: Record | None) -> None:
    """Start a callback; its id comes back with the operation. Raises Rejected."""
    if ("CALLBACK", record.operation.status if record else None, update.action) not in MOVES:
        raise invalid("Cannot start a CALLBACK that already exist.")
    invocation = change.execution.invocation
    assert invocation is not None, "only a running invocation sends updates"
    callback_id = mint_callback_id(change.execution.id, update.id, invocation.secret)
    timers = CallbackTimers()
    details: dict[str, object] = {"CallbackId": callback_id}
    if (options := update.callback_options) is not None:
        timeout_s, heartbeat_s = options.timeout_seconds or 0, options.heartbeat_timeout_seconds or 0
        timers = CallbackTimers(
            expires_at=change.stamp + timeout_s * 1000 if timeout_s else None,
            heartbeat_s=heartbeat_s or None,
            heartbeat_due_at=change.stamp + heartbeat_s * 1000 if heartbeat_s else None,
        )
        if timeout_s:
            details["Timeout"] = timeout_s
        if heartbeat_s:
            details["HeartbeatTimeout"] = heartbeat_s
    created = change.create(
        Operation(
            id=update.id,
            type="CALLBACK",
            status="STARTED",
            start_timestamp=change.stamp,
            parent_id=update.parent_id,
            name=update.name,
            sub_type=update.sub_type,
            callback_details=CallbackDetails(callback_id=callback_id),
        ),
        due_at=_deadline(timers),
        kept=timers,
    )
    change.emit("CallbackStarted", created.order, details)


def complete_callback(state: State, callback_id: str, outcome: Outcome, now: int) -> Transition:
    """Record what an outside party reports. outcome: SUCCEEDED or FAILED. Raises Rejected."""
    _check_size(outcome)
    record = _waiting(state, callback_id, now)
    change = Change(state, now)
    change.set_stamp(completes=record.order)
    if outcome.status == "SUCCEEDED":
        _end(change, record, outcome)
    else:
        _end(change, record, Outcome(status="FAILED", error=outcome.error or ErrorObject()))
    return change.finish()


def heartbeat_callback(state: State, callback_id: str, now: int) -> Transition:
    """Start the heartbeat timeout anew, if there is one. Raises Rejected."""
    record = _waiting(state, callback_id, now)
    timers = record.kept
    change = Change(state, now)
    if isinstance(timers, CallbackTimers) and timers.heartbeat_s:
        timers = replace(timers, heartbeat_due_at=change.stamp + timers.heartbeat_s * 1000)
        change.keep(record, due_at=_deadline(timers), kept=timers)
    return change.finish()


def timed_out(change: Change, record: Record) -> None:
    """End a callback that nobody completed in time; the earlier of its two timeouts says why."""
    timers = record.kept
    is_overall = isinstance(timers, CallbackTimers) and timers.expires_at == record.due_at
    _end(change, record, Outcome(status="TIMED_OUT", error=TIMED_OUT if is_overall else HEARTBEAT_MISSED))


def _end(change: Change, record: Record, outcome: Outcome) -> None:
    operation = record.operation
    details = replace(operation.callback_details or CallbackDetails(), result=outcome.result, error=outcome.error)
    change.count_bytes(text_bytes(outcome.result) + error_bytes(outcome.error))
    change.move(record, replace(operation, status=outcome.status, end_timestamp=change.stamp, callback_details=details))
    change.emit("CallbackTimedOut" if outcome.status == "TIMED_OUT" else f"Callback{outcome.status.capitalize()}", record.order)
    change.wake()


def _waiting(state: State, callback_id: str, now: int) -> Record:
    """The operation, if its callback can still be completed: also a timeout that no timer has noticed yet ends it."""
    owner = parse_callback_id(callback_id)
    record = state.records.get(owner.operation_id)
    if (
        record is None
        or record.operation.callback_details is None
        or not is_same(callback_id, record.operation.callback_details.callback_id or "")
        or record.operation.status != "STARTED"
        or (record.due_at is not None and record.due_at <= now)
        or state.execution.status not in OPEN
    ):
        raise callback_is_over()
    return record


def _deadline(timers: CallbackTimers) -> int | None:
    return min((at for at in (timers.expires_at, timers.heartbeat_due_at) if at is not None), default=None)


def _check_size(outcome: Outcome) -> None:
    if text_bytes(outcome.result) > MAX_OPERATION_PAYLOAD:
        raise Rejected(
            "ValidationException",
            "1 validation error detected: Value at 'result' failed to satisfy constraint: "
            f"Member must have length less than or equal to {MAX_OPERATION_PAYLOAD}",
        )
    if error_bytes(outcome.error) > MAX_ERROR_BYTES:
        raise invalid(f"Error object size must be less than or equal to {MAX_ERROR_BYTES} bytes.")
