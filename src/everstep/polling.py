"""How often a condition is looked at, and when it is met. Pure: chance is an argument.

Rule: a strategy sees the state that the check came to and the number of the poll (from 1), and answers with the delay until
the next one, or None to stop: the condition is met.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Generic, TypeAlias, TypeVar

from msgspec import Struct

from everstep.durations import Duration
from everstep.errors import UsageError
from everstep.retry import Jitter, Retry, checked_delay

S = TypeVar("S")
Seen = TypeVar("Seen")
PollStrategy: TypeAlias = Callable[[S, int], "Duration | None"]
"""A strategy of your own: (state, poll) to a delay (timedelta or seconds), or None if the condition is met."""


class Poll(Struct, Generic[S], frozen=True, kw_only=True):
    """Look until `until(state)` is true.

    max_attempts: polls in all; None: no limit. The delay after poll n is initial_delay * backoff_rate ** (n - 1), never above
    max_delay; jitter as in Retry. Defaults are the official SDKs' (60 polls, 5 s growing by half up to 5 minutes, full
    jitter). Raises UsageError on values out of range.
    """

    until: Callable[[S], bool]
    max_attempts: int | None = 60
    initial_delay: Duration = 5
    max_delay: Duration = 300
    backoff_rate: float = 1.5
    jitter: Jitter = "full"

    def __post_init__(self) -> None:
        if not callable(self.until):
            raise UsageError(f"until is {self.until!r}; it must be a function of the state that says whether the condition is met")
        self._pace()

    def _pace(self) -> Retry:
        """The delays. Raises UsageError on values out of range."""
        return Retry(
            max_attempts=1 if self.max_attempts is None else self.max_attempts,
            initial_delay=self.initial_delay,
            max_delay=self.max_delay,
            backoff_rate=self.backoff_rate,
            jitter=self.jitter,
        )

    @staticmethod
    def fixed(until: Callable[[Seen], bool], interval: Duration = 5, *, max_attempts: int | None = 60) -> Poll[Seen]:
        """The same delay each time, without jitter."""
        return Poll(until=until, max_attempts=max_attempts, initial_delay=interval, max_delay=interval, backoff_rate=1, jitter="none")

    def delay(self, attempt: int, chance: float) -> int:
        """Whole seconds to wait after poll `attempt` (from 1). chance: a number in [0, 1) that settles the jitter."""
        return self._pace().delay(attempt, chance)


class Exhausted(Exception):
    """As many polls as there may be were made, and the condition is not met."""


def next_poll(strategy: Poll[S] | PollStrategy[S], state: S, attempt: int, chance: float) -> int | None:
    """Whole seconds until the next poll, or None if the condition is met.

    Raises Exhausted, or UsageError if a strategy of the user's answers with something that is not a delay.
    """
    if isinstance(strategy, Poll):
        if strategy.until(state):  # pyright: ignore[reportUnknownMemberType]  # of a function that is a Poll too nothing is known
            return None
        if strategy.max_attempts is not None and attempt >= strategy.max_attempts:
            raise Exhausted(f"the condition was not met within {attempt} polls")
        return strategy.delay(attempt, chance)
    answer = strategy(state, attempt)
    return None if answer is None else checked_delay("the poll strategy", answer)
