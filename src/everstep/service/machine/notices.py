"""What webhooks are owed when an execution begins or closes: events in the form of EventBridge's, as AWS sends them for Lambda.

Rule: an event says who, when and how; never what. Input, result and error stay where they are.
Source: Lambda developer guide, monitoring durable functions.
"""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from datetime import UTC, datetime
from typing import Final, Literal, TypeAlias

import msgspec
from msgspec import Struct

from everstep.protocol.shapes import ExecutionStatus
from everstep.service.machine.model import Execution, Notice

Told: TypeAlias = Literal["RUNNING", "SUCCEEDED", "FAILED", "TIMED_OUT", "STOPPED"]
"""The statuses that there are events for: pauses and removal have none."""


class Watch(Struct, frozen=True):
    """Which events a webhook is for. None: all of them."""

    webhook: str
    functions: frozenset[str] | None = None
    statuses: frozenset[Told] | None = None


NO_NOTICES: Final[tuple[Notice, ...]] = ()


def notices(watches: Sequence[Watch], before: Execution | None, after: Execution) -> tuple[Notice, ...]:
    """What is owed for the change. before: None if the execution is new."""
    if not watches or not (before is None or (before.ended_at is None and after.ended_at is not None)):
        return NO_NOTICES
    webhooks = [watch.webhook for watch in watches if _wants(watch, after)]
    if not webhooks:
        return NO_NOTICES
    at = after.started_at if after.ended_at is None else after.ended_at
    identity, body = _event(after, at)
    return tuple(Notice(webhook, identity, body, at) for webhook in webhooks)


def _wants(watch: Watch, execution: Execution) -> bool:
    return (watch.functions is None or execution.function in watch.functions) and (
        watch.statuses is None or execution.status in watch.statuses
    )


def _event(execution: Execution, at: int) -> tuple[str, str]:
    identity = _identity(execution.id, execution.status)
    function_arn = execution.arn.partition("/durable-execution/")[0]
    _, _, _, region, account, *_ = function_arn.split(":")
    detail = {
        "durableExecutionArn": execution.arn,
        "durableExecutionName": execution.name,
        "functionArn": function_arn,
        "status": execution.status,
        "startTimestamp": _instant(execution.started_at),
    }
    if execution.ended_at is not None:
        detail["endTimestamp"] = _instant(execution.ended_at)
    event: dict[str, object] = {
        "version": "0",
        "id": identity,
        "detail-type": "Durable Execution Status Change",
        "source": "aws.lambda",
        "account": account,
        "time": _second(at),
        "region": region,
        "resources": [],
        "detail": detail,
    }
    return identity, msgspec.json.encode(event).decode()


def _identity(execution_id: str, status: ExecutionStatus) -> str:
    """In the form of a UUID. An execution has each of these statuses once."""
    digits = hashlib.sha256(f"{execution_id} {status}".encode()).hexdigest()
    return "-".join((digits[:8], digits[8:12], digits[12:16], digits[16:20], digits[20:32]))


def _second(at: int) -> str:
    return f"{datetime.fromtimestamp(at // 1000, UTC):%Y-%m-%dT%H:%M:%S}Z"


def _instant(at: int) -> str:
    return f"{_second(at)[:-1]}.{at % 1000:03}Z"
