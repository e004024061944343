from __future__ import annotations

import math
from datetime import timedelta
from typing import cast

import pytest
from hypothesis import given
from hypothesis import strategies as st

from everstep.durations import Duration, seconds_of, whole_seconds
from everstep.errors import UsageError

YEAR = 31_622_400


def whole(duration: Duration) -> int:
    return whole_seconds("a wait", duration, least=1, most=YEAR)


@given(st.floats(min_value=0.001, max_value=YEAR))
def test_fractions_are_rounded_up(seconds: float) -> None:
    assert whole(seconds) == math.ceil(seconds)


@given(st.timedeltas(min_value=timedelta(microseconds=1), max_value=timedelta(seconds=YEAR)))
def test_a_timedelta_and_its_seconds_are_the_same_length(length: timedelta) -> None:
    assert seconds_of(length) == length.total_seconds()
    assert whole(length) == whole(length.total_seconds())


@pytest.mark.parametrize("length", [0, -1, -0.5, YEAR + 1, YEAR + 0.001, timedelta(0), timedelta(days=367), timedelta.min, timedelta.max])
def test_a_length_out_of_range_is_refused_by_name_with_its_value(length: Duration) -> None:
    with pytest.raises(UsageError, match="a wait is ") as refused:
        whole(length)

    assert repr(length) in str(refused.value)
    assert "between 1 and 31,622,400 seconds" in str(refused.value)


@pytest.mark.parametrize("length", [math.nan, math.inf, -math.inf])
def test_a_length_without_end_is_refused(length: float) -> None:
    with pytest.raises(UsageError, match="must be finite"):
        whole(length)


def test_an_integer_beyond_every_float_is_refused_like_any_other() -> None:
    with pytest.raises(UsageError, match="must lie between"):
        whole(10**400)


@pytest.mark.parametrize("value", ["5", None, True, [5], 5j])
def test_what_is_no_length_of_time_is_refused_by_name(value: object) -> None:
    with pytest.raises(UsageError, match="a wait is ") as refused:
        whole(cast("Duration", value))

    assert f"a wait is {value!r}; give a timedelta or a number of seconds" in str(refused.value)
