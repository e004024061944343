"""Operations that somebody else parsed, or that are not written quite as we expect: nulls, datetimes, ISO 8601.

Rule: pure, and off the fast path. The strict decoders come first; what they refuse is tried here before it counts as wrong.
Here nothing is checked either: what can't be tidied is left as it is, and msgspec says what is wrong with it.
"""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime
from typing import cast

import msgspec

from everstep.protocol.shapes import ExecutionState


def read_state(state: object, *, ms_per_unit: int) -> ExecutionState:
    """A page of operations. ms_per_unit: of timestamps that are plain numbers; 1000 if they are seconds. Raises msgspec.ValidationError."""
    return msgspec.convert(_tidied(state, ms_per_unit), ExecutionState)


def _tidied(members: object, ms_per_unit: int) -> object:
    """A JSON object with the timestamps in it in milliseconds, and without the members that are null."""
    if not isinstance(members, Mapping):
        return members
    tidy: dict[str, object] = {}
    for name, value in cast("Mapping[str, object]", members).items():
        if value is None:
            continue
        if name.endswith("Timestamp"):
            tidy[name] = _to_ms(value, ms_per_unit)
        elif name.endswith("Details"):
            tidy[name] = _tidied(value, ms_per_unit)
        elif name == "Operations" and isinstance(value, list):
            tidy[name] = [_tidied(operation, ms_per_unit) for operation in cast("list[object]", value)]
        else:
            tidy[name] = value
    return tidy


def _to_ms(value: object, ms_per_unit: int) -> object:
    if isinstance(value, str):
        value = msgspec.convert(value, datetime)
    if isinstance(value, datetime):
        return round(value.timestamp() * 1000)
    if isinstance(value, int | float):
        return round(value * ms_per_unit)
    return value
