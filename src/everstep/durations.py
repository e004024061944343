"""Lengths of time as users write them: a timedelta, or a number of seconds."""

from __future__ import annotations

import math
from datetime import timedelta
from typing import TypeAlias

from everstep.errors import UsageError

Duration: TypeAlias = timedelta | int | float


def seconds_of(duration: Duration) -> float:
    """The length in seconds."""
    if isinstance(duration, timedelta):
        return duration.total_seconds()
    return duration


def whole_seconds(what: str, duration: Duration, *, least: int, most: int) -> int:
    """The length in whole seconds, rounded up, as the service schedules it.

    what: names the value in the error. Raises UsageError if it is not a length of time or lies outside [least, most] seconds.
    """
    if isinstance(duration, bool) or not isinstance(duration, int | float | timedelta):  # pyright: ignore[reportUnnecessaryIsInstance]  # users may break the type
        raise UsageError(f"{what} is {duration!r}; give a timedelta or a number of seconds")
    seconds = seconds_of(duration)
    if not math.isfinite(seconds):
        raise UsageError(f"{what} is {duration!r}; it must be finite")
    whole = math.ceil(seconds)
    if not least <= whole <= most:
        raise UsageError(f"{what} is {duration!r}; it must lie between {least:,} and {most:,} seconds")
    return whole
