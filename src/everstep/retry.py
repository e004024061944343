"""When a failed attempt is tried again, and after how long. Pure: chance is an argument.

Rule: a strategy sees the error and the number of the attempt that failed (from 1) and answers with a delay, or None for
"give up". Delays are whole seconds, rounded up, at least 1: the service schedules no finer.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Collection, Sequence
from datetime import timedelta
from re import Pattern
from typing import Literal, TypeAlias, cast

from msgspec import Struct

from everstep.durations import Duration, seconds_of
from everstep.errors import UsageError
from everstep.protocol.limits import MAX_DELAY_S

Jitter: TypeAlias = Literal["none", "full", "half"]
RetryStrategy: TypeAlias = Callable[[Exception, int], "Duration | None"]
"""A strategy of your own: (error, attempt) to a delay (timedelta or seconds), or None to give up."""


class Retry(Struct, frozen=True, kw_only=True):
    """Exponential, linear or fixed delays, with a limit on attempts and a filter on errors.

    max_attempts: including the first; 1 means no retry.
    initial_delay, max_delay: timedelta or seconds. The delay after attempt n is initial_delay * backoff_rate ** (n - 1),
    or, with `increment`, initial_delay + increment * (n - 1); never above max_delay.
    jitter: "full" draws from [0, delay], "half" from [delay / 2, delay], "none" takes the delay itself.
    retry_on: exception classes; only these are retried. retry_on_message: strings (found anywhere in the message) or
    compiled patterns (searched). With both given, either one suffices; with neither, every Exception is retried.
    Defaults are the official SDKs' (6 attempts, 5 s doubling up to 60 s, full jitter). Raises UsageError on values out of range.
    """

    max_attempts: int = 6
    initial_delay: Duration = 5
    max_delay: Duration = 60
    backoff_rate: float = 2.0
    increment: Duration | None = None
    jitter: Jitter = "full"
    retry_on: Sequence[type[Exception]] | None = None
    retry_on_message: Sequence[str | Pattern[str]] | None = None

    def __post_init__(self) -> None:
        if not isinstance(self.max_attempts, int) or self.max_attempts < 1:  # pyright: ignore[reportUnnecessaryIsInstance]  # users may break the type
            raise UsageError(f"max_attempts is {self.max_attempts!r}; it counts the first attempt, so the least is 1")
        for name in ("initial_delay", "max_delay", "increment"):
            value: Duration | None = getattr(self, name)
            if value is not None and not 0 <= seconds_of(value, name) <= MAX_DELAY_S:
                raise UsageError(f"{name} is {value!r}; it must lie between 0 and {MAX_DELAY_S:,} seconds (366 days)")
        if not (isinstance(self.backoff_rate, int | float) and 0 < self.backoff_rate < math.inf):  # pyright: ignore[reportUnnecessaryIsInstance]  # the same
            raise UsageError(f"backoff_rate is {self.backoff_rate!r}; it must be a positive number")
        if self.jitter not in ("none", "full", "half"):
            raise UsageError(f'jitter is {self.jitter!r}; it must be "none", "full" or "half"')
        if self.retry_on is not None and not _holds(self.retry_on, _is_exception_class):
            raise UsageError(f"retry_on is {self.retry_on!r}; it must be a sequence of exception classes")
        if self.retry_on_message is not None and not _holds(self.retry_on_message, _is_pattern):
            raise UsageError(f"retry_on_message is {self.retry_on_message!r}; it must be a sequence of strings or compiled patterns")

    @staticmethod
    def none() -> Retry:
        """One attempt only."""
        return Retry(max_attempts=1)

    @staticmethod
    def fixed(interval: Duration = 5, *, max_attempts: int = 5) -> Retry:
        """The same delay each time, without jitter."""
        return Retry(max_attempts=max_attempts, initial_delay=interval, max_delay=interval, backoff_rate=1, jitter="none")

    @staticmethod
    def linear(*, initial_delay: Duration = 1, increment: Duration = 1, max_delay: Duration = 300, max_attempts: int = 6) -> Retry:
        """A delay that grows by `increment`, without jitter."""
        return Retry(max_attempts=max_attempts, initial_delay=initial_delay, increment=increment, max_delay=max_delay, jitter="none")

    @staticmethod
    def transient() -> Retry:
        """For faults that pass quickly: 3 attempts, 5 s doubling, half jitter."""
        return Retry(max_attempts=3, max_delay=300, jitter="half")

    @staticmethod
    def resource_availability() -> Retry:
        """For something that has to become free: 5 attempts, 5 s doubling up to 5 minutes."""
        return Retry(max_attempts=5, max_delay=300)

    @staticmethod
    def critical() -> Retry:
        """For what must not fail: 10 attempts, 1 s growing by half up to a minute, no jitter."""
        return Retry(max_attempts=10, initial_delay=1, backoff_rate=1.5, jitter="none")

    def matches(self, error: Exception) -> bool:
        """Whether the filters let this error be retried."""
        if self.retry_on is None and self.retry_on_message is None:
            return True
        if self.retry_on is not None and isinstance(error, tuple(self.retry_on)):
            return True
        if self.retry_on_message is None:
            return False
        message = str(error)
        return any(
            pattern in message if isinstance(pattern, str) else pattern.search(message) is not None for pattern in self.retry_on_message
        )

    def delay(self, attempt: int, chance: float) -> int:
        """Whole seconds to wait after attempt `attempt` (from 1). chance: a number in [0, 1) that settles the jitter."""
        initial, longest = seconds_of(self.initial_delay), seconds_of(self.max_delay)
        if self.increment is not None:
            wanted = initial + seconds_of(self.increment) * (attempt - 1)
        else:
            try:
                wanted = initial * float(self.backoff_rate) ** (attempt - 1)
            except OverflowError:  # far above any limit
                wanted = longest if initial else 0
        base = min(wanted, longest)
        match self.jitter:
            case "none":
                drawn = base
            case "full":
                drawn = base * chance
            case "half":
                drawn = base / 2 + base / 2 * chance
        return max(1, math.ceil(drawn))


def _holds(values: object, is_right: Callable[[object], bool]) -> bool:
    """Whether it is a collection (a lone string is none) of the right things."""
    return isinstance(values, Collection) and not isinstance(values, str) and all(map(is_right, cast("Collection[object]", values)))


def _is_exception_class(value: object) -> bool:
    return isinstance(value, type) and issubclass(value, BaseException)


def _is_pattern(value: object) -> bool:
    return isinstance(value, str | Pattern)


DEFAULT_RETRY = Retry()


def next_delay(strategy: Retry | RetryStrategy, error: Exception, attempt: int, chance: float) -> int | None:
    """Whole seconds until the next attempt, or None to give up.

    Raises UsageError if a strategy of the user's answers with something that is not a delay between 1 s and 366 days.
    """
    if isinstance(strategy, Retry):
        if attempt >= strategy.max_attempts or not strategy.matches(error):
            return None
        return strategy.delay(attempt, chance)
    answer = strategy(error, attempt)
    return None if answer is None else checked_delay("the retry strategy", answer)


def checked_delay(whose: str, answer: object) -> int:
    """A delay that a strategy of the user's answered with, in whole seconds. Raises UsageError if it is none between 1 s and 366 days."""
    if isinstance(answer, bool) or not isinstance(answer, int | float | timedelta):
        raise UsageError(f"{whose} answered {answer!r}; it must answer a timedelta, a number of seconds, or None")
    seconds = seconds_of(answer)
    if not seconds <= MAX_DELAY_S:  # nor NaN
        raise UsageError(f"{whose} answered {answer!r}; the longest delay is {MAX_DELAY_S:,} seconds (366 days)")
    return math.ceil(max(1, seconds))
