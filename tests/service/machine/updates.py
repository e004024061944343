"""Updates, as a handler's SDK sends them."""

from __future__ import annotations

from tests.service.machine.world import BOOM

from everstep.protocol.shapes import (
    CallbackOptions,
    ChainedInvokeOptions,
    ContextOptions,
    ErrorObject,
    OperationAction,
    OperationUpdate,
    StepOptions,
    WaitOptions,
)


def step(
    action: OperationAction = "START",
    operation_id: str = "s",
    *,
    payload: str | None = None,
    error: ErrorObject | None = None,
    delay_s: int | None = None,
    parent_id: str | None = None,
    name: str | None = None,
    sub_type: str | None = None,
) -> OperationUpdate:
    return OperationUpdate(
        id=operation_id,
        type="STEP",
        action=action,
        payload=payload,
        error=error,
        step_options=None if delay_s is None else StepOptions(next_attempt_delay_seconds=delay_s),
        parent_id=parent_id,
        name=name,
        sub_type=sub_type,
    )


def wait(operation_id: str = "w", seconds: int = 60, *, parent_id: str | None = None) -> OperationUpdate:
    options = WaitOptions(wait_seconds=seconds)
    return OperationUpdate(id=operation_id, type="WAIT", action="START", wait_options=options, parent_id=parent_id)


def cancel_wait(operation_id: str = "w") -> OperationUpdate:
    return OperationUpdate(id=operation_id, type="WAIT", action="CANCEL")


def callback(
    operation_id: str = "cb", *, timeout_s: int | None = None, heartbeat_s: int | None = None, parent_id: str | None = None
) -> OperationUpdate:
    options = CallbackOptions(timeout_seconds=timeout_s, heartbeat_timeout_seconds=heartbeat_s)
    has_options = timeout_s is not None or heartbeat_s is not None
    return OperationUpdate(
        id=operation_id, type="CALLBACK", action="START", callback_options=options if has_options else None, parent_id=parent_id
    )


def invoke(
    function: str = "plain", operation_id: str = "i", *, payload: str | None = '"in"', tenant_id: str | None = None
) -> OperationUpdate:
    return OperationUpdate(
        id=operation_id,
        type="CHAINED_INVOKE",
        action="START",
        payload=payload,
        chained_invoke_options=ChainedInvokeOptions(function_name=function, tenant_id=tenant_id),
    )


def context(operation_id: str = "c", *, parent_id: str | None = None, sub_type: str | None = None) -> OperationUpdate:
    return OperationUpdate(id=operation_id, type="CONTEXT", action="START", parent_id=parent_id, sub_type=sub_type)


def context_succeeded(operation_id: str = "c", payload: str | None = '"ok"', *, replay_children: bool | None = None) -> OperationUpdate:
    options = None if replay_children is None else ContextOptions(replay_children=replay_children)
    return OperationUpdate(id=operation_id, type="CONTEXT", action="SUCCEED", payload=payload, context_options=options)


def context_failed(operation_id: str = "c", error: ErrorObject = BOOM) -> OperationUpdate:
    return OperationUpdate(id=operation_id, type="CONTEXT", action="FAIL", error=error)


def finished(payload: str | None = '"big"') -> OperationUpdate:
    return OperationUpdate(id="execution-result-1", type="EXECUTION", action="SUCCEED", payload=payload)
