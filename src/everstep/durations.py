"""Lengths of time as users write them: a timedelta, or a number of seconds."""

from __future__ import annotations

import math
from datetime import timedelta
from typing import TypeAlias

from everstep.errors import UsageError

Duration: TypeAlias = timedelta | int | float


def seconds_of(duration: Duration, what: str = "a length of time") -> float:
    """The length in seconds. what: names the value in the error. Raises UsageError if it is not a length of time."""
    if isinstance(duration, timedelta):
        return duration.total_seconds()
    if isinstance(duration, bool) or not isinstance(duration, int | float):  # pyright: ignore[reportUnnecessaryIsInstance]  # users may break the type
        raise UsageError(f"{what} is {duration!r}; give a timedelta or a number of seconds")
    return duration


def whole_seconds(what: str, duration: Duration, *, least: int, most: int) -> int:
    """The length in whole seconds, rounded up, as the service schedules it.

    what: names the value in the error. Raises UsageError if it is not a length of time or lies outside [least, most] seconds.
    """
    seconds = seconds_of(duration, what)
    if not -math.inf < seconds < math.inf:
        raise UsageError(f"{what} is {duration!r}; it must be finite")
    whole = math.ceil(seconds)
    if not least <= whole <= most:
        raise UsageError(f"{what} is {duration!r}; it must lie between {least:,} and {most:,} seconds")
    return whole


def positive_seconds(what: str, duration: Duration) -> float:
    """The length in seconds. what: names the value in the error. Raises UsageError unless it is more than zero."""
    seconds = seconds_of(duration)
    if not seconds > 0:
        raise UsageError(f"{what} is {duration!r}; it must be more than zero")
    return seconds
