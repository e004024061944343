from __future__ import annotations

from typing import cast

import pytest
from hypothesis import given
from hypothesis import strategies as st

from everstep.errors import UsageError
from everstep.operations.step import AwaitRetry, Decision, Interrupted, RunAttempt, Semantics, checked_semantics, decide
from everstep.protocol.shapes import Operation, OperationStatus, StepDetails

semantics: st.SearchStrategy[Semantics] = st.sampled_from(["at_least_once", "at_most_once"])
finished = st.integers(min_value=0, max_value=100)


def step(status: OperationStatus, finished: int | None = 0) -> Operation:
    return Operation(id="1", type="STEP", status=status, step_details=StepDetails(attempt=finished))


@given(semantics)
def test_a_step_that_is_not_recorded_begins_its_first_attempt(semantics: Semantics) -> None:
    assert decide(None, semantics) == RunAttempt(attempt=1, begin=True)


@given(semantics, finished)
def test_a_step_whose_next_attempt_is_due_begins_it(semantics: Semantics, finished: int) -> None:
    assert decide(step("READY", finished), semantics) == RunAttempt(attempt=finished + 1, begin=True)


@given(semantics, finished)
def test_a_step_between_two_attempts_waits(semantics: Semantics, finished: int) -> None:
    assert decide(step("PENDING", finished), semantics) == AwaitRetry()


@given(finished)
def test_an_interrupted_attempt_is_run_again_without_a_new_start(finished: int) -> None:
    assert decide(step("STARTED", finished), "at_least_once") == RunAttempt(attempt=finished + 1, begin=False)


@given(finished)
def test_an_interrupted_at_most_once_attempt_is_not_run_again(finished: int) -> None:
    assert decide(step("STARTED", finished), "at_most_once") == Interrupted(attempt=finished + 1)


@pytest.mark.parametrize(
    ("semantics", "decision"), [("at_least_once", RunAttempt(attempt=1, begin=False)), ("at_most_once", Interrupted(attempt=1))]
)
@pytest.mark.parametrize("recorded", [Operation(id="1", type="STEP", status="STARTED"), step("STARTED", None)])
def test_a_record_that_counts_no_attempts_is_of_the_first(recorded: Operation, semantics: Semantics, decision: Decision) -> None:
    assert decide(recorded, semantics) == decision


def test_only_the_two_semantics_are_known() -> None:
    assert checked_semantics("at_most_once") == "at_most_once"
    with pytest.raises(UsageError, match="semantics is 'exactly_once'"):
        checked_semantics(cast("Semantics", "exactly_once"))
