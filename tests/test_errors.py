from __future__ import annotations

import inspect

import pytest

from everstep import errors
from everstep.errors import (
    CallbackError,
    CallbackFailed,
    CallbackSubmitterError,
    CallbackTimeout,
    DurableError,
    ExecutionAlreadyStarted,
    ExecutionFailed,
    OperationError,
    PayloadTooLarge,
    ReplayMismatch,
    SerializationError,
    ServiceError,
    StepError,
    StepInterrupted,
    StepTimeout,
    UsageError,
)

FAMILY = [kind for _, kind in inspect.getmembers(errors, inspect.isclass) if issubclass(kind, BaseException)]


@pytest.mark.parametrize("kind", FAMILY)
def test_every_error_is_of_the_one_family_and_says_what_it_is(kind: type[BaseException]) -> None:
    assert issubclass(kind, DurableError)
    assert kind.__doc__


@pytest.mark.parametrize(
    ("kind", "base"),
    [
        (ReplayMismatch, UsageError),
        (SerializationError, UsageError),
        (PayloadTooLarge, UsageError),
        (ExecutionAlreadyStarted, ServiceError),
        (StepInterrupted, StepError),
        (StepTimeout, StepError),
        (CallbackFailed, CallbackError),
        (CallbackTimeout, CallbackError),
        (CallbackSubmitterError, CallbackError),
        (CallbackError, OperationError),
    ],
)
def test_a_narrower_error_is_caught_as_the_wider_one(kind: type[DurableError], base: type[DurableError]) -> None:
    assert issubclass(kind, base)


def test_an_operation_error_says_its_message_or_else_its_type_or_nothing() -> None:
    assert str(StepError("why", "ValueError")) == "why"
    assert str(StepError(None, "ValueError")) == "ValueError"
    assert str(StepError()) == ""


def test_an_operation_error_keeps_what_is_recorded() -> None:
    error = StepError("why", "ValueError", '{"a": 1}', ["line 1", "line 2"])

    assert (error.message, error.error_type, error.data, error.stack_trace) == ("why", "ValueError", '{"a": 1}', ("line 1", "line 2"))


def test_a_mismatch_says_what_to_do() -> None:
    mismatch = ReplayMismatch(operation_id="0123456789abcdef", recorded='Step "a"', asked="an unnamed Wait")

    assert str(mismatch).startswith('operation 0123456789ab… is recorded as Step "a", but the handler now asks for an unnamed Wait. ')
    assert "publish the change as a new version" in str(mismatch)


def test_a_payload_too_large_says_by_how_much_and_what_to_do() -> None:
    error = PayloadTooLarge("the result", 2_000_000, 1_048_576, "Store it elsewhere.")

    assert str(error) == "the result is 2,000,000 bytes; the service records at most 1,048,576. Store it elsewhere."
    assert (error.what, error.size, error.limit) == ("the result", 2_000_000, 1_048_576)


def test_a_service_error_leads_with_its_code() -> None:
    error = ServiceError("slow down", code="TooManyRequestsException", status=429, is_retryable=True)

    assert str(error) == "TooManyRequestsException: slow down"
    assert (error.code, error.status, error.is_retryable) == ("TooManyRequestsException", 429, True)
    assert str(ServiceError("gone", code="")) == "gone"
    assert not ServiceError("gone", code="X").is_retryable


def test_an_execution_already_started_names_the_one_there_is() -> None:
    error = ExecutionAlreadyStarted("arn:x")

    assert error.arn == "arn:x"
    assert (error.code, error.status) == ("DurableExecutionAlreadyStartedException", 409)


@pytest.mark.parametrize(
    ("error_type", "message", "said"),
    [
        ("ValueError", "x", "arn:x ended FAILED (ValueError: x)"),
        (None, "x", "arn:x ended FAILED (x)"),
        ("ValueError", None, "arn:x ended FAILED (ValueError)"),
        (None, None, "arn:x ended FAILED"),
    ],
)
def test_an_execution_that_failed_says_how(error_type: str | None, message: str | None, said: str) -> None:
    assert str(ExecutionFailed("arn:x", "FAILED", error_type, message)) == said
