from __future__ import annotations

import math
from datetime import timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from everstep.durations import Duration
from everstep.errors import UsageError
from everstep.operations.wait import timer_seconds, wait_seconds

YEAR = 31_622_400


@pytest.mark.parametrize(
    ("duration", "seconds"),
    [(1, 1), (0.1, 1), (1.01, 2), (timedelta(hours=1, microseconds=1), 3_601), (timedelta(days=366), YEAR), (YEAR, YEAR)],
)
def test_a_wait_is_never_too_short(duration: Duration, seconds: int) -> None:
    assert wait_seconds(duration) == seconds


@pytest.mark.parametrize("duration", [0, -1, YEAR + 1, timedelta(days=366, microseconds=1), math.nan])
def test_a_wait_out_of_range_is_refused(duration: Duration) -> None:
    with pytest.raises(UsageError, match="a wait is"):
        wait_seconds(duration)


@given(st.floats(max_value=YEAR, allow_nan=False))
def test_a_timer_of_asyncio_takes_at_least_a_second(delay: float) -> None:
    assert timer_seconds(delay) == max(1, math.ceil(max(delay, 0)))


@pytest.mark.parametrize("delay", [YEAR + 1, math.inf, math.nan])
def test_a_timer_that_would_never_come_is_refused(delay: float) -> None:
    with pytest.raises(UsageError, match="a timer is"):
        timer_seconds(delay)
