from __future__ import annotations

from itertools import count

import pytest
from tests.service.fakes import Run, fake

from everstep.protocol.shapes import ChainedInvokeOptions, ErrorObject
from everstep.service.functions import Durable, Functions, Plain
from everstep.service.machine.model import DurableTarget, PlainTarget
from everstep.service.machine.rejection import Rejected

HERE = "arn:aws:lambda:us-east-1:123456789012:function"


async def handler(run: Run) -> object:
    return None


async def on_text(payload: str) -> str:
    return payload


def functions() -> Functions:
    numbers = count(1)
    known = Functions(account="123456789012", region="us-east-1", new_id=lambda: f"id-{next(numbers)}")
    known.add(Durable("order", fake(handler), timeout_s=60, retention_days=3, invocation_timeout_s=None))
    known.add(Plain("price", on_text, timeout_s=5))
    return known


@pytest.mark.parametrize("reference", ["price", "price:1", "123456789012:function:price", f"{HERE}:price", f"{HERE}:price:$LATEST"])
def test_a_plain_function_is_known_by_every_form_of_its_name(reference: str) -> None:
    target = functions().resolve(ChainedInvokeOptions(function_name=reference))

    assert target == PlainTarget(function="price", version="$LATEST", timeout_s=5)


@pytest.mark.parametrize("reference", ["order", "order:prod", f"{HERE}:order:$LATEST"])
def test_a_durable_function_gets_the_identity_of_its_execution(reference: str) -> None:
    target = functions().resolve(ChainedInvokeOptions(function_name=reference))

    assert target == DurableTarget(
        function="order",
        version="$LATEST",
        id="id-1",
        name="id-2",
        arn=f"{HERE}:order:$LATEST/durable-execution/id-2/id-1",
        timeout_s=60,
        retention_days=3,
        invoked_as=f"{HERE}:order:$LATEST",
    )


def test_an_unknown_function_is_an_error_of_the_operation() -> None:
    error = functions().resolve(ChainedInvokeOptions(function_name="nobody:7"))

    assert error == ErrorObject(error_type="ResourceNotFoundException", error_message=f"Function not found: {HERE}:nobody:7")


@pytest.mark.parametrize(
    ("reference", "message"),
    [
        ("no spaces", "Invalid function ARN 'no spaces'"),
        ("arn:aws:lambda:us-east-1:function:order", "Invalid function ARN"),
        ("arn:aws:lambda:us-east-1:999999999999:function:order", "in another account"),
        ("arn:aws:lambda:eu-west-1:123456789012:function:order", "in another region"),
    ],
)
def test_a_malformed_or_foreign_reference_is_refused(reference: str, message: str) -> None:
    with pytest.raises(Rejected, match=message):
        functions().resolve(ChainedInvokeOptions(function_name=reference))
