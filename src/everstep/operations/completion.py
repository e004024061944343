"""When a map or parallel is complete.

Rule: tolerance is looked at first, then whether everything has ended, then the number of successes. Without any criterion
the first failure ends the batch. The percentage is of all items, and equal is still tolerated.
Source: completion rules of the official Python SDK 3.0.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from typing import Literal, TypeAlias

from msgspec import Struct

from everstep.errors import UsageError

CompletionReason: TypeAlias = Literal[
    "ALL_COMPLETED",
    "MIN_SUCCESSFUL_REACHED",
    "FAILURE_TOLERANCE_EXCEEDED",
    "CUSTOM_COMPLETION_SUCCEEDED",
    "CUSTOM_COMPLETION_FAILED",
]
Verdict: TypeAlias = Literal["SUCCEEDED", "FAILED"]


class Progress(Struct, frozen=True):
    """How far a batch is. statuses: by index, of the items that were started; live: don't keep or change it."""

    success_count: int
    failure_count: int
    total_count: int
    statuses: Sequence[Literal["SUCCEEDED", "FAILED", "STARTED"]]

    @property
    def completed_count(self) -> int:
        return self.success_count + self.failure_count


class Completion(Struct, frozen=True, kw_only=True):
    """How many successes are enough, and how many failures too many.

    min_successful: complete as soon as so many items have succeeded. Alone, it sets no limit on failures.
    tolerated_failure_count, tolerated_failure_percentage (0 to 100): complete as soon as more have failed.
    should_complete: a rule of your own instead: (progress) to "SUCCEEDED" or "FAILED" when the batch is complete, None while it
    is not. It is asked before the first item is started and after each that ends, and has to decide the same on every replay.
    Nothing given: the first failure completes the batch. Raises UsageError on values out of range.
    """

    min_successful: int | None = None
    tolerated_failure_count: int | None = None
    tolerated_failure_percentage: float | None = None
    should_complete: Callable[[Progress], Verdict | None] | None = None

    def __post_init__(self) -> None:
        thresholds = (self.min_successful, self.tolerated_failure_count, self.tolerated_failure_percentage)
        if self.should_complete is not None and thresholds != (None, None, None):
            raise UsageError("should_complete is a rule of its own: give it without min_successful and tolerated failures")
        if self.min_successful is not None and self.min_successful < 1:
            raise UsageError(f"min_successful is {self.min_successful}; the least is 1")
        if self.tolerated_failure_count is not None and self.tolerated_failure_count < 0:
            raise UsageError(f"tolerated_failure_count is {self.tolerated_failure_count}; the least is 0")
        percentage = self.tolerated_failure_percentage
        if percentage is not None and not (math.isfinite(percentage) and 0 <= percentage <= 100):
            raise UsageError(f"tolerated_failure_percentage is {percentage}; it must lie between 0 and 100")

    @staticmethod
    def first_successful() -> Completion:
        """One success is enough."""
        return Completion(min_successful=1)

    @staticmethod
    def all_completed() -> Completion:
        """Every item ends, whatever fails."""
        return Completion(tolerated_failure_percentage=100)

    @staticmethod
    def all_successful() -> Completion:
        """No failure is tolerated."""
        return Completion(tolerated_failure_count=0, tolerated_failure_percentage=0)

    def check_total(self, total: int) -> None:
        """Raises UsageError if the batch can never be complete by its own criterion."""
        if self.min_successful is not None and self.min_successful > total:
            raise UsageError(f"min_successful is {self.min_successful}, but there are only {total} items")

    def reason(self, progress: Progress) -> CompletionReason | None:
        """Why the batch is complete, or None while it is not."""
        succeeded, failed, total = progress.success_count, progress.failure_count, progress.total_count
        if self.should_complete is not None:
            return self._own_reason(self.should_complete, progress)
        if self._exceeded(failed, total):
            return "FAILURE_TOLERANCE_EXCEEDED"
        if succeeded + failed >= total:
            return "ALL_COMPLETED"
        if self.min_successful is not None and succeeded >= self.min_successful:
            return "MIN_SUCCESSFUL_REACHED"
        return None

    @staticmethod
    def _own_reason(rule: Callable[[Progress], Verdict | None], progress: Progress) -> CompletionReason | None:
        verdict = rule(progress)
        if verdict is None:
            return "ALL_COMPLETED" if progress.completed_count >= progress.total_count else None
        if verdict not in ("SUCCEEDED", "FAILED"):  # users may break the type
            raise UsageError(f'should_complete answered {verdict!r}; it must answer "SUCCEEDED", "FAILED" or None')
        return "CUSTOM_COMPLETION_SUCCEEDED" if verdict == "SUCCEEDED" else "CUSTOM_COMPLETION_FAILED"

    def _exceeded(self, failed: int, total: int) -> bool:
        count, percentage = self.tolerated_failure_count, self.tolerated_failure_percentage
        if count is None and percentage is None:
            return self.min_successful is None and failed > 0
        if count is not None and failed > count:
            return True
        return percentage is not None and total > 0 and failed * 100 / total > percentage
