"""Operations that somebody else parsed, or that are not written quite as we expect: nulls, datetimes, ISO 8601.

Rule: pure, and off the fast path. The strict decoders come first; what they refuse is tried here before it counts as wrong.
Here nothing is checked either: what can't be tidied is left as it is, and msgspec says what is wrong with it.
"""

from __future__ import annotations

from collections.abc import Mapping
from datetime import UTC, datetime
from typing import Final, TypeGuard, cast

import msgspec

from everstep.protocol.shapes import ExecutionState

_EPOCH: Final = datetime(1970, 1, 1, tzinfo=UTC)
_TIMESTAMPS: Final = ("StartTimestamp", "EndTimestamp")
_DETAILS: Final = (("StepDetails", "NextAttemptTimestamp"), ("WaitDetails", "ScheduledEndTimestamp"))


def read_state(state: object, *, ms_per_unit: int) -> ExecutionState:
    """A page of operations. ms_per_unit: of timestamps that are plain numbers; 1000 if they are seconds. Raises msgspec.ValidationError."""
    if not _has_members(state):
        return msgspec.convert(state, ExecutionState)
    members = {name: member for name, member in state.items() if member is not None}
    operations = members.get("Operations")
    if isinstance(operations, list):
        members["Operations"] = [_tidied(operation, ms_per_unit) for operation in cast("list[object]", operations)]
    return msgspec.convert(members, ExecutionState)


def _tidied(operation: object, ms_per_unit: int) -> object:
    """An operation with its timestamps in milliseconds."""
    if not _has_members(operation):
        return operation
    members = dict(operation)
    for name in _TIMESTAMPS:
        time = members.get(name)
        if time is not None:
            members[name] = _to_ms(time, ms_per_unit)
    if members.get("StartTimestamp", 0) is None:
        del members["StartTimestamp"]
    for name, time_of in _DETAILS:
        details = members.get(name)
        if details is not None and _has_members(details) and time_of in details:
            members[name] = {**details, time_of: _to_ms(details[time_of], ms_per_unit)}
    return members


def _has_members(value: object) -> TypeGuard[Mapping[str, object]]:
    return type(value) is dict or isinstance(value, Mapping)  # a dict nearly always, and an ABC takes ten times as long to ask


def _to_ms(value: object, ms_per_unit: int) -> object:
    if isinstance(value, datetime):
        if value.tzinfo is None:
            return round(value.timestamp() * 1000)
        since = value - _EPOCH  # `timestamp` takes three times as long
        return since.days * 86_400_000 + since.seconds * 1000 + (since.microseconds + 500) // 1000
    if isinstance(value, str):
        return _to_ms(msgspec.convert(value, datetime), ms_per_unit)
    if isinstance(value, int | float):
        return round(value * ms_per_unit)
    return value
