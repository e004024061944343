"""The events of a history, in the forms in which programs print them, and the operations that they tell of.

Rule: pure. An operation's state is that of its last event. What a history does not say is worked out from what it does: that a
context's children are replayed shows in its result, which is empty or a summary.
Source: API model, Event; the sequences of the conformance requirements.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from datetime import UTC, datetime
from typing import Final, TypeAlias, cast

import msgspec

from everstep.errors import UsageError
from everstep.protocol.shapes import (
    CallbackDetails,
    ChainedInvokeDetails,
    ContextDetails,
    ErrorObject,
    Operation,
    OperationStatus,
    OperationType,
    StepDetails,
    WaitDetails,
)

JsonObject: TypeAlias = Mapping[str, object]

_NOTHING: Final[JsonObject] = {}
_MS_FROM: Final = 1e11
"""A number above is milliseconds: as seconds it would be in the year 5138."""
_TYPES: Final[Mapping[str, OperationType]] = {
    "Context": "CONTEXT",
    "Step": "STEP",
    "Wait": "WAIT",
    "Callback": "CALLBACK",
    "ChainedInvoke": "CHAINED_INVOKE",
}
_STATUSES: Final[Mapping[str, OperationStatus]] = {
    "Started": "STARTED",
    "Succeeded": "SUCCEEDED",
    "Failed": "FAILED",
    "Cancelled": "CANCELLED",
    "TimedOut": "TIMED_OUT",
    "Stopped": "STOPPED",
}
_KINDS: Final[Mapping[str, tuple[OperationType, OperationStatus]]] = {
    f"{prefix}{suffix}": (kind, status) for prefix, kind in _TYPES.items() for suffix, status in _STATUSES.items()
}
_BATCHES: Final = ("Map", "Parallel")


def moment_ms(value: object) -> int:
    """A timestamp: a number of seconds or milliseconds, or ISO 8601 (without a zone: UTC). Raises ValueError."""
    if isinstance(value, int | float):
        return round(value if value > _MS_FROM else value * 1000)
    if not isinstance(value, str):
        raise ValueError(f"{value!r} is no timestamp")  # noqa: TRY004  # as datetime says it of a text
    try:
        return moment_ms(float(value))
    except ValueError:
        at = datetime.fromisoformat(value)
    return round((at if at.tzinfo is not None else at.replace(tzinfo=UTC)).timestamp() * 1000)


class Event:
    """One event. kind: its EventType. at_ms: when it was recorded. has_data: False if payloads were left out of it."""

    __slots__ = ("_details", "at_ms", "id", "kind", "number", "raw")

    def __init__(self, raw: JsonObject) -> None:
        """Raises UsageError."""
        self.raw = raw
        kind = raw.get("EventType")
        if not isinstance(kind, str):
            raise UsageError(f"an event has no EventType: {str(raw)[:200]}")
        self.kind = kind
        self._details = cast("JsonObject", raw.get(f"{kind}Details") or _NOTHING)
        number = raw.get("EventId")
        self.number = number if isinstance(number, int) else 0
        self.id = _text(raw.get("Id"))
        try:
            self.at_ms = moment_ms(raw.get("EventTimestamp"))
        except ValueError as error:
            raise UsageError(f"event {self.number} ({kind}) has no EventTimestamp that can be read: {error}") from None

    def detail(self, name: str) -> object:
        return self._details.get(name)

    def payload(self, name: str) -> str | None:
        """What is inside the wrapper of this name."""
        return _text(self._wrapper(name).get("Payload"))

    def error(self) -> ErrorObject | None:
        wrapper = self._wrapper("Error")
        found = wrapper.get("Payload")
        return None if found is None else msgspec.convert(found, ErrorObject)

    def retry(self) -> tuple[int | None, int | None]:
        """The attempt that ended, and the seconds until the next one, None if there is none."""
        details = cast("JsonObject", self._details.get("RetryDetails") or _NOTHING)
        return _number(details.get("CurrentAttempt")), _number(details.get("NextAttemptDelaySeconds"))

    @property
    def truncated(self) -> int:
        """How many payloads were left out."""
        return sum(bool(self._wrapper(name).get("Truncated")) for name in ("Input", "Result", "Error"))

    @property
    def wrappers(self) -> int:
        """How many payloads it is about."""
        return sum(name in self._details for name in ("Input", "Result", "Error"))

    def _wrapper(self, name: str) -> JsonObject:
        found = self._details.get(name)
        return cast("JsonObject", found) if isinstance(found, dict) else _NOTHING


def _text(value: object) -> str | None:
    return value if isinstance(value, str) else None


def _number(value: object) -> int | None:
    return int(value) if isinstance(value, int | float) else None


class _Growing:
    """An operation, as its events come."""

    __slots__ = ("attempt", "ended_ms", "first", "last", "next_ms", "result", "status", "type")

    def __init__(self, first: Event, kind: OperationType) -> None:
        self.first, self.last = first, first
        self.type: OperationType = kind
        self.status: OperationStatus = "STARTED"
        self.attempt = 0
        self.ended_ms: int | None = None
        self.next_ms: int | None = None
        self.result: str | None = None

    def take(self, event: Event, status: OperationStatus) -> None:
        self.last = event
        self.status, self.ended_ms, self.next_ms = status, None, None
        if status == "STARTED":
            return
        if self.type == "STEP":
            attempt, delay = event.retry()
            self.attempt = attempt or self.attempt + 1
            self.result = event.payload("Result")
            if delay:  # 0 is another way to say that there is none
                self.status, self.next_ms = "PENDING", event.at_ms + delay * 1000
                return
        else:
            self.result = event.payload("Result")
        self.ended_ms = event.at_ms

    def operation(self, has_children: bool) -> Operation:
        raw = self.first.raw
        operation = Operation(
            id=self.first.id or "",
            type=self.type,
            status=self.status,
            start_timestamp=self.first.at_ms,
            end_timestamp=self.ended_ms,
            parent_id=_text(raw.get("ParentId")),
            name=_text(raw.get("Name")),
            sub_type=_text(raw.get("SubType")),
        )
        error = self.last.error() if self.status not in ("STARTED", "SUCCEEDED") else None
        match self.type:
            case "STEP":
                details: object = StepDetails(attempt=self.attempt, next_attempt_timestamp=self.next_ms, result=self.result, error=error)
                return msgspec.structs.replace(operation, step_details=details)
            case "CONTEXT":
                replays = self.status == "SUCCEEDED" and self._replays_children(has_children)
                details = ContextDetails(replay_children=replays or None, result=self.result, error=error)
                return msgspec.structs.replace(operation, context_details=details)
            case "WAIT":
                ends = self.first.detail("ScheduledEndTimestamp")
                details = WaitDetails(scheduled_end_timestamp=None if ends is None else moment_ms(ends))
                return msgspec.structs.replace(operation, wait_details=details)
            case "CALLBACK":
                callback_id = _text(self.first.detail("CallbackId"))
                details = CallbackDetails(callback_id=callback_id or operation.id, result=self.result, error=error)
                return msgspec.structs.replace(operation, callback_details=details)
            case "CHAINED_INVOKE" | "EXECUTION":
                details = ChainedInvokeDetails(result=self.result, error=error)
                return msgspec.structs.replace(operation, chained_invoke_details=details)

    def _replays_children(self, has_children: bool) -> bool:
        """The service knows; a history only shows a result that was too large: an empty one, or a batch's summary."""
        if not self.result:
            return has_children
        if self.first.raw.get("SubType") not in _BATCHES or '"all"' in self.result[:50]:
            return False
        return '"totalCount"' in self.result and '"all"' not in self.result


def operations_of(events: Iterable[Event]) -> list[Operation]:
    """The operations, in the order in which they began. events: in order. Raises UsageError."""
    growing: dict[str, _Growing] = {}
    parents: set[object] = set()
    for event in events:
        known = _KINDS.get(event.kind)
        if known is None:
            continue
        kind, status = known
        if event.id is None:
            raise UsageError(f"event {event.number} ({event.kind}) has no Id")
        one = growing.get(event.id)
        if one is None:
            one = growing[event.id] = _Growing(event, kind)
            parents.add(event.raw.get("ParentId"))
        one.take(event, status)
    return [one.operation(one.first.id in parents) for one in growing.values()]


def left_out(events: Sequence[Event]) -> tuple[int, int]:
    """How many payloads were left out, and how many there are."""
    return sum(event.truncated for event in events), sum(event.wrappers for event in events)
