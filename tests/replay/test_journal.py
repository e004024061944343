from __future__ import annotations

from collections.abc import Mapping

import pytest
from hypothesis import given
from hypothesis import strategies as st

from everstep.errors import ReplayMismatch
from everstep.protocol.shapes import TERMINAL, Operation, OperationStatus
from everstep.replay.journal import Journal, check_identity

STATUSES: tuple[OperationStatus, ...] = ("STARTED", "PENDING", "READY", "SUCCEEDED", "FAILED", "CANCELLED", "TIMED_OUT", "STOPPED")
operations = st.builds(
    Operation,
    id=st.sampled_from("abcdef"),
    type=st.just("STEP"),
    status=st.sampled_from(STATUSES),
    start_timestamp=st.integers(0, 5),
    end_timestamp=st.none() | st.integers(0, 5),
)


def operation(operation_id: str, status: OperationStatus = "STARTED", *, began: int = 0, ended: int | None = None) -> Operation:
    return Operation(id=operation_id, type="STEP", status=status, start_timestamp=began, end_timestamp=ended)


def journal(*operations: Operation) -> Journal:
    return Journal({operation.id: operation for operation in operations})


# -- what is recorded ------------------------------------------------------------


@given(st.lists(operations), st.lists(operations))
def test_a_finished_operation_never_changes(recorded: list[Operation], news: list[Operation]) -> None:
    kept = journal(*recorded)
    finished: dict[str, Operation] = {}

    for each in news:
        finished |= {known.id: known for known in kept.operations.values() if known.status in TERMINAL}
        kept.absorb(each)

    assert {operation_id: kept.operations[operation_id] for operation_id in finished} == finished


@given(st.lists(operations), st.lists(operations))
def test_absorbing_says_whether_it_was_news(recorded: list[Operation], news: list[Operation]) -> None:
    kept = journal(*recorded)

    for each in news:
        was_open = each.id not in kept.operations or kept.operations[each.id].status not in TERMINAL

        assert kept.absorb(each) is was_open
        assert not was_open or kept.operations[each.id] is each


@given(st.lists(operations), st.lists(operations | st.sampled_from("abcdef")))
def test_the_place_of_an_operation_is_fixed_when_it_is_first_seen_or_sent(recorded: list[Operation], later: list[Operation | str]) -> None:
    kept = journal(*recorded)
    order = list(kept.operations)

    for each in later:
        name = each if isinstance(each, str) else each.id
        if isinstance(each, str):
            kept.begin(each)
        else:
            kept.absorb(each)
        if name not in order:
            order.append(name)

        assert [kept.place(known) for known in order] == list(range(len(order)))


def test_a_mapping_that_is_no_dict_is_copied() -> None:
    recorded: Mapping[str, Operation] = {"a": operation("a")}.items().mapping

    kept = Journal(recorded)
    kept.absorb(operation("b"))

    assert list(recorded) == ["a"]
    assert list(kept.operations) == ["a", "b"]


# -- the order of completions -------------------------------------------------------


def test_completions_are_ordered_by_their_end_and_then_by_their_beginning() -> None:
    early = operation("early", "SUCCEEDED", ended=10)
    second = operation("second", "FAILED", ended=20)
    third = operation("third", "SUCCEEDED", ended=20)
    kept = journal(second, third, early)

    assert sorted([third, early, second], key=kept.key) == [early, second, third]


def test_a_completion_without_an_end_time_counts_from_its_start() -> None:
    kept = journal(operation("a", "SUCCEEDED", began=7))

    assert kept.key(kept.operations["a"]) == (7, 0)


# -- identity -------------------------------------------------------------------------


def record(**changes: str | None) -> Operation:
    given: dict[str, str | None] = {
        "id": "f" * 64,
        "type": "STEP",
        "status": "STARTED",
        "sub_type": "Step",
        "name": "charge",
        "parent_id": "p" * 64,
    }
    return Operation(**{**given, **changes})  # type: ignore[arg-type]  # a table of strings


def check(
    recorded: Operation,
    *,
    operation_type: str = "STEP",
    sub_type: str = "Step",
    name: str | None = "charge",
    name_is_inferred: bool = False,
    parent_id: str | None = "p" * 64,
    where: str | None = None,
) -> None:
    check_identity(
        recorded,
        operation_type=operation_type,
        sub_type=sub_type,
        name=name,
        name_is_inferred=name_is_inferred,
        parent_id=parent_id,
        where=where,
    )


def test_what_is_recorded_may_be_asked_for_again() -> None:
    check(record())


@pytest.mark.parametrize("nameless", [None, ""])
def test_no_name_and_an_empty_name_are_the_same(nameless: str | None) -> None:
    check(record(name=nameless), name=None)


@pytest.mark.parametrize("nameless", [None, ""])
def test_a_record_without_a_name_agrees_with_one_taken_from_the_function(nameless: str | None) -> None:
    check(record(name=nameless), name="charge", name_is_inferred=True)


def test_a_record_without_a_sub_type_agrees_with_any() -> None:
    check(record(sub_type=None))


@pytest.mark.parametrize(
    ("recorded", "asked"),
    [
        (record(), {"operation_type": "WAIT", "sub_type": "Wait"}),
        (record(type="CONTEXT"), {}),
        (record(sub_type="WaitForCondition"), {}),
        (record(), {"sub_type": "Custom"}),
        (record(name="refund"), {}),
        (record(name="refund"), {"name_is_inferred": True}),
        (record(), {"name": None}),
        (record(), {"name": None, "name_is_inferred": True}),
        (record(name=None), {}),
        (record(name=""), {}),
        (record(parent_id=None), {}),
        (record(), {"parent_id": None}),
        (record(), {"parent_id": "q" * 64}),
    ],
)
def test_anything_else_is_a_mismatch(recorded: Operation, asked: dict[str, str]) -> None:
    with pytest.raises(ReplayMismatch):
        check(recorded, **asked)  # type: ignore[arg-type]  # a table of keywords


def test_a_mismatch_names_both_sides_and_the_line() -> None:
    with pytest.raises(ReplayMismatch) as raised:
        check(record(), operation_type="WAIT", sub_type="Wait", name=None, parent_id=None, where="order.py:12")

    mismatch = raised.value
    assert (mismatch.recorded, mismatch.asked) == (f'Step "charge" inside {"p" * 12}…', "an unnamed Wait")
    assert (mismatch.operation_id, mismatch.where) == ("f" * 64, "order.py:12")
    assert "(called at order.py:12)" in str(mismatch)
    assert "publish the change as a new version" in str(mismatch)


def test_a_record_without_a_sub_type_is_described_by_its_type() -> None:
    with pytest.raises(ReplayMismatch) as raised:
        check(record(type="CONTEXT", sub_type=None, name=None, parent_id=None))

    assert raised.value.recorded == "an unnamed CONTEXT"
