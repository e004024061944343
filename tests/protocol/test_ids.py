from __future__ import annotations

from hashlib import blake2b

import pytest
from hypothesis import given
from hypothesis import strategies as st

from everstep.protocol.ids import branch_id, execution_id, keyed_id, operation_id, task_prefix, timer_id

numbers = st.integers(min_value=0, max_value=10_000)
prefixes = st.just("") | st.binary(min_size=32, max_size=32).map(bytes.hex)


def official(position: str) -> str:
    """The algorithm of the official Python SDK, written down again."""
    return blake2b(position.encode(), digest_size=64).hexdigest()[:64]


@pytest.mark.parametrize(
    ("made", "begins", "position"),
    [
        (operation_id("", 1), "1ced8f5b", "1"),
        (operation_id("", 2), "c5faca15", "2"),
        (operation_id(operation_id("", 2), 1), "9b9a566e", f"{official('2')}-1"),
        (branch_id(operation_id("", 3), 0), "be82df04", f"{official('3')}-0"),
    ],
    ids=["first at the root", "second at the root", "first in a child of the second", "first branch of the third"],
)
def test_ids_are_those_that_the_official_sdk_recorded(made: str, begins: str, position: str) -> None:
    assert made == official(position)
    assert made.startswith(begins)


def test_an_id_is_a_full_digest_cut_short_and_not_a_short_digest() -> None:
    assert operation_id("", 1) != blake2b(b"1", digest_size=32).hexdigest()


@given(prefix=prefixes, number=numbers.filter(bool))
def test_an_operations_id_hashes_its_contexts_id_and_its_number(prefix: str, number: int) -> None:
    assert operation_id(prefix, number) == official(f"{prefix}-{number}" if prefix else f"{number}")


@given(batch=prefixes.filter(bool), index=numbers)
def test_a_branchs_id_hashes_its_batchs_id_and_its_index(batch: str, index: int) -> None:
    assert branch_id(batch, index) == official(f"{batch}-{index}")


@given(prefix=prefixes, number=numbers, key=st.text(max_size=5) | numbers.map(str), other_prefix=prefixes, other=numbers)
def test_what_the_official_sdk_does_not_have_never_shares_an_id_with_what_it_has(
    prefix: str, number: int, key: str, other_prefix: str, other: int
) -> None:
    ours = {task_prefix(prefix, number), timer_id(prefix, number), keyed_id(prefix, key)}

    theirs = {operation_id(other_prefix, other), branch_id(other_prefix, other), operation_id(prefix, number), branch_id(prefix, number)}

    assert len(ours) == 3
    assert not ours & theirs


@given(
    places=st.lists(
        st.tuples(st.sampled_from([operation_id, task_prefix, timer_id]), prefixes, numbers.filter(bool)), unique=True, max_size=30
    )
)
def test_different_places_have_different_ids(places: list[tuple[object, str, int]]) -> None:
    ids = [make(prefix, number) for make, prefix, number in places if callable(make)]

    assert len(set(ids)) == len(ids)


def test_the_execution_operation_is_called_as_the_arn_ends() -> None:
    arn = "arn:aws:lambda:us-east-1:123456789012:function:order:1/durable-execution/order-7/0b9c"

    assert execution_id(arn) == "0b9c"
