"""EXECUTION: how an execution starts, and the five ways in which it closes. The first closing counts, later ones do nothing."""

from __future__ import annotations

from typing import Final, Literal

from msgspec.structs import replace

from everstep.protocol.limits import MAX_ERROR_BYTES
from everstep.protocol.shapes import ErrorObject, ExecutionDetails, Operation, OperationStatus, OperationUpdate
from everstep.service.machine.change import DAY_MS, Change
from everstep.service.machine.invoke import timeout_error
from everstep.service.machine.model import (
    DeleteExecution,
    Event,
    Execution,
    ExecutionEnded,
    InvokeHandler,
    NewExecution,
    NotifyParent,
    Outcome,
    Record,
    Transition,
)
from everstep.service.machine.rejection import Rejected, conflict, invalid
from everstep.service.machine.sizes import error_bytes, text_bytes
from everstep.service.machine.state import State

MAX_LIFETIME_MS: Final = 366 * DAY_MS
"""No execution takes longer, however long it is paused. Source: API model, PauseDurableExecution."""


def start_execution(new: NewExecution, now: int) -> Transition:
    """A new execution that owes its first invocation. Its state is `State(transition.execution, transition.records)`."""
    record = Record(
        operation=Operation(
            id=new.id,
            type="EXECUTION",
            status="STARTED",
            start_timestamp=now,
            name=new.name,
            execution_details=ExecutionDetails(input_payload=new.input),
        ),
        order=0,
        revision=1,
    )
    execution = Execution(
        id=new.id,
        arn=new.arn,
        name=new.name,
        function=new.function,
        version=new.version,
        status="RUNNING",
        revision=1,
        started_at=now,
        terms=new.terms,
        due_at=now,
        input=new.input,
        times_out_at=now + new.terms.timeout_s * 1000,
        written_bytes=text_bytes(new.input),
        clock_ms=now,
        invoke_at=now,
    )
    started = Event(event_id=1, type="ExecutionStarted", timestamp=now, order=0, details={"ExecutionTimeout": new.terms.timeout_s})
    return Transition(execution=execution, records=(record,), events=(started,), effects=(InvokeHandler(execution_id=new.id),))


def already_started(existing: Execution, new: NewExecution) -> Execution:
    """The execution that a start with a taken name means. Raises Rejected if it is not the same start."""
    if existing.status == "DELETING" or existing.input != new.input or existing.version != new.version:
        raise Rejected("DurableExecutionAlreadyStartedException", f"Execution already started: {existing.arn}")
    return existing


def apply(change: Change, update: OperationUpdate) -> None:
    """Close the execution with what the handler says in a checkpoint. Raises Rejected."""
    limit = change.execution.terms.result_limit
    if text_bytes(update.payload) > limit:
        raise invalid(too_large(limit))
    if update.action == "SUCCEED":
        succeed(change, update.payload)
    else:
        fail(change, update.error)


def too_large(limit: int) -> str:
    return f"Execution output payload size must be less than or equal to {limit} bytes."


def succeed(change: Change, result: str | None) -> None:
    _close(change, "SUCCEEDED", "ExecutionSucceeded", result, None)


def fail(change: Change, error: ErrorObject | None) -> None:
    _close(change, "FAILED", "ExecutionFailed", None, error)


def time_out(change: Change) -> None:
    seconds = change.execution.terms.timeout_s
    _close(change, "TIMED_OUT", "ExecutionTimedOut", None, ErrorObject(error_message=f"Execution timed out after {seconds} seconds."))


def stop_execution(state: State, error: ErrorObject | None, now: int) -> Transition:
    """Close the execution at once; the transition's `execution.ended_at` says since when it is closed. Raises Rejected."""
    if error_bytes(error) > MAX_ERROR_BYTES:
        raise invalid(f"Error object size must be less than or equal to {MAX_ERROR_BYTES} bytes.")
    change = Change(state, now)
    if change.is_open:
        _close(change, "STOPPED", "ExecutionStopped", None, error or ErrorObject())
    return change.finish()


def _close(
    change: Change,
    status: Literal["SUCCEEDED", "FAILED", "TIMED_OUT", "STOPPED"],
    event: str,
    result: str | None,
    error: ErrorObject | None,
) -> None:
    record = change.state.at(0)
    change.move(record, replace(record.operation, status=status, end_timestamp=change.stamp))
    change.emit(event, 0)
    parent = change.execution.terms.parent
    change.execution = replace(
        change.execution,
        status=status,
        ended_at=change.stamp,
        result=result,
        error=error,
        times_out_at=None,
        invoke_at=None,
        owes_parent=parent is not None,
    )
    change.effects.append(ExecutionEnded(execution_id=change.execution.id))
    notify_parent(change)


def notify_parent(change: Change) -> None:
    """See to it that a waiting parent hears of the end."""
    execution = change.execution
    if execution.owes_parent and execution.terms.parent is not None:
        ended = change.record(execution.id)
        assert ended is not None
        outcome = outcome_for_parent(execution, ended.operation.status)
        change.effects.append(NotifyParent(child_id=execution.id, parent=execution.terms.parent, outcome=outcome))


def outcome_for_parent(execution: Execution, status: OperationStatus) -> Outcome:
    """How a closed child looks to the chained invoke that started it. status: of its EXECUTION operation, for it may be DELETING."""
    match status:
        case "SUCCEEDED":
            return Outcome(status="SUCCEEDED", result=execution.result)
        case "TIMED_OUT":
            return Outcome(status="TIMED_OUT", error=timeout_error(execution.terms.timeout_s))
        case "STOPPED":
            return Outcome(status="STOPPED", error=execution.error)
        case _:
            return Outcome(status="FAILED", error=execution.error)


def parent_notified(state: State, now: int) -> Transition:
    """The parent has taken the outcome, or is not there any more."""
    change = Change(state, now)
    if change.execution.owes_parent:
        change.execution = replace(change.execution, owes_parent=False)
    return change.finish()


def delete_execution(state: State, now: int) -> Transition:
    """Give up a closed execution. Raises Rejected."""
    change = Change(state, now)
    if change.is_open:
        raise conflict("The durable execution is still open: stop it before deleting it.")
    notify_parent(change)
    begin_deletion(change)
    return change.finish()


def begin_deletion(change: Change) -> None:
    """Mark the execution as going away. Its name stays taken until the store has removed it."""
    if change.execution.status != "DELETING":
        change.execution = replace(change.execution, status="DELETING", deletion_requested_at=change.stamp)
    change.effects.append(DeleteExecution(execution_id=change.execution.id))
