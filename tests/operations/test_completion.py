from __future__ import annotations

import math
from collections.abc import Mapping
from fractions import Fraction
from typing import cast

import pytest
from hypothesis import given
from hypothesis import strategies as st

from everstep.errors import UsageError
from everstep.operations.batch import ItemStatus
from everstep.operations.completion import Completion, CompletionReason, Progress, Verdict

percentages = st.integers(min_value=0, max_value=400).map(lambda quarters: quarters / 4)
completions = st.builds(
    Completion,
    min_successful=st.none() | st.integers(1, 12),
    tolerated_failure_count=st.none() | st.integers(0, 12),
    tolerated_failure_percentage=st.none() | percentages,
)


def of(total: int, succeeded: int, failed: int, running: int = 0) -> Progress:
    """So many of `total` items succeeded and failed, and so many more were started."""
    counts: list[tuple[ItemStatus, int]] = [("SUCCEEDED", succeeded), ("FAILED", failed), ("STARTED", running)]
    statuses: list[ItemStatus] = [status for status, count in counts for _ in range(count)]
    return Progress(succeeded, failed, total, statuses)


@st.composite
def progresses(draw: st.DrawFn) -> Progress:
    total = draw(st.integers(0, 12))
    failed = draw(st.integers(0, total))
    succeeded = draw(st.integers(0, total - failed))
    return of(total, succeeded, failed, draw(st.integers(0, total - failed - succeeded)))


def model(completion: Completion, progress: Progress) -> CompletionReason | None:
    """The rules in the words of the official SDK, as a list of what would end the batch, the first one that applies first."""
    succeeded, failed, total = progress.success_count, progress.failure_count, progress.total_count
    count, percentage, enough = completion.tolerated_failure_count, completion.tolerated_failure_percentage, completion.min_successful
    has_no_criterion = {count, percentage, enough} == {None}
    too_many = (
        (has_no_criterion and failed >= 1)
        or (count is not None and failed >= count + 1)
        or (percentage is not None and total >= 1 and Fraction(failed, total) > Fraction(percentage) / 100)
    )
    everything = succeeded + failed == total
    plenty = enough is not None and succeeded >= enough
    rules: list[tuple[bool, CompletionReason]] = [
        (too_many, "FAILURE_TOLERANCE_EXCEEDED"),
        (everything, "ALL_COMPLETED"),
        (plenty, "MIN_SUCCESSFUL_REACHED"),
    ]
    return next((reason for applies, reason in rules if applies), None)


@given(completions, progresses())
def test_a_batch_is_complete_for_the_reason_that_the_rules_give(completion: Completion, progress: Progress) -> None:
    assert completion.reason(progress) == model(completion, progress)


@given(completions, st.lists(st.booleans(), max_size=12))
def test_every_batch_is_complete_at_the_latest_when_all_items_have_ended(completion: Completion, ends: list[bool]) -> None:
    assert completion.reason(of(len(ends), ends.count(True), ends.count(False))) is not None


def test_an_empty_batch_is_complete_at_once() -> None:
    for completion in (Completion(), Completion.first_successful(), Completion.all_completed(), Completion.all_successful()):
        assert completion.reason(of(0, 0, 0)) == "ALL_COMPLETED"


@pytest.mark.parametrize(
    ("completion", "succeeded", "failed", "reason"),
    [
        (Completion(), 9, 0, None),
        (Completion(), 0, 1, "FAILURE_TOLERANCE_EXCEEDED"),
        (Completion.all_successful(), 9, 0, None),
        (Completion.all_successful(), 9, 1, "FAILURE_TOLERANCE_EXCEEDED"),
        (Completion.all_completed(), 0, 9, None),
        (Completion.all_completed(), 0, 10, "ALL_COMPLETED"),
        (Completion.first_successful(), 0, 9, None),
        (Completion.first_successful(), 1, 8, "MIN_SUCCESSFUL_REACHED"),
        (Completion.first_successful(), 0, 10, "ALL_COMPLETED"),
        (Completion(tolerated_failure_count=2), 0, 2, None),
        (Completion(tolerated_failure_count=2), 0, 3, "FAILURE_TOLERANCE_EXCEEDED"),
        (Completion(tolerated_failure_percentage=20), 0, 2, None),
        (Completion(tolerated_failure_percentage=20), 0, 3, "FAILURE_TOLERANCE_EXCEEDED"),
        (Completion(tolerated_failure_percentage=19.9), 0, 2, "FAILURE_TOLERANCE_EXCEEDED"),
        (Completion(tolerated_failure_count=9, tolerated_failure_percentage=10), 0, 2, "FAILURE_TOLERANCE_EXCEEDED"),
        (Completion(min_successful=3, tolerated_failure_count=1), 3, 2, "FAILURE_TOLERANCE_EXCEEDED"),
        (Completion(min_successful=8), 8, 2, "ALL_COMPLETED"),
    ],
)
def test_of_ten_items(completion: Completion, succeeded: int, failed: int, reason: CompletionReason | None) -> None:
    assert completion.reason(of(10, succeeded, failed)) == reason


def test_a_third_given_as_a_number_tolerates_a_third() -> None:
    completion = Completion(tolerated_failure_percentage=100 / 3)

    assert completion.reason(of(3, 0, 1)) is None
    assert completion.reason(of(3, 0, 2)) == "FAILURE_TOLERANCE_EXCEEDED"


# -- a rule of the user's own --------------------------------------------------------


def two_of_either(progress: Progress) -> Verdict | None:
    if progress.success_count >= 2:
        return "SUCCEEDED"
    return "FAILED" if progress.failure_count >= 2 else None


@pytest.mark.parametrize(
    ("progress", "reason"),
    [
        (of(5, 0, 0), None),
        (of(5, 1, 1, running=2), None),
        (of(5, 2, 1), "CUSTOM_COMPLETION_SUCCEEDED"),
        (of(5, 1, 2), "CUSTOM_COMPLETION_FAILED"),
        (of(2, 2, 0), "CUSTOM_COMPLETION_SUCCEEDED"),
        (of(2, 1, 1), "ALL_COMPLETED"),
        (of(0, 0, 0), "ALL_COMPLETED"),
    ],
)
def test_a_rule_of_ones_own_decides_until_everything_has_ended(progress: Progress, reason: CompletionReason | None) -> None:
    assert Completion(should_complete=two_of_either).reason(progress) == reason


def test_a_rule_may_complete_a_batch_before_anything_is_started() -> None:
    assert Completion(should_complete=lambda _: "FAILED").reason(of(5, 0, 0)) == "CUSTOM_COMPLETION_FAILED"


def test_a_rule_sees_how_far_each_item_is() -> None:
    seen: list[Progress] = []

    def rule(progress: Progress) -> None:
        seen.append(progress)

    Completion(should_complete=rule).reason(of(5, 1, 2, running=1))

    assert [(progress.completed_count, list(progress.statuses)) for progress in seen] == [(3, ["SUCCEEDED", "FAILED", "FAILED", "STARTED"])]


@pytest.mark.parametrize("answer", [True, False, "DONE", 1, ""])
def test_an_answer_that_is_no_verdict_is_refused_with_its_value(answer: object) -> None:
    def rule(_: Progress) -> Verdict | None:
        return cast("Verdict", answer)

    with pytest.raises(UsageError, match=f"should_complete answered {answer!r}; "):
        Completion(should_complete=rule).reason(of(5, 0, 0))


@pytest.mark.parametrize(
    "threshold", [{"min_successful": 1}, {"tolerated_failure_count": 0}, {"tolerated_failure_percentage": 0}], ids=repr
)
def test_a_rule_of_ones_own_excludes_thresholds(threshold: Mapping[str, int]) -> None:
    with pytest.raises(UsageError, match="should_complete is a rule of its own"):
        Completion(should_complete=two_of_either, **threshold)


# -- options ---------------------------------------------------------------------------


def test_more_successes_than_items_can_never_be_enough() -> None:
    with pytest.raises(UsageError, match=r"min_successful is 4, but there are only 3 items"):
        Completion(min_successful=4).check_total(3)


def test_no_items_are_too_few_for_a_success() -> None:
    with pytest.raises(UsageError, match=r"min_successful is 1, but there are only 0 items"):
        Completion(min_successful=1).check_total(0)


@pytest.mark.parametrize("total", [4, 5])
def test_as_many_successes_as_items_are_fine(total: int) -> None:
    Completion(min_successful=4).check_total(total)


@pytest.mark.parametrize(
    "options",
    [
        {"min_successful": 0},
        {"tolerated_failure_count": -1},
        {"tolerated_failure_percentage": -0.1},
        {"tolerated_failure_percentage": 100.1},
        {"tolerated_failure_percentage": math.nan},
    ],
    ids=repr,
)
def test_an_option_out_of_range_is_refused_by_name_with_its_value(options: Mapping[str, float]) -> None:
    [(name, value)] = options.items()

    with pytest.raises(UsageError) as refused:
        Completion(**options)  # type: ignore[arg-type]  # as an untyped caller would

    assert str(refused.value).startswith(f"{name} is {value}; ")
