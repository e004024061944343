from __future__ import annotations

from typing import get_args

import pytest
from hypothesis import given
from hypothesis import strategies as st

from everstep.errors import NoneSucceeded, SerializationError
from everstep.failures import describe, restore
from everstep.operations.combination import Combinator, Decision, Settled, decide, decision_text, none_succeeded, read_decision, value_of

combinators: st.SearchStrategy[Combinator] = st.sampled_from(get_args(Combinator))


@st.composite
def ends(draw: st.DrawFn) -> tuple[list[tuple[int, bool]], int]:
    """Some of `total` members, in the order in which they ended, with whether they succeeded."""
    total = draw(st.integers(0, 6))
    order = draw(st.permutations(range(total)))
    ended = order[: draw(st.integers(0, total))]
    return [(index, draw(st.booleans())) for index in ended], total


def model(combinator: Combinator, ended: list[tuple[int, bool]], total: int) -> Decision | None:
    """In the words of JavaScript's Promise, which the names are from."""
    succeeded = [index for index, success in ended if success]
    failed = [index for index, success in ended if not success]
    deciding = {
        "All": failed,
        "Any": succeeded,
        "Race": [index for index, _ in ended],
        "Select": [index for index, _ in ended],
        "AllSettled": [],
    }[combinator]
    if deciding:
        return Decision(deciding[0])
    return Decision() if len(ended) == total else None


@given(combinators, ends())
def test_a_combinator_decides_as_its_name_says(combinator: Combinator, ends: tuple[list[tuple[int, bool]], int]) -> None:
    ended, total = ends

    assert decide(combinator, ended, total) == model(combinator, ended, total)


@given(combinators, ends())
def test_a_decision_stands_whoever_ends_later(combinator: Combinator, ends: tuple[list[tuple[int, bool]], int]) -> None:
    ended, total = ends
    decisions = [decide(combinator, ended[:count], total) for count in range(len(ended) + 1)]

    first = next((decision for decision in decisions if decision is not None), None)

    assert all(decision == first for decision in decisions if decision is not None)


@given(st.none() | st.integers(0, 1_000))
def test_a_decision_is_read_as_it_was_recorded(winner: int | None) -> None:
    assert read_decision(decision_text(Decision(winner))) == Decision(winner)


def test_that_all_have_ended_is_recorded_in_two_bytes() -> None:
    assert decision_text(Decision()) == "{}"


@pytest.mark.parametrize("text", ["", "[]", '{"winner": "a"}'])
def test_a_decision_that_cannot_be_read_is_a_serialization_error(text: str) -> None:
    with pytest.raises(SerializationError, match="recorded decision of a combinator can't be read"):
        read_decision(text)


def test_a_member_gives_its_value_or_raises_its_error() -> None:
    error = ValueError("x")
    nothing: Settled[None] = Settled("SUCCEEDED", None)
    failed: Settled[int] = Settled("FAILED", error=error)

    assert value_of(Settled("SUCCEEDED", 5)) == 5
    assert value_of(nothing) is None
    with pytest.raises(ValueError, match="x") as raised:
        value_of(failed)
    assert raised.value is error


def test_an_any_that_failed_tells_every_members_error() -> None:
    errors = [ValueError("a"), KeyError("b")]

    failure = none_succeeded(errors)

    assert str(failure) == "none of 2 succeeded: ValueError: a; KeyError: 'b'"
    assert failure.errors == tuple(errors)
    assert str(none_succeeded([])) == "none of 0 succeeded: it has no members"


def test_an_any_that_failed_inside_a_child_is_still_one_outside_of_it() -> None:
    outside = restore(describe(none_succeeded([ValueError("a")])), NoneSucceeded)

    assert type(outside) is NoneSucceeded
    assert str(outside) == "none of 1 succeeded: ValueError: a"
    assert outside.errors == ()
