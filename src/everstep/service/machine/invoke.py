"""CHAINED_INVOKE: another function's outcome, called by the service on the handler's behalf.

Rule: an outcome that arrives while the handler's invocation runs is kept aside and recorded with its next checkpoint or
at its end, whichever comes first; so the event of an outcome that starts the next invocation follows the end of the
last one, however fast the target was.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Final, TypeAlias

from msgspec.structs import replace

from everstep.protocol.lifecycle import MOVES
from everstep.protocol.limits import MAX_OPERATION_PAYLOAD, TENANT_PATTERN
from everstep.protocol.shapes import ChainedInvokeDetails, ChainedInvokeOptions, ErrorObject, Operation, OperationUpdate
from everstep.service.machine.change import Change
from everstep.service.machine.model import (
    CallFunction,
    ChainedCall,
    DurableTarget,
    Effect,
    NewExecution,
    Outcome,
    ParentLink,
    PlainTarget,
    Record,
    StartChild,
    Target,
    Terms,
    Transition,
)
from everstep.service.machine.rejection import invalid
from everstep.service.machine.sizes import error_bytes, text_bytes
from everstep.service.machine.state import State

Resolve: TypeAlias = Callable[[ChainedInvokeOptions], Target | ErrorObject]
"""Which function is meant; an ErrorObject fails the operation at once. Raises Rejected to refuse the whole checkpoint."""

EMPTY_EVENT: Final = "{}"
"""What a plain function is sent if the handler gave no payload. Precedent: the official emulator."""


def apply(change: Change, update: OperationUpdate, record: Record | None, resolve: Resolve) -> None:
    """Start a chained invoke, or fail it at once if there is nothing to invoke. Raises Rejected."""
    if ("CHAINED_INVOKE", record.operation.status if record else None, update.action) not in MOVES:
        raise invalid("Cannot start a CHAINED_INVOKE that already exist.")
    options = update.chained_invoke_options
    if options is None:
        raise invalid("Update for CHAINED_INVOKE operation requires ChainedInvokeOptions.")
    if options.tenant_id is not None and not TENANT_PATTERN.fullmatch(options.tenant_id):
        raise invalid("TenantId must be 1 to 256 characters matching [a-zA-Z0-9._:/=+-@ ].")
    target = resolve(options)
    started: dict[str, object] = {"FunctionName": options.function_name}
    if options.tenant_id is not None:
        started["TenantId"] = options.tenant_id
    if isinstance(target, ErrorObject):
        refused = change.create(_new(change, update, target))
        change.emit("ChainedInvokeStarted", refused.order, started)
        change.emit("ChainedInvokeFailed", refused.order)
        return
    call = ChainedCall(
        function_name=options.function_name,
        target=target,
        input=update.payload,
        tenant_id=options.tenant_id,
        trace_header=options.x_amzn_trace_id or change.execution.terms.trace_header,
    )
    gives_up_at = change.stamp + target.timeout_s * 1000 if isinstance(target, PlainTarget) and target.timeout_s else None
    created = change.create(_new(change, update, None), due_at=gives_up_at, kept=call)
    change.calls += 1
    started["ExecutedVersion"] = target.version
    if isinstance(target, DurableTarget):
        started["DurableExecutionArn"] = target.arn
    change.emit("ChainedInvokeStarted", created.order, started)
    change.effects.append(dispatch(change.execution.id, update.id, call))


def _new(change: Change, update: OperationUpdate, error: ErrorObject | None) -> Operation:
    return Operation(
        id=update.id,
        type="CHAINED_INVOKE",
        status="FAILED" if error is not None else "STARTED",
        start_timestamp=change.stamp,
        end_timestamp=change.stamp if error is not None else None,
        parent_id=update.parent_id,
        name=update.name,
        sub_type=update.sub_type,
        chained_invoke_details=ChainedInvokeDetails(error=error),
    )


def dispatch(execution_id: str, operation_id: str, call: ChainedCall) -> Effect:
    """What sets the target going."""
    parent = ParentLink(execution_id=execution_id, operation_id=operation_id)
    target = call.target
    if isinstance(target, PlainTarget):
        return CallFunction(
            parent=parent,
            target=target,
            payload=EMPTY_EVENT if call.input is None else call.input,
            tenant_id=call.tenant_id,
            trace_header=call.trace_header,
        )
    return StartChild(
        start=NewExecution(
            id=target.id,
            arn=target.arn,
            name=target.name,
            function=target.function,
            version=target.version,
            input=call.input,
            terms=Terms(
                timeout_s=target.timeout_s,
                retention_days=target.retention_days,
                parent=parent,
                tenant_id=call.tenant_id,
                trace_header=call.trace_header,
                invoked_as=target.invoked_as,
            ),
        )
    )


def complete_chained_invoke(state: State, operation_id: str, outcome: Outcome, now: int) -> Transition:
    """Record how the target ended. Nothing happens if nobody waits for it any more."""
    change = Change(state, now)
    record = state.records.get(operation_id)
    if record is None or not isinstance(record.kept, ChainedCall) or record.operation.status != "STARTED" or not change.is_open:
        return change.finish()
    if change.execution.invocation is None:
        change.set_stamp(completes=record.order)
        _end(change, record, record.kept, outcome)
    elif record.kept.arrived is None:
        change.keep(record, due_at=now, kept=replace(record.kept, arrived=outcome))
    return change.finish()


def due(change: Change, record: Record) -> None:
    """Record an outcome that was kept aside, or give up a call that took too long."""
    call = record.kept
    assert isinstance(call, ChainedCall)
    _end(change, record, call, call.arrived or _given_up(call))


def _given_up(call: ChainedCall) -> Outcome:
    return Outcome(status="TIMED_OUT", error=timeout_error(call.target.timeout_s or 0))


def timeout_error(seconds: int) -> ErrorObject:
    return ErrorObject(error_type="ChainedInvoke.Timeout", error_message=f"CHAINED_INVOKE timed out after {seconds} seconds.")


def _end(change: Change, record: Record, call: ChainedCall, outcome: Outcome) -> None:
    if text_bytes(outcome.result) > MAX_OPERATION_PAYLOAD:
        message = f"CHAINED_INVOKE output payload size must be less than or equal to {MAX_OPERATION_PAYLOAD} bytes."
        outcome = Outcome(status="FAILED", error=ErrorObject(error_message=message))
    change.count_bytes(text_bytes(outcome.result) + error_bytes(outcome.error))
    change.move(
        record,
        replace(
            record.operation,
            status=outcome.status,
            end_timestamp=change.stamp,
            chained_invoke_details=ChainedInvokeDetails(result=outcome.result, error=outcome.error),
        ),
        kept=replace(call, arrived=None) if call.arrived else call,
    )
    change.emit("ChainedInvokeTimedOut" if outcome.status == "TIMED_OUT" else f"ChainedInvoke{outcome.status.capitalize()}", record.order)
    change.calls -= 1
    change.wake()
