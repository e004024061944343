"""Executions as users of an embedded service see them."""

from __future__ import annotations

from datetime import UTC, datetime

from msgspec import Struct

from everstep.protocol.shapes import ErrorObject, ExecutionStatus
from everstep.service.machine.model import Execution


class ExecutionDescription(Struct, frozen=True, kw_only=True):
    """What is known of an execution. Times are aware, UTC; payloads are JSON text.

    ended_at: None while it is open. times_out_at: when it will, None once it has ended. input, result: None in listings.
    """

    arn: str
    name: str
    function: str
    version: str
    status: ExecutionStatus
    started_at: datetime
    ended_at: datetime | None = None
    times_out_at: datetime | None = None
    input: str | None = None
    result: str | None = None
    error: ErrorObject | None = None


def described(execution: Execution) -> ExecutionDescription:
    return ExecutionDescription(
        arn=execution.arn,
        name=execution.name,
        function=execution.function,
        version=execution.version,
        status=execution.status,
        started_at=moment(execution.started_at),
        ended_at=None if execution.ended_at is None else moment(execution.ended_at),
        times_out_at=None if execution.times_out_at is None else moment(execution.times_out_at),
        input=execution.input,
        result=execution.result,
        error=execution.error,
    )


def moment(milliseconds: int) -> datetime:
    return datetime.fromtimestamp(milliseconds / 1000, UTC)


def milliseconds(moment: datetime) -> int:
    return round(moment.timestamp() * 1000)
