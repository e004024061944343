"""What is answered, in the forms of the REST API.

Rule: pure. On this wire a timestamp is a number of seconds with a fraction, in our shapes it is milliseconds: it is
converted here and nowhere else. Absent members are left out, never null.

Source: Lambda API model 2015-03-31.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import cast

from msgspec.structs import replace

from everstep.protocol.shapes import ErrorObject, Operation
from everstep.server.shapes import DurableConfig, ExecutionDescription, ExecutionSummary, PauseDetails, TraceHeader
from everstep.service.machine.model import OPEN, Execution, JsonObject


def seconds(milliseconds: int | float) -> float:
    return milliseconds / 1000


def operations_in_seconds(operations: Iterable[Operation]) -> list[Operation]:
    """The operations as they travel in REST bodies."""
    return [_in_seconds(operation) for operation in operations]


def _in_seconds(operation: Operation) -> Operation:
    step, wait = operation.step_details, operation.wait_details
    if step is not None and step.next_attempt_timestamp is not None:
        step = replace(step, next_attempt_timestamp=seconds(step.next_attempt_timestamp))
    if wait is not None and wait.scheduled_end_timestamp is not None:
        wait = replace(wait, scheduled_end_timestamp=seconds(wait.scheduled_end_timestamp))
    return replace(
        operation,
        start_timestamp=seconds(operation.start_timestamp),
        end_timestamp=None if operation.end_timestamp is None else seconds(operation.end_timestamp),
        step_details=step,
        wait_details=wait,
    )


def function_arn_of(execution: Execution) -> str:
    """The function's ARN, qualified with the version that is executed."""
    return execution.arn.partition("/durable-execution/")[0]


def summary(execution: Execution) -> ExecutionSummary:
    """An execution in a listing."""
    return ExecutionSummary(
        durable_execution_arn=execution.arn,
        durable_execution_name=execution.name,
        function_arn=function_arn_of(execution),
        status=execution.status,
        start_timestamp=seconds(execution.started_at),
        end_timestamp=_seconds_or_none(execution.ended_at),
    )


def description(execution: Execution, *, with_data: bool) -> ExecutionDescription:
    """An execution as GetDurableExecution shows it. One that is being deleted shows no data."""
    terms = execution.terms
    shows_data = with_data and execution.status != "DELETING"
    return ExecutionDescription(
        durable_execution_arn=execution.arn,
        durable_execution_name=execution.name,
        function_arn=function_arn_of(execution),
        status=execution.status,
        start_timestamp=seconds(execution.started_at),
        version=execution.version,
        execution_data_included=with_data,
        durable_config=DurableConfig(execution_timeout=terms.timeout_s, retention_period_in_days=terms.retention_days),
        end_timestamp=_seconds_or_none(execution.ended_at),
        input_payload=execution.input if shows_data else None,
        result=execution.result if shows_data and execution.status == "SUCCEEDED" else None,
        error=execution.error if shows_data else None,
        trace_header=None if terms.trace_header is None else TraceHeader(x_amzn_trace_id=terms.trace_header),
        expected_execution_timeout_timestamp=_seconds_or_none(execution.times_out_at) if execution.status in OPEN else None,
        pause_details=_pause_details(execution),
    )


def _seconds_or_none(milliseconds: int | None) -> float | None:
    return None if milliseconds is None else seconds(milliseconds)


def _pause_details(execution: Execution) -> PauseDetails | None:
    pause = execution.pause
    if pause is None or execution.status not in ("PAUSING", "PAUSED"):
        return None
    return PauseDetails(
        pause_request_timestamp=seconds(pause.requested_at), execution_timeout_paused=pause.stops_timeout, reason=pause.reason
    )


def function_error(error: ErrorObject | None) -> dict[str, object]:
    """An error as a function's caller sees it."""
    error = error or ErrorObject()
    members: dict[str, object] = {"errorMessage": error.error_message, "errorType": error.error_type}
    members |= {"errorData": error.error_data, "stackTrace": error.stack_trace}
    return {name: value for name, value in members.items() if value is not None}


def read_function_error(members: JsonObject) -> ErrorObject:
    """The error that a function or its runtime reported. Members that are not what they should be are left out."""
    lines = members.get("stackTrace", members.get("trace"))

    def text(name: str) -> str | None:
        value = members.get(name)
        return value if isinstance(value, str) else None

    return ErrorObject(
        error_message=text("errorMessage"),
        error_type=text("errorType"),
        error_data=text("errorData"),
        stack_trace=[str(line) for line in cast("list[object]", lines)] if isinstance(lines, list) and lines else None,
    )
