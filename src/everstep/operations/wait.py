"""A wait: time passes without holding compute.

Rule: the service counts whole seconds, from 1 second to 366 days; fractions are rounded up, so a wait is never too short.
"""

from __future__ import annotations

import math

from everstep.durations import Duration, whole_seconds
from everstep.protocol.limits import MAX_DELAY_S


def wait_seconds(duration: Duration) -> int:
    """Whole seconds of a wait. Raises UsageError outside [1 s, 366 days]."""
    return whole_seconds("a wait", duration, least=1, most=MAX_DELAY_S)


def timer_seconds(delay: float) -> int:
    """Whole seconds of a timer that asyncio sets: at least 1. Raises UsageError above 366 days."""
    return whole_seconds("a timer", max(1, delay) if not math.isnan(delay) else delay, least=1, most=MAX_DELAY_S)
