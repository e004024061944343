from __future__ import annotations

import pytest

from everstep.errors import InvokeError, PayloadTooLarge, SerializationError, UsageError
from everstep.operations.invoke import invoke_failure, invoke_options, invoke_payload
from everstep.protocol.shapes import ChainedInvokeDetails, ChainedInvokeOptions, ErrorObject, Operation, OperationStatus


def ended(status: OperationStatus, error: ErrorObject | None) -> Operation:
    return Operation(id="1", type="CHAINED_INVOKE", status=status, chained_invoke_details=ChainedInvokeDetails(error=error))


def test_a_function_is_named_by_name_or_arn() -> None:
    assert invoke_options("pay:$LATEST", None) == ChainedInvokeOptions(function_name="pay:$LATEST")
    assert invoke_options("f", "Tenant 7/eu") == ChainedInvokeOptions(function_name="f", tenant_id="Tenant 7/eu")


@pytest.mark.parametrize("name", ["", "x" * 257])
def test_a_functions_name_of_the_wrong_length_is_refused(name: str) -> None:
    with pytest.raises(UsageError, match=rf"\({len(name)} characters\)"):
        invoke_options(name, None)


@pytest.mark.parametrize("tenant_id", ["", "x" * 257, "a,b", "ä", "a\n"])
def test_a_tenant_id_that_the_service_would_refuse_is_refused(tenant_id: str) -> None:
    with pytest.raises(UsageError, match="tenant_id is"):
        invoke_options("f", tenant_id)


def test_the_payload_is_json() -> None:
    assert invoke_payload({"id": 7, "tags": ("a", "b"), "note": None}) == '{"id":7,"tags":["a","b"],"note":null}'
    assert invoke_payload(None) == "null"


def test_a_payload_that_is_no_json_is_refused() -> None:
    with pytest.raises(SerializationError):
        invoke_payload(object())


def test_the_limit_on_a_payload_counts_bytes() -> None:
    assert len(invoke_payload("x" * 1_048_574)) == 1_048_576
    with pytest.raises(PayloadTooLarge) as refused:
        invoke_payload("é" * 524_288)

    assert (refused.value.size, refused.value.limit) == (1_048_578, 1_048_576)


def test_what_the_function_failed_with_is_raised_as_an_invoke_error() -> None:
    failure = invoke_failure(ended("FAILED", ErrorObject(error_type="ValueError", error_message="bad order")))

    assert isinstance(failure, InvokeError)
    assert isinstance(failure, ValueError)
    assert str(failure) == "bad order"


@pytest.mark.parametrize("status", ["TIMED_OUT", "STOPPED", "FAILED"])
@pytest.mark.parametrize("error", [None, ErrorObject(), ErrorObject(error_data="x")])
def test_a_function_that_ended_without_a_word_is_said_to_have_ended_so(status: OperationStatus, error: ErrorObject | None) -> None:
    failure = invoke_failure(ended(status, error))

    assert type(failure) is InvokeError
    assert str(failure) == f"the invoked function ended {status}"
