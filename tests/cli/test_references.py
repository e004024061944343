"""Which execution is meant."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import cast

import pytest

from everstep.cli.references import arn_of
from everstep.client.executions import ExecutionsApi
from everstep.errors import ServiceError, UsageError

FUNCTION = "arn:aws:lambda:us-east-1:123456789012:function:order:$LATEST/durable-execution"


class Listed:
    """A service that has these executions."""

    def __init__(self, *arns: str) -> None:
        self._arns = arns

    def durable_functions(self) -> Iterator[str]:
        yield "order"

    def list(self, function: str, *, name: str | None = None) -> Iterator[Mapping[str, object]]:
        return ({"DurableExecutionArn": arn} for arn in self._arns if name in (None, arn.split("/")[-2]))


def meant(reference: str, function: str | None = None) -> str:
    api = Listed(f"{FUNCTION}/first/abcd1111", f"{FUNCTION}/second/abcd2222", f"{FUNCTION}/abcd1/ffff3333")
    return arn_of(cast("ExecutionsApi", api), reference, function).partition("/durable-execution/")[2]


def test_an_id_may_be_cut_short_as_long_as_it_means_one() -> None:
    assert meant("abcd2") == "second/abcd2222"
    with pytest.raises(UsageError, match=r"any of 2 executions; say more of the id.*\n.*abcd1111\n.*abcd2222"):
        meant("abcd")
    with pytest.raises(ServiceError, match="no function has an execution that is called 'abc', or whose id"):
        meant("abc")


def test_a_name_comes_before_an_id() -> None:
    assert meant("abcd11") == "first/abcd1111"
    assert meant("abcd1") == "abcd1/ffff3333"
    assert meant("abcd1", "order") == "abcd1/ffff3333"


def test_an_arn_is_taken_as_it_is() -> None:
    assert meant(f"{FUNCTION}/gone/9999") == "gone/9999"
