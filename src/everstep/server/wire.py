"""What is answered, in the forms of the REST API.

Rule: pure. On this wire a timestamp is a number of seconds with a fraction, in our shapes it is milliseconds: it is
converted here and nowhere else. Absent members are left out, never null.

Source: Lambda API model 2015-03-31.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import cast

from msgspec import to_builtins
from msgspec.structs import replace

from everstep.protocol.shapes import ErrorObject, Operation
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


def summary(execution: Execution) -> dict[str, object]:
    """An execution in a listing."""
    members: dict[str, object] = {
        "DurableExecutionArn": execution.arn,
        "DurableExecutionName": execution.name,
        "FunctionArn": function_arn_of(execution),
        "Status": execution.status,
        "StartTimestamp": seconds(execution.started_at),
    }
    if execution.ended_at is not None:
        members["EndTimestamp"] = seconds(execution.ended_at)
    return members


def description(execution: Execution, *, with_data: bool) -> dict[str, object]:
    """An execution as GetDurableExecution shows it. One that is being deleted shows no data."""
    terms = execution.terms
    members = summary(execution) | {
        "Version": execution.version,
        "ExecutionDataIncluded": with_data,
        "DurableConfig": {"ExecutionTimeout": terms.timeout_s, "RetentionPeriodInDays": terms.retention_days},
    }
    if with_data and execution.status != "DELETING":
        if execution.input is not None:
            members["InputPayload"] = execution.input
        if execution.status == "SUCCEEDED" and execution.result is not None:
            members["Result"] = execution.result
        if execution.error is not None:
            members["Error"] = to_builtins(execution.error)
    if terms.trace_header is not None:
        members["TraceHeader"] = {"XAmznTraceId": terms.trace_header}
    if execution.status in OPEN and execution.times_out_at is not None:
        members["ExpectedExecutionTimeoutTimestamp"] = seconds(execution.times_out_at)
    if execution.status in ("PAUSING", "PAUSED") and execution.pause is not None:
        pause: dict[str, object] = {
            "PauseRequestTimestamp": seconds(execution.pause.requested_at),
            "ExecutionTimeoutPaused": execution.pause.stops_timeout,
        }
        if execution.pause.reason is not None:
            pause["Reason"] = execution.pause.reason
        members["PauseDetails"] = pause
    return members


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
