from __future__ import annotations

from collections.abc import Sequence
from itertools import pairwise
from typing import get_args

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from everstep.errors import BatchError, ChildContextError, OperationError, SerializationError, UsageError
from everstep.failures import describe, restore
from everstep.operations.batch import (
    BatchItem,
    BatchResult,
    ItemStatus,
    RecordedItem,
    TupleResult,
    batch_text,
    divided,
    read_batch,
    read_summary,
    summary_text,
)
from everstep.operations.completion import CompletionReason
from everstep.protocol.shapes import ErrorObject
from everstep.serdes import PLAIN, serdes_for

REASONS: Sequence[CompletionReason] = get_args(CompletionReason)
STATUSES: Sequence[ItemStatus] = ("SUCCEEDED", "FAILED", "STARTED")

texts = st.text(max_size=20)
values = st.recursive(
    st.none() | st.booleans() | st.integers() | texts,
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(texts, inner, max_size=3),
    max_leaves=5,
)
errors = st.builds(
    ErrorObject,
    error_message=st.none() | texts,
    error_type=st.none() | st.sampled_from(["ValueError", "KeyError", "shop.Declined"]),
    error_data=st.none() | texts,
    stack_trace=st.none() | st.lists(texts, min_size=1, max_size=2),
)


@st.composite
def recorded_items(draw: st.DrawFn) -> list[RecordedItem]:
    items: list[RecordedItem] = []
    for index, status in enumerate(draw(st.lists(st.sampled_from(STATUSES), max_size=8))):
        match status:
            case "SUCCEEDED":
                items.append(RecordedItem(index, status, msgspec.Raw(PLAIN.serialize(draw(values)).encode())))
            case "FAILED":
                items.append(RecordedItem(index, status, error=draw(errors)))
            case "STARTED":
                items.append(RecordedItem(index, status))
    return items


def read_plainly(_index: int, text: str) -> object:
    return PLAIN.deserialize(text)


def error(message: str, error_type: str = "ValueError") -> ChildContextError:
    return restore(ErrorObject(error_message=message, error_type=error_type), ChildContextError)


MIXED: BatchResult[str] = BatchResult(
    [
        BatchItem(0, "SUCCEEDED", "a"),
        BatchItem(1, "FAILED", error=error("one")),
        BatchItem(2, "STARTED"),
        BatchItem(3, "SUCCEEDED", "d"),
        BatchItem(4, "FAILED", error=error("four", "KeyError")),
    ],
    "FAILURE_TOLERANCE_EXCEEDED",
)


# -- the result ---------------------------------------------------------------------


def test_a_result_gives_the_items_of_each_status_by_index() -> None:
    assert [item.index for item in MIXED.succeeded()] == [0, 3]
    assert [item.index for item in MIXED.failed()] == [1, 4]
    assert [item.index for item in MIXED.started()] == [2]
    assert (MIXED.success_count, MIXED.failure_count, MIXED.started_count, MIXED.total_count) == (2, 2, 1, 5)
    assert len(MIXED) == 5


def test_iterating_gives_the_results_of_those_that_succeeded() -> None:
    assert list(MIXED) == MIXED.get_results() == ["a", "d"]


def test_a_result_that_is_none_is_a_result() -> None:
    item: BatchItem[None] = BatchItem(0, "SUCCEEDED", None)

    assert BatchResult([item], "ALL_COMPLETED").get_results() == [None]


def test_the_errors_are_those_of_the_failed_items() -> None:
    assert [str(error) for error in MIXED.get_errors()] == ["one", "four"]


def test_any_failure_makes_the_batch_failed_whatever_was_tolerated() -> None:
    tolerated: BatchResult[int] = BatchResult(
        [BatchItem(0, "SUCCEEDED", 1), BatchItem(1, "FAILED", error=error("x"))], "MIN_SUCCESSFUL_REACHED"
    )

    assert tolerated.has_failure
    assert tolerated.status == "FAILED"


def test_a_batch_whose_own_rule_says_so_has_failed_without_a_failed_item() -> None:
    ruled: BatchResult[int] = BatchResult([BatchItem(0, "SUCCEEDED", 1)], "CUSTOM_COMPLETION_FAILED")

    assert ruled.status == "FAILED"
    assert not ruled.has_failure


def test_without_failures_a_batch_has_succeeded_also_while_items_were_running() -> None:
    result = BatchResult([BatchItem(0, "SUCCEEDED", 1), BatchItem(1, "STARTED")], "MIN_SUCCESSFUL_REACHED")

    assert not result.has_failure
    assert result.status == "SUCCEEDED"
    result.throw_if_error()


def test_the_first_failed_items_error_is_thrown_as_a_batch_error_and_as_what_it_was() -> None:
    with pytest.raises(ValueError, match="one") as raised:
        MIXED.throw_if_error()

    thrown = raised.value
    assert isinstance(thrown, BatchError)
    assert (thrown.message, thrown.error_type) == ("one", "ValueError")


def test_a_failed_item_of_which_no_error_is_known_is_thrown_too() -> None:
    result: BatchResult[int] = BatchResult([BatchItem(0, "FAILED")], "ALL_COMPLETED")

    with pytest.raises(BatchError):
        result.throw_if_error()


def test_a_result_without_any_item_is_false_and_has_succeeded() -> None:
    empty: BatchResult[int] = BatchResult([], "ALL_COMPLETED")

    assert list(empty) == []
    assert not empty
    assert empty.status == "SUCCEEDED"


def test_a_tuples_values_come_in_its_order() -> None:
    result: TupleResult[int, str] = TupleResult([BatchItem(0, "SUCCEEDED", 1), BatchItem(1, "SUCCEEDED", "a")], "ALL_COMPLETED")

    assert result.values() == (1, "a")


def test_a_tuple_with_a_failed_branch_raises_its_error_instead_of_giving_values() -> None:
    result: TupleResult[int, str] = TupleResult([BatchItem(0, "SUCCEEDED", 1), BatchItem(1, "FAILED", error=error("x"))], "ALL_COMPLETED")

    with pytest.raises(ValueError, match="x"):
        result.values()


@pytest.mark.parametrize("statuses", [["SUCCEEDED", "STARTED"], ["SUCCEEDED"]])
def test_a_tuple_that_was_complete_before_all_branches_ended_has_no_values(statuses: list[ItemStatus]) -> None:
    items: list[BatchItem[object]] = [BatchItem(index, status) for index, status in enumerate(statuses)]
    result: TupleResult[int, str] = TupleResult(items, "MIN_SUCCESSFUL_REACHED")

    with pytest.raises(UsageError, match="needs every branch to have ended"):
        result.values()


# -- batches of items ------------------------------------------------------------------


@given(st.lists(st.text(max_size=30)), st.integers(1, 5), st.integers(1, 60))
def test_items_are_divided_in_order_within_both_limits(items: list[str], max_items: int, max_bytes: int) -> None:
    sizes = {item: len(PLAIN.serialize(item).encode()) for item in items}

    batches = divided(items, max_items=max_items, max_bytes=max_bytes)

    assert [item for batch in batches for item in batch] == items
    for batch in batches:
        assert 1 <= len(batch) <= max_items
        assert len(batch) == 1 or sum(sizes[item] for item in batch) <= max_bytes
    for batch, following in pairwise(batches):
        assert len(batch) == max_items or sum(sizes[item] for item in (*batch, following[0])) > max_bytes


@pytest.mark.parametrize(("max_items", "max_bytes"), [(0, 1), (1, 0), (-1, 5)])
def test_a_batch_that_can_hold_nothing_is_refused(max_items: int, max_bytes: int) -> None:
    with pytest.raises(UsageError, match=f"max_items={max_items} and max_bytes={max_bytes}"):
        divided([1], max_items=max_items, max_bytes=max_bytes)


# -- what is recorded -----------------------------------------------------------------


@given(recorded_items(), st.sampled_from(REASONS))
def test_a_batch_is_read_as_it_was_written(items: list[RecordedItem], reason: CompletionReason) -> None:
    result = read_batch(batch_text(items, reason), read_plainly)

    assert result.completion_reason == reason
    assert [(item.index, item.status) for item in result.all] == [(item.index, item.status) for item in items]
    for item, recorded in zip(result.all, items, strict=True):
        if isinstance(recorded.result, msgspec.Raw):
            assert PLAIN.serialize(item.result).encode() == bytes(recorded.result)
        assert (item.error is not None) == (recorded.status == "FAILED")
        if item.error is not None and recorded.error is not None:
            assert isinstance(item.error, ChildContextError)
            assert item.error.message == (recorded.error.error_message or "")
            assert item.error.error_type == recorded.error.error_type


@given(recorded_items(), st.sampled_from(REASONS))
def test_a_batch_is_recorded_in_the_format_of_the_family(items: list[RecordedItem], reason: CompletionReason) -> None:
    written = msgspec.json.decode(batch_text(items, reason))

    assert written["completionReason"] == reason
    assert [item["index"] for item in written["all"]] == [item.index for item in items]
    assert {key for item in written["all"] for key in item} <= {"index", "status", "result", "error"}


def test_an_items_result_is_json_inside_the_json_and_read_by_the_items_own_serdes() -> None:
    items = [RecordedItem(0, "SUCCEEDED", msgspec.Raw(b'"2026-01-01T00:00:00Z"')), RecordedItem(1, "SUCCEEDED", msgspec.Raw(b"[1,2]"))]
    readers = [serdes_for(str), serdes_for(set[int])]

    text = batch_text(items, "ALL_COMPLETED")
    result = read_batch(text, lambda index, own: readers[index].deserialize(own))

    assert '"result":[1,2]' in text
    assert result.get_results() == ["2026-01-01T00:00:00Z", {1, 2}]


@given(st.lists(texts | st.sampled_from(["1,2", '{"a":', "NaN", "", "  ", " 1", "1 ", "[1]\n"]), max_size=5))
def test_a_serdes_may_write_its_items_as_something_else_than_json(own_texts: list[str]) -> None:
    items = [RecordedItem(index, "SUCCEEDED", msgspec.Raw(own.encode())) for index, own in enumerate(own_texts)]

    text = batch_text(items, "ALL_COMPLETED")

    assert read_batch(text, lambda _index, own: own).get_results() == own_texts
    msgspec.json.decode(text)


def test_a_result_that_is_null_is_read_by_the_items_serdes_too() -> None:
    seen: list[str] = []

    def reader(_index: int, text: str) -> str:
        seen.append(text)
        return "nothing"

    result = read_batch(batch_text([RecordedItem(0, "SUCCEEDED", msgspec.Raw(b"null"))], "ALL_COMPLETED"), reader)

    assert seen == ["null"]
    assert result.get_results() == ["nothing"]


def test_an_items_error_comes_back_as_what_it_was() -> None:
    items = [RecordedItem(0, "FAILED", error=describe(KeyError("id")))]

    [item] = read_batch(batch_text(items, "ALL_COMPLETED"), read_plainly).all

    assert isinstance(item.error, KeyError)
    assert isinstance(item.error, ChildContextError)
    assert item.error.args == ("id",)


def test_a_failed_item_without_a_recorded_error_still_has_one() -> None:
    [item] = read_batch('{"all": [{"index": 0, "status": "FAILED"}], "completionReason": "ALL_COMPLETED"}', read_plainly).all

    assert isinstance(item.error, OperationError)


@pytest.mark.parametrize("text", ["", "[]", '{"all": []}', '{"all": [], "completionReason": "BORED"}', '{"all": [{"index": 0}]}', "{"])
def test_a_batch_that_cannot_be_read_is_a_serialization_error(text: str) -> None:
    with pytest.raises(SerializationError, match="recorded result of a batch can't be read"):
        read_batch(text, read_plainly)


# -- the summary ------------------------------------------------------------------------


@given(recorded_items(), st.sampled_from(REASONS))
def test_a_summary_says_which_items_there_were_and_how_they_ended(items: list[RecordedItem], reason: CompletionReason) -> None:
    summary = read_summary(summary_text("Map", items, reason))

    assert summary.type == "MapResult"
    assert summary.completion_reason == reason
    assert summary.total_count == len(items)
    assert list(summary.started_indexes or ()) == [item.index for item in items if item.status == "STARTED"]
    assert summary.started_count + summary.success_count + summary.failure_count == len(items)
    assert summary.failure_count == sum(item.status == "FAILED" for item in items)
    assert (summary.status == "FAILED") == any(item.status == "FAILED" for item in items)


def test_a_summary_has_the_members_that_the_family_of_sdks_writes() -> None:
    items = [RecordedItem(0, "SUCCEEDED"), RecordedItem(1, "STARTED"), RecordedItem(2, "FAILED")]

    assert msgspec.json.decode(summary_text("Parallel", items, "FAILURE_TOLERANCE_EXCEEDED")) == {
        "type": "ParallelResult",
        "totalCount": 3,
        "completionReason": "FAILURE_TOLERANCE_EXCEEDED",
        "startedIndexes": [1],
        "startedCount": 1,
        "successCount": 1,
        "failureCount": 1,
        "status": "FAILED",
    }


def test_a_summary_that_another_sdk_wrote_may_say_more() -> None:
    summary = read_summary('{"type": "MapResult", "totalCount": 2, "completionReason": "ALL_COMPLETED", "summary": "x"}')

    assert summary.total_count == 2
    assert summary.started_indexes is None


def test_a_summary_that_cannot_be_read_is_a_serialization_error() -> None:
    with pytest.raises(SerializationError, match="recorded summary of a batch can't be read"):
        read_summary('{"type": "MapResult"}')
