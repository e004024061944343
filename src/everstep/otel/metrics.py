"""Counters and histograms of executions.

Rule: attributes are few and of few values (function, status, type), never ids or names that users make up per execution.
"""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime
from typing import Final

from opentelemetry import metrics
from opentelemetry.metrics import Histogram
from opentelemetry.util.types import AttributeValue

from everstep.otel.spans import SCOPE
from everstep.plugins.api import (
    AttemptEndInfo,
    CheckpointInfo,
    InvocationEndInfo,
    InvocationStartInfo,
    OperationIdentity,
    OperationInfo,
)
from everstep.protocol.shapes import TERMINAL

_SECONDS: Final = (0.001, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 30, 60, 300, 900, 3600, 86_400, 604_800)
_BYTES: Final = (256, 1024, 4096, 16_384, 65_536, 262_144, 786_432)
_CAUSES: Final = {"WAIT": "timer", "STEP": "retry", "CALLBACK": "callback", "CHAINED_INVOKE": "invoke"}
"""What an invocation goes on for, by what the service has moved on."""

Said = Mapping[str, AttributeValue]


class Instruments:
    """What is measured, on the meter of one provider."""

    def __init__(self, provider: metrics.MeterProvider | None) -> None:
        from everstep import __version__

        meter = metrics.get_meter(SCOPE, __version__, provider)

        def seconds(name: str, description: str) -> Histogram:
            return meter.create_histogram(name, "s", description, explicit_bucket_boundaries_advisory=_SECONDS)

        self._executions = meter.create_counter("durable.executions", "{execution}", "Executions that ended by their handler")
        self._execution_time = seconds("durable.execution.duration", "From an execution's start to its end")
        self._invocations = meter.create_counter("durable.invocations", "{invocation}", "Invocations that ended")
        self._invocation_time = seconds("durable.invocation.duration", "Time in an invocation")
        self._continued = meter.create_counter(
            "durable.invocations.continued", "{invocation}", "Invocations continued in memory, without replay"
        )
        self._replayed = meter.create_counter("durable.operations.replayed", "{operation}", "Ended operations that replays came past again")
        self._operations = meter.create_counter("durable.operations", "{operation}", "Operations that ended")
        self._operation_time = seconds("durable.operation.duration", "From an operation's start to its end")
        self._attempts = meter.create_counter("durable.attempts", "{attempt}", "Attempts that ended")
        self._attempt_time = seconds("durable.attempt.duration", "Time in a body")
        self._delay = seconds("durable.queue.delay", "From when an execution could begin or go on to when it did")
        self._checkpoint_time = seconds("durable.checkpoint.duration", "Time in calls that record")
        self._checkpoint_size = meter.create_histogram(
            "durable.checkpoint.size", "By", "Updates per call, as JSON", explicit_bucket_boundaries_advisory=_BYTES
        )
        self._updates = meter.create_counter("durable.checkpoint.updates", "{update}", "Updates sent")

    def invocation_started(self, info: InvocationStartInfo) -> None:
        said = _function(info)
        if info.is_continued:
            self._continued.add(1, said)
        if info.replayed_operations:
            self._replayed.add(info.replayed_operations, said)
        due = _due(info)
        if due is not None:
            since, cause = due
            self._delay.record(max(0.0, (info.start_time - since).total_seconds()), {**said, "durable.cause": cause})

    def invocation_ended(self, info: InvocationEndInfo) -> None:
        said = {**_function(info), "durable.invocation.status": info.status}
        self._invocations.add(1, said)
        self._invocation_time.record((info.end_time - info.start_time).total_seconds(), said)
        if info.status in ("SUCCEEDED", "FAILED"):
            said = {**_function(info), "durable.execution.status": info.status}
            self._executions.add(1, said)
            self._execution_time.record((info.end_time - info.execution_start_time).total_seconds(), said)

    def operation_ended(self, info: OperationInfo) -> None:
        said = {**_type(info), "durable.operation.status": info.status}
        self._operations.add(1, said)
        if info.end_time is not None:
            self._operation_time.record((info.end_time - info.start_time).total_seconds(), said)

    def attempt_ended(self, info: AttemptEndInfo) -> None:
        said = {**_type(info), "durable.attempt.outcome": info.outcome}
        self._attempts.add(1, said)
        self._attempt_time.record((info.end_time - info.start_time).total_seconds(), said)

    def checkpointed(self, info: CheckpointInfo) -> None:
        said: Said = {} if info.error is None else {"error.type": info.error.error_type or "Error"}
        self._checkpoint_time.record(info.duration_s, said)
        self._checkpoint_size.record(info.size_bytes, said)
        self._updates.add(info.updates, said)


def _due(info: InvocationStartInfo) -> tuple[datetime, str] | None:
    """Since when the execution could have gone on, and why; None if that can't be told."""
    if info.is_first_invocation:
        return info.execution_start_time, "start"
    moved = [
        (since, _CAUSES[one.operation_type])
        for one in info.updated_operations.values()
        if (since := one.end_time if one.status in TERMINAL else one.next_attempt_time) is not None and one.operation_type in _CAUSES
    ]
    return min(moved, default=None)


def _function(info: InvocationStartInfo) -> dict[str, AttributeValue]:
    return {"faas.name": info.function_name}


def _type(info: OperationIdentity) -> dict[str, AttributeValue]:
    said: dict[str, AttributeValue] = {"durable.operation.type": info.operation_type}
    return said | ({"durable.operation.subtype": info.sub_type} if info.sub_type else {})
