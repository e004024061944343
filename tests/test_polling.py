from __future__ import annotations

import math
from collections.abc import Mapping
from datetime import timedelta
from typing import cast

import pytest
from hypothesis import given
from hypothesis import strategies as st

from everstep.durations import Duration
from everstep.errors import UsageError
from everstep.polling import Exhausted, Poll, PollStrategy, next_poll
from everstep.protocol.limits import MAX_DELAY_S


def ready(state: int) -> bool:
    return state >= 3


def longest(poll: Poll[int], attempt: int) -> int | None:
    return next_poll(poll, 0, attempt, chance=1)


def test_the_defaults_are_those_of_the_official_sdk() -> None:
    poll = Poll(until=ready)

    assert [longest(poll, attempt) for attempt in (1, 2, 3, 4, 12, 59)] == [5, 8, 12, 17, 300, 300]
    assert next_poll(poll, 0, 1, chance=0) == 1
    with pytest.raises(Exhausted, match="not met within 60 polls"):
        longest(poll, 60)


def test_the_condition_may_be_met_at_the_last_poll() -> None:
    assert next_poll(Poll(until=ready, max_attempts=1), 3, 1, chance=0) is None


@given(st.integers(1, 10**18))
def test_without_a_limit_polls_go_on_for_ever(attempt: int) -> None:
    assert next_poll(Poll(until=ready, max_attempts=None), 0, attempt, chance=0.5) is not None


@given(st.integers(1, 59), st.floats(0, 1, exclude_max=True))
def test_fixed_polls_are_evenly_apart(attempt: int, chance: float) -> None:
    assert next_poll(Poll.fixed(ready, timedelta(minutes=1)), 0, attempt, chance) == 60


def test_a_condition_that_fails_fails_as_itself() -> None:
    def fails(state: int) -> bool:
        raise ZeroDivisionError

    with pytest.raises(ZeroDivisionError):
        next_poll(Poll(until=fails), 0, 1, chance=0)


@pytest.mark.parametrize(("answer", "seconds"), [(None, None), (2.5, 3), (timedelta(hours=1), 3_600), (0, 1)])
def test_a_strategy_of_ones_own_answers_with_a_delay_or_none(answer: Duration | None, seconds: int | None) -> None:
    seen: list[tuple[int, int]] = []

    def strategy(state: int, attempt: int) -> Duration | None:
        seen.append((state, attempt))
        return answer

    assert next_poll(strategy, 7, 2, chance=0) == seconds
    assert seen == [(7, 2)]


@pytest.mark.parametrize("answer", ["5", True, math.nan, math.inf, MAX_DELAY_S + 1])
def test_an_answer_that_is_no_delay_is_refused_with_its_value(answer: object) -> None:
    def strategy(_state: int, _attempt: int) -> object:
        return answer

    with pytest.raises(UsageError, match="the poll strategy answered") as refused:
        next_poll(cast("PollStrategy[int]", strategy), 0, 1, chance=0)

    assert repr(answer) in str(refused.value)


@pytest.mark.parametrize(
    "options",
    [
        {"until": None},
        {"until": True},
        {"max_attempts": 0},
        {"initial_delay": -1},
        {"max_delay": math.inf},
        {"backoff_rate": 0},
        {"jitter": "some"},
    ],
    ids=repr,
)
def test_an_option_that_cannot_work_is_refused_by_name_with_its_value(options: Mapping[str, object]) -> None:
    [(name, value)] = options.items()

    with pytest.raises(UsageError) as refused:
        Poll(**cast("dict[str, int]", {"until": ready, **options}))  # type: ignore[arg-type]  # as an untyped caller would

    assert str(refused.value).startswith(f"{name} is {value!r}; ")


def test_the_kind_of_the_state_may_be_said() -> None:
    typed = Poll[int](until=lambda count: count > 2, jitter="none")

    assert next_poll(typed, 2, 1, chance=0) == 5
