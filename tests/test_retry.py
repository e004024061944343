from __future__ import annotations

import math
import re
from collections.abc import Mapping
from datetime import timedelta
from typing import cast

import pytest
from hypothesis import given
from hypothesis import strategies as st

from everstep.durations import Duration
from everstep.errors import UsageError
from everstep.protocol.limits import MAX_DELAY_S
from everstep.retry import DEFAULT_RETRY, Jitter, Retry, RetryStrategy, next_delay

chances = st.floats(min_value=0, max_value=1, exclude_max=True)
attempts = st.integers(min_value=1, max_value=10**18)
lengths = st.integers(min_value=0, max_value=MAX_DELAY_S) | st.floats(min_value=0, max_value=MAX_DELAY_S)
retries = st.builds(
    Retry,
    max_attempts=st.integers(min_value=1, max_value=10**18),
    initial_delay=lengths,
    max_delay=lengths,
    backoff_rate=st.floats(min_value=0.01, max_value=1e300),
    increment=st.none() | lengths,
    jitter=st.sampled_from(["none", "full", "half"]),
)


def delays(retry: Retry) -> list[int | None]:
    """What a step waits after each failed attempt, if chance draws the longest."""
    return [next_delay(retry, ValueError(), attempt, chance=1) for attempt in range(1, retry.max_attempts + 1)]


# -- defaults and presets, from the official Python SDK -------------------------


@pytest.mark.parametrize(
    ("retry", "longest", "jitter"),
    [
        (DEFAULT_RETRY, [5, 10, 20, 40, 60, None], "full"),
        (Retry.none(), [None], "full"),
        (Retry.transient(), [5, 10, None], "half"),
        (Retry.resource_availability(), [5, 10, 20, 40, None], "full"),
        (Retry.critical(), [1, 2, 3, 4, 6, 8, 12, 18, 26, None], "none"),
        (Retry.linear(), [1, 2, 3, 4, 5, None], "none"),
        (Retry.fixed(), [5, 5, 5, 5, None], "none"),
        (Retry.fixed(timedelta(minutes=2), max_attempts=3), [120, 120, None], "none"),
    ],
    ids=["default", "none", "transient", "resource_availability", "critical", "linear", "fixed", "fixed at two minutes"],
)
def test_a_preset_waits_as_the_official_one_does(retry: Retry, longest: list[int | None], jitter: Jitter) -> None:
    assert delays(retry) == longest
    assert retry.jitter == jitter


@pytest.mark.parametrize(("retry", "limit"), [(Retry(max_attempts=99), 60), (Retry.critical(), 60), (Retry.linear(max_attempts=999), 300)])
def test_delays_stop_growing_at_the_limit(retry: Retry, limit: int) -> None:
    assert retry.delay(900, chance=0.999_999) == limit


# -- delays ----------------------------------------------------------------------


@given(retries, attempts, chances)
def test_a_delay_is_whole_at_least_a_second_and_never_above_the_limit(retry: Retry, attempt: int, chance: float) -> None:
    delay = retry.delay(attempt, chance)

    assert isinstance(delay, int)
    assert 1 <= delay <= max(1, math.ceil(cast("float", retry.max_delay)))


@given(retries, attempts)
def test_without_chance_full_jitter_draws_nothing_and_half_jitter_half(retry: Retry, attempt: int) -> None:
    by_jitter = {
        jitter: Retry(
            max_attempts=retry.max_attempts,
            initial_delay=retry.initial_delay,
            max_delay=retry.max_delay,
            backoff_rate=retry.backoff_rate,
            increment=retry.increment,
            jitter=jitter,
        )
        for jitter in ("none", "full", "half")
    }

    least = {jitter: one.delay(attempt, chance=0) for jitter, one in by_jitter.items()}
    most = {jitter: one.delay(attempt, chance=1) for jitter, one in by_jitter.items()}

    assert least["full"] == 1
    assert 2 * least["half"] >= least["none"]
    assert 2 * (least["half"] - 1) <= least["none"]
    assert set(most.values()) == {least["none"]}


@given(st.integers(min_value=1, max_value=60), chances)
def test_chance_moves_a_delay_evenly_over_its_range(attempt: int, chance: float) -> None:
    base = min(5 * 2 ** (attempt - 1), 3_600)

    full = Retry(max_delay=3_600, jitter="full").delay(attempt, chance)
    half = Retry(max_delay=3_600, jitter="half").delay(attempt, chance)

    assert full == max(1, math.ceil(base * chance))
    assert half == max(1, math.ceil(base / 2 + base / 2 * chance))


@given(retries.filter(lambda retry: retry.increment is not None or retry.backoff_rate >= 1), st.integers(min_value=1, max_value=10**9))
def test_delays_never_shrink_from_one_attempt_to_the_next(retry: Retry, attempt: int) -> None:
    assert retry.delay(attempt, chance=1) <= retry.delay(attempt + 1, chance=1)


def test_a_rate_just_above_one_reaches_the_limit_in_the_end() -> None:
    retry = Retry(initial_delay=1, max_delay=60, backoff_rate=1.001, jitter="none")

    assert retry.delay(256, chance=0) == 2
    assert retry.delay(5_000, chance=0) == 60


@pytest.mark.parametrize("rate", [1.0001, 2, 16, 1e10, 10**400])
def test_huge_attempts_do_not_overflow(rate: float) -> None:
    assert Retry(backoff_rate=rate, jitter="none").delay(10**9, chance=0) == 60


def test_no_initial_delay_stays_none_however_often_it_is_multiplied() -> None:
    assert Retry(initial_delay=0, jitter="none").delay(10**9, chance=0) == 1


@pytest.mark.parametrize("seconds", [0, 0.2, timedelta(milliseconds=1)])
def test_a_delay_below_a_second_is_one_second(seconds: Duration) -> None:
    assert Retry.fixed(seconds).delay(1, chance=0) == 1


def test_a_fraction_of_a_second_is_rounded_up() -> None:
    assert Retry.fixed(timedelta(seconds=2.001)).delay(1, chance=0) == 3


# -- which errors ------------------------------------------------------------------


class Throttled(ConnectionError):
    pass


class Mute(Exception):
    def __str__(self) -> str:
        raise RuntimeError("no message")


@pytest.mark.parametrize(
    ("retry", "error", "is_retried"),
    [
        (Retry(), KeyError("anything"), True),
        (Retry(retry_on=[ConnectionError]), ConnectionError(), True),
        (Retry(retry_on=[ConnectionError]), Throttled(), True),
        (Retry(retry_on=[Throttled]), ConnectionError(), False),
        (Retry(retry_on=(KeyError, ConnectionError)), Throttled(), True),
        (Retry(retry_on=[]), ConnectionError(), False),
        (Retry(retry_on_message=["slow down"]), ValueError("please slow down now"), True),
        (Retry(retry_on_message=["slow down"]), ValueError("Slow down"), False),
        (Retry(retry_on_message=["a.c"]), ValueError("abc"), False),
        (Retry(retry_on_message=[re.compile("a.c")]), ValueError("xxabcxx"), True),
        (Retry(retry_on_message=[re.compile("^a.c$")]), ValueError("xxabcxx"), False),
        (Retry(retry_on_message=[re.compile("SLOW", re.IGNORECASE)]), ValueError("slow"), True),
        (Retry(retry_on_message=[]), ValueError("slow"), False),
        (Retry(retry_on=[KeyError], retry_on_message=["slow"]), ValueError("slow"), True),
        (Retry(retry_on=[KeyError], retry_on_message=["slow"]), KeyError("fast"), True),
        (Retry(retry_on=[KeyError], retry_on_message=["slow"]), ValueError("fast"), False),
    ],
)
def test_filters_say_which_errors_are_retried(retry: Retry, error: Exception, is_retried: bool) -> None:
    assert retry.matches(error) is is_retried
    assert (next_delay(retry, error, 1, chance=0) is not None) is is_retried


def test_a_filter_on_classes_does_not_ask_for_the_message() -> None:
    assert not Retry(retry_on=[KeyError]).matches(Mute())


# -- strategies of the user's --------------------------------------------------------


@pytest.mark.parametrize(
    ("answer", "seconds"),
    [(None, None), (3, 3), (2.1, 3), (timedelta(minutes=1), 60), (0, 1), (0.5, 1), (-5, 1), (MAX_DELAY_S, MAX_DELAY_S)],
)
def test_a_strategys_answer_is_taken_as_whole_seconds_from_one(answer: Duration | None, seconds: int | None) -> None:
    assert next_delay(lambda _error, _attempt: answer, ValueError(), 1, chance=0) == seconds


def test_a_strategy_sees_the_error_and_the_number_of_the_failed_attempt() -> None:
    seen: list[tuple[Exception, int]] = []
    error = ValueError("x")

    def strategy(error: Exception, attempt: int) -> timedelta | None:
        seen.append((error, attempt))
        return timedelta(seconds=attempt) if attempt < 3 else None

    assert [next_delay(strategy, error, attempt, chance=0) for attempt in (1, 2, 3)] == [1, 2, None]
    assert seen == [(error, 1), (error, 2), (error, 3)]


@pytest.mark.parametrize("answer", ["5", True, False, [], object(), math.nan, math.inf, MAX_DELAY_S + 1, timedelta.max, 10**400])
def test_an_answer_that_is_no_delay_is_refused_with_its_value(answer: object) -> None:
    def strategy(_error: Exception, _attempt: int) -> object:
        return answer

    with pytest.raises(UsageError, match="the retry strategy answered") as refused:
        next_delay(cast("RetryStrategy", strategy), ValueError(), 1, chance=0)

    assert repr(answer) in str(refused.value)


def test_a_strategy_that_fails_fails_as_itself() -> None:
    def strategy(error: Exception, attempt: int) -> None:
        raise LookupError(attempt)

    with pytest.raises(LookupError):
        next_delay(strategy, ValueError(), 1, chance=0)


# -- options ---------------------------------------------------------------------------


@pytest.mark.parametrize(
    "options",
    [
        {"max_attempts": 0},
        {"max_attempts": -3},
        {"max_attempts": 2.5},
        {"max_attempts": "three"},
        {"initial_delay": -1},
        {"initial_delay": math.nan},
        {"initial_delay": "5"},
        {"initial_delay": True},
        {"max_delay": MAX_DELAY_S + 1},
        {"max_delay": timedelta(days=367)},
        {"max_delay": math.inf},
        {"increment": timedelta(seconds=-1)},
        {"increment": 10**400},
        {"backoff_rate": 0},
        {"backoff_rate": -1.5},
        {"backoff_rate": math.inf},
        {"backoff_rate": math.nan},
        {"backoff_rate": "2"},
        {"jitter": "FULL"},
        {"jitter": None},
        {"retry_on": ValueError},
        {"retry_on": [ValueError()]},
        {"retry_on": ["ValueError"]},
        {"retry_on_message": "timeout"},
        {"retry_on_message": re.compile("timeout")},
        {"retry_on_message": [TimeoutError]},
    ],
    ids=repr,
)
def test_an_option_that_cannot_work_is_refused_by_name_with_its_value(options: Mapping[str, object]) -> None:
    [(name, value)] = options.items()

    with pytest.raises(UsageError) as refused:
        Retry(**cast("dict[str, int]", options))  # type: ignore[arg-type]  # as an untyped caller would

    assert str(refused.value).startswith(f"{name} is {value!r}; ")


@pytest.mark.parametrize("options", [{"max_attempts": 0}, {"interval": -1}])
def test_a_presets_options_are_checked_too(options: Mapping[str, int]) -> None:
    with pytest.raises(UsageError):
        Retry.fixed(**options)
