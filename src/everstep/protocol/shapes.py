"""The values that travel between handler and service, with the wire's names.

Rule: a shape is immutable, and its JSON is derived from its fields. Field names are the wire's in snake case
(`parent_id` travels as `ParentId`); unknown fields are ignored, absent ones are None. Timestamps are integers:
milliseconds since the epoch, UTC, as the invocation input carries them. Edges that speak another form (REST has
seconds with a fraction, boto3 has datetimes) convert when they read or write.

Source: AWS Lambda API model 2015-03-31, durable execution shapes.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Literal, TypeAlias, get_args

from msgspec import Struct, field

OperationType: TypeAlias = Literal["EXECUTION", "CONTEXT", "STEP", "WAIT", "CALLBACK", "CHAINED_INVOKE"]
OperationAction: TypeAlias = Literal["START", "SUCCEED", "FAIL", "RETRY", "CANCEL"]
OperationStatus: TypeAlias = Literal["STARTED", "PENDING", "READY", "SUCCEEDED", "FAILED", "CANCELLED", "TIMED_OUT", "STOPPED"]
ExecutionStatus: TypeAlias = Literal["RUNNING", "SUCCEEDED", "FAILED", "TIMED_OUT", "STOPPED", "DELETING", "PAUSING", "PAUSED"]
InvocationStatus: TypeAlias = Literal["SUCCEEDED", "FAILED", "PENDING"]

TERMINAL: frozenset[str] = frozenset({"SUCCEEDED", "FAILED", "CANCELLED", "TIMED_OUT", "STOPPED"})
"""Operation and execution statuses after which nothing changes any more (an execution may still be DELETING)."""

OPERATION_TYPES: tuple[str, ...] = get_args(OperationType)


class Shape(Struct, frozen=True, kw_only=True, rename="pascal", omit_defaults=True, gc=False):
    """Base of everything on the wire: PascalCase names, absent members left out."""


class ErrorObject(Shape, frozen=True):
    """A failure as it is recorded. Every member may be absent; an empty object is not the same as no error."""

    error_message: str | None = None
    error_type: str | None = None
    error_data: str | None = None
    stack_trace: Sequence[str] | None = None


class ExecutionDetails(Shape, frozen=True):
    input_payload: str | None = None


class ContextDetails(Shape, frozen=True):
    replay_children: bool | None = None
    result: str | None = None
    error: ErrorObject | None = None


class StepDetails(Shape, frozen=True):
    """attempt: how many attempts have finished (0 while the first runs). next_attempt_timestamp: while PENDING."""

    attempt: int | None = None
    next_attempt_timestamp: int | float | None = None
    result: str | None = None
    error: ErrorObject | None = None


class WaitDetails(Shape, frozen=True):
    scheduled_end_timestamp: int | float | None = None


class CallbackDetails(Shape, frozen=True):
    callback_id: str | None = None
    result: str | None = None
    error: ErrorObject | None = None


class ChainedInvokeDetails(Shape, frozen=True):
    result: str | None = None
    error: ErrorObject | None = None


class Operation(Shape, frozen=True):
    """One recorded operation, in its current state. Exactly one details member is set, the one of its type."""

    id: str
    type: OperationType
    status: OperationStatus
    start_timestamp: int | float = 0
    end_timestamp: int | float | None = None
    parent_id: str | None = None
    name: str | None = None
    sub_type: str | None = None
    execution_details: ExecutionDetails | None = None
    context_details: ContextDetails | None = None
    step_details: StepDetails | None = None
    wait_details: WaitDetails | None = None
    callback_details: CallbackDetails | None = None
    chained_invoke_details: ChainedInvokeDetails | None = None


class ContextOptions(Shape, frozen=True):
    replay_children: bool | None = None


class StepOptions(Shape, frozen=True):
    next_attempt_delay_seconds: int


class WaitOptions(Shape, frozen=True):
    wait_seconds: int


class CallbackOptions(Shape, frozen=True):
    """Seconds; 0 or absent: no timeout."""

    timeout_seconds: int | None = None
    heartbeat_timeout_seconds: int | None = None


class ChainedInvokeOptions(Shape, frozen=True):
    function_name: str
    tenant_id: str | None = None
    x_amzn_trace_id: str | None = field(default=None, name="XAmznTraceId")


class OperationUpdate(Shape, frozen=True):
    """One change that the handler asks the service to record."""

    id: str
    type: OperationType
    action: OperationAction
    parent_id: str | None = None
    name: str | None = None
    sub_type: str | None = None
    payload: str | None = None
    error: ErrorObject | None = None
    context_options: ContextOptions | None = None
    step_options: StepOptions | None = None
    wait_options: WaitOptions | None = None
    callback_options: CallbackOptions | None = None
    chained_invoke_options: ChainedInvokeOptions | None = None


class ExecutionState(Shape, frozen=True):
    """A page of operations in the order in which they began. next_marker: "" or absent on the last page."""

    operations: Sequence[Operation] = ()
    next_marker: str | None = None


class InvocationInput(Shape, frozen=True):
    """What the service sends to the handler's function for one invocation."""

    durable_execution_arn: str
    checkpoint_token: str
    initial_execution_state: ExecutionState
    updated_operation_ids: Sequence[str] | None = None


class InvocationOutput(Shape, frozen=True):
    """What the handler's function answers. A PENDING answer has neither result nor error."""

    status: InvocationStatus
    result: str | None = None
    error: ErrorObject | None = None
