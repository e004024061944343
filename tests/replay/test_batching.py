from __future__ import annotations

from collections import deque
from collections.abc import Sequence
from itertools import pairwise

import msgspec
from hypothesis import given
from hypothesis import strategies as st

from everstep.protocol.limits import MAX_BATCH_BYTES, MAX_BATCH_UPDATES
from everstep.protocol.shapes import (
    CallbackOptions,
    ChainedInvokeOptions,
    ContextOptions,
    ErrorObject,
    OperationUpdate,
    StepOptions,
    WaitOptions,
)
from everstep.replay.batching import take_batch, update_bytes

ids = st.binary(min_size=32, max_size=32).map(bytes.hex)
texts = st.text(st.characters(codec="utf-8") | st.sampled_from('"\\\n\t\r\b\f\0\x1f\x7f\u2028é💥/<>'), max_size=300)
errors = st.builds(
    ErrorObject,
    error_message=st.none() | texts,
    error_type=st.none() | texts,
    error_data=st.none() | texts,
    stack_trace=st.none() | st.lists(texts, max_size=3),
)
updates = st.builds(
    OperationUpdate,
    id=ids,
    type=st.sampled_from(["STEP", "CONTEXT", "CHAINED_INVOKE", "CALLBACK"]),
    action=st.sampled_from(["START", "SUCCEED", "FAIL", "RETRY"]),
    parent_id=st.none() | ids,
    name=st.none() | texts,
    sub_type=st.none() | st.just("WaitForCondition"),
    payload=st.none() | texts,
    error=st.none() | errors,
    context_options=st.none() | st.builds(ContextOptions, replay_children=st.booleans()),
    step_options=st.none() | st.builds(StepOptions, next_attempt_delay_seconds=st.integers(1, 31_622_400)),
    wait_options=st.none() | st.builds(WaitOptions, wait_seconds=st.integers(1, 31_622_400)),
    callback_options=st.none() | st.builds(CallbackOptions, timeout_seconds=st.none() | st.integers(0, 99_999_999)),
    chained_invoke_options=st.none() | st.builds(ChainedInvokeOptions, function_name=texts, tenant_id=st.none() | texts),
)
sizes = st.integers(min_value=1, max_value=2 * MAX_BATCH_BYTES) | st.integers(min_value=1, max_value=2_000)


def numbered(sizes: Sequence[int]) -> deque[tuple[OperationUpdate, int]]:
    """Updates that say where they were in the queue, with sizes as given."""
    return deque((OperationUpdate(id=str(index), type="STEP", action="START"), size) for index, size in enumerate(sizes))


def batches_of(queue: deque[tuple[OperationUpdate, int]]) -> list[list[int]]:
    """The places of the updates in each batch, until nothing is left."""
    batches: list[list[int]] = []
    while queue:
        batches.append([int(update.id) for update in take_batch(queue)])
    return batches


@given(st.lists(sizes, max_size=40))
def test_batches_hold_every_update_once_and_in_order(sizes: list[int]) -> None:
    batches = batches_of(numbered(sizes))

    assert all(batches)
    assert [place for batch in batches for place in batch] == list(range(len(sizes)))


@given(st.lists(sizes, max_size=40))
def test_only_an_update_that_is_alone_may_exceed_the_limit_on_bytes(sizes: list[int]) -> None:
    for batch in batches_of(numbered(sizes)):
        assert len(batch) == 1 or sum(sizes[place] for place in batch) <= MAX_BATCH_BYTES


@given(st.lists(sizes, max_size=40))
def test_a_batch_ends_only_where_the_next_update_would_not_fit(sizes: list[int]) -> None:
    batches = batches_of(numbered(sizes))

    for batch, following in pairwise(batches):
        assert sum(sizes[place] for place in (*batch, following[0])) > MAX_BATCH_BYTES


def test_an_update_above_the_limit_goes_alone() -> None:
    assert batches_of(numbered([10, MAX_BATCH_BYTES + 1, 10, 10])) == [[0], [1], [2, 3]]


def test_a_batch_may_be_exactly_as_large_as_the_limit() -> None:
    assert batches_of(numbered([MAX_BATCH_BYTES - 10, 10, 1])) == [[0, 1], [2]]


def test_a_batch_holds_no_more_updates_than_a_request_may() -> None:
    batches = batches_of(numbered([1] * (2 * MAX_BATCH_UPDATES + 1)))

    assert [len(batch) for batch in batches] == [MAX_BATCH_UPDATES, MAX_BATCH_UPDATES, 1]


def test_nothing_queued_makes_an_empty_batch() -> None:
    assert take_batch(deque()) == []


@given(st.lists(updates, max_size=5))
def test_the_sizes_of_updates_add_up_to_the_bytes_of_the_requests_json(updates: list[OperationUpdate]) -> None:
    body = msgspec.json.encode({"Updates": updates})

    around = len(b'{"Updates":[]}')
    assert sum(map(update_bytes, updates)) == len(body) - around + (1 if updates else 0), "one comma more than there is"


def test_bytes_are_counted_and_not_characters() -> None:
    plain = OperationUpdate(id="1", type="STEP", action="SUCCEED", payload="x" * 1_000)
    accented = OperationUpdate(id="1", type="STEP", action="SUCCEED", payload="é" * 1_000)
    quoted = OperationUpdate(id="1", type="STEP", action="SUCCEED", payload='"' * 1_000)
    control = OperationUpdate(id="1", type="STEP", action="SUCCEED", payload="\0" * 1_000)

    around = update_bytes(plain) - 1_000

    assert [update_bytes(update) - around for update in (accented, quoted, control)] == [2_000, 2_000, 6_000]
