"""Operations that somebody else parsed, or that are not written quite as we expect: nulls, datetimes, ISO 8601.

Rule: pure, and off the fast path. The strict decoders come first; what they refuse is tried here before it counts as wrong.
Here nothing is checked either: what can't be tidied is left as it is, and msgspec says what is wrong with it.
"""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime
from typing import Final, cast

import msgspec

from everstep.protocol.shapes import ExecutionState

_TIMES: Final = frozenset({"StartTimestamp", "EndTimestamp", "NextAttemptTimestamp", "ScheduledEndTimestamp"})
_WITH_TIMES: Final = ("StepDetails", "WaitDetails")


def read_state(state: object, *, ms_per_unit: int) -> ExecutionState:
    """A page of operations. ms_per_unit: of timestamps that are plain numbers; 1000 if they are seconds. Raises msgspec.ValidationError."""
    tidy = _tidied(state, ms_per_unit)
    if tidy is None:
        return msgspec.convert(state, ExecutionState)
    operations = tidy.get("Operations")
    if isinstance(operations, list):
        tidy["Operations"] = [_operation(one, ms_per_unit) for one in cast("list[object]", operations)]
    return msgspec.convert(tidy, ExecutionState)


def _operation(operation: object, ms_per_unit: int) -> object:
    tidy = _tidied(operation, ms_per_unit)
    if tidy is None:
        return operation
    for name in _WITH_TIMES:
        if name in tidy:
            tidy[name] = _tidied(tidy[name], ms_per_unit) or tidy[name]
    return tidy


def _tidied(members: object, ms_per_unit: int) -> dict[str, object] | None:
    """A JSON object with the timestamps among its members in milliseconds, and without members that are null; None if it is none."""
    if not isinstance(members, Mapping):
        return None
    return {
        name: _to_ms(value, ms_per_unit) if name in _TIMES else value
        for name, value in cast("Mapping[str, object]", members).items()
        if value is not None
    }


def _to_ms(value: object, ms_per_unit: int) -> object:
    if isinstance(value, str):
        value = msgspec.convert(value, datetime)
    if isinstance(value, datetime):
        return round(value.timestamp() * 1000)
    if isinstance(value, int | float):
        return round(value * ms_per_unit)
    return value
