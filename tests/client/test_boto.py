"""Any client of boto3's shape will do: blocking or not, real or stubbed."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from datetime import UTC, datetime
from importlib import import_module
from threading import get_ident
from typing import Any
from unittest.mock import AsyncMock

import pytest
from tests.client.fake_service import Drop, FakeService, Reply, refuse

from everstep.client.api import Checkpointed, DurableClient, StatePage
from everstep.client.boto import BotoClient
from everstep.errors import ServiceError, UsageError
from everstep.protocol.shapes import Operation, OperationUpdate, StepDetails, WaitOptions

boto3, botocore_config = import_module("boto3"), import_module("botocore.config")  # neither has types
botocore_exceptions = import_module("botocore.exceptions")

ARN = "arn:aws:lambda:eu-west-1:123456789012:function:f:$LATEST/durable-execution/n/e"
NOON = datetime(2025, 12, 3, 12, 0, 0, 864_000, tzinfo=UTC)
NOON_MS = 1_764_763_200_864
UPDATES = [OperationUpdate(id="1", type="WAIT", action="START", wait_options=WaitOptions(wait_seconds=3))]
OPERATION = {"Id": "1", "Type": "STEP", "Status": "PENDING", "StartTimestamp": NOON, "StepDetails": {"NextAttemptTimestamp": NOON}}
ANSWER = {"CheckpointToken": "next", "NewExecutionState": {"Operations": [OPERATION], "NextMarker": "m"}}
READ = Operation(id="1", type="STEP", status="PENDING", start_timestamp=NOON_MS, step_details=StepDetails(next_attempt_timestamp=NOON_MS))


class Stub:
    """A Lambda client that answers as it is told. threads: those that it was called on."""

    def __init__(self, answer: Callable[[], object] = lambda: ANSWER) -> None:
        self.answer = answer
        self.calls: list[dict[str, object]] = []
        self.threads: set[int] = set()

    def checkpoint_durable_execution(self, **arguments: object) -> object:
        self.calls.append(arguments)
        self.threads.add(get_ident())
        return self.answer()

    get_durable_execution_state = checkpoint_durable_execution


class AsyncStub:
    """The same with coroutine functions, as aiobotocore has them."""

    async def checkpoint_durable_execution(self, **arguments: object) -> object:
        await asyncio.sleep(0)
        return ANSWER

    async def get_durable_execution_state(self, **arguments: object) -> object:
        return {"Operations": [OPERATION], "NextMarker": ""}


def send(client: BotoClient) -> Checkpointed:
    return asyncio.run(client.checkpoint(ARN, "token", UPDATES, "once"))


def failure(error: Exception) -> ServiceError:
    def fail() -> object:
        raise error

    with pytest.raises(ServiceError) as raised:
        send(BotoClient(Stub(fail)))
    assert raised.value.__cause__ is error
    return raised.value


def test_requests_are_plain_dicts_in_the_wire_s_names() -> None:
    stub = Stub()
    client = BotoClient(stub)

    answer = send(client)

    assert isinstance(client, DurableClient)
    assert answer == Checkpointed(token="next", operations=[READ], next_marker="m")
    assert stub.calls == [
        {
            "DurableExecutionArn": ARN,
            "CheckpointToken": "token",
            "Updates": [{"Id": "1", "Type": "WAIT", "Action": "START", "WaitOptions": {"WaitSeconds": 3}}],
            "ClientToken": "once",
        }
    ]


def test_a_page_of_state_is_asked_for_and_read() -> None:
    stub = Stub(lambda: {"Operations": [{**OPERATION, "StartTimestamp": 1764763200.864}]})

    page = asyncio.run(BotoClient(stub).get_state(ARN, "token", "m", 10))

    assert page == StatePage(operations=[READ], next_marker=None)
    assert stub.calls == [{"DurableExecutionArn": ARN, "CheckpointToken": "token", "Marker": "m", "MaxItems": 10}]
    asyncio.run(BotoClient(stub).get_state(ARN, "token", ""))
    assert "Marker" not in stub.calls[1]


def test_a_blocking_client_blocks_a_thread_of_its_own_unless_nothing_else_could_run() -> None:
    stub = Stub()
    client = BotoClient(stub)

    send(client)

    assert get_ident() not in stub.threads
    stub.threads.clear()
    client.blocking.alone = lambda: True
    send(client)
    assert stub.threads == {get_ident()}


@pytest.mark.parametrize(
    "stub",
    [
        AsyncStub(),
        AsyncMock(
            checkpoint_durable_execution=AsyncMock(return_value=ANSWER),
            get_durable_execution_state=AsyncMock(return_value={"Operations": [OPERATION]}),
        ),
    ],
)
def test_coroutine_functions_are_awaited(stub: object) -> None:
    client = BotoClient(stub)

    assert send(client).operations == [READ]
    assert asyncio.run(client.get_state(ARN, "token", "m")).operations == [READ]


def test_a_client_that_lacks_the_calls_is_refused_with_advice() -> None:
    with pytest.raises(UsageError, match="pip install --upgrade boto3"):
        BotoClient(object())


@pytest.mark.parametrize(
    ("status", "code", "message", "is_retryable"),
    [
        (400, "InvalidParameterValueException", "Invalid checkpoint token", True),
        (400, "InvalidParameterValueException", "Payload too large", False),
        (429, "TooManyRequestsException", "Rate exceeded", True),
        (500, "ServiceException", "oops", True),
        (502, "KMSDisabledException", "no key", False),
        (403, "AccessDeniedException", "no", False),
    ],
)
def test_client_errors_are_classified_as_everywhere(status: int, code: str, message: str, is_retryable: bool) -> None:
    response = {"Error": {"Code": code, "Message": message}, "ResponseMetadata": {"HTTPStatusCode": status}}

    error = failure(botocore_exceptions.ClientError(response, "CheckpointDurableExecution"))

    assert (error.code, error.status, error.is_retryable) == (code, status, is_retryable)
    assert str(error) == f"{code}: {message}"


def test_an_error_without_a_status_may_pass() -> None:
    error = failure(botocore_exceptions.ClientError({"Error": {"Code": "Odd"}}, "CheckpointDurableExecution"))

    assert (error.code, error.status, error.is_retryable) == ("Odd", 0, True)


@pytest.mark.parametrize(
    "error",
    [
        botocore_exceptions.EndpointConnectionError(endpoint_url="http://localhost"),
        botocore_exceptions.ReadTimeoutError(endpoint_url="http://localhost"),
        botocore_exceptions.ConnectionClosedError(endpoint_url="http://localhost"),
        ConnectionResetError("reset"),
        TimeoutError(),
    ],
)
def test_a_broken_connection_may_pass(error: Exception) -> None:
    assert failure(error).is_retryable
    assert failure(error).code == type(error).__name__


def test_a_request_that_boto3_refuses_will_not_pass() -> None:
    error = failure(botocore_exceptions.ParamValidationError(report='Unknown parameter in input: "ClientToken"'))

    assert not error.is_retryable
    assert "ClientToken" in str(error)
    assert "upgrade boto3" in str(error)


def test_an_error_of_ours_passes_unchanged() -> None:
    ours = UsageError("from a client of ours")

    def fail() -> object:
        raise ours

    with pytest.raises(UsageError) as raised:
        send(BotoClient(Stub(fail)))

    assert raised.value is ours


@pytest.mark.parametrize(
    "answer",
    [None, "text", {"CheckpointToken": 5}, {"NewExecutionState": {"Operations": [{**OPERATION, "Type": "DANCE"}]}}],
)
def test_an_answer_that_is_not_understood_keeps_the_execution_alive(answer: object) -> None:
    with pytest.raises(ServiceError, match="upgrade") as raised:
        send(BotoClient(Stub(lambda: answer)))

    assert raised.value.is_retryable


# With the real boto3


def real_client(service: FakeService) -> Any:
    return boto3.client(
        "lambda",
        endpoint_url=service.url,
        region_name="eu-west-1",
        aws_access_key_id="AKID",
        aws_secret_access_key="secret",
        config=botocore_config.Config(retries={"total_max_attempts": 1}),
    )


def test_boto3_itself_gives_what_the_http_client_gives() -> None:
    operation = (
        b'{"Id":"1","Type":"STEP","Status":"PENDING","StartTimestamp":1764763200.864,"StepDetails":{"NextAttemptTimestamp":1764763200.864}}'
    )
    body = b'{"CheckpointToken":"next","NewExecutionState":{"Operations":[' + operation + b'],"NextMarker":"m"}}'
    with FakeService(Reply(body=body), Reply(body=b'{"Operations":[' + operation + b'],"NextMarker":""}')) as service:
        lambda_client = real_client(service)
        client = BotoClient(lambda_client)

        assert send(client) == Checkpointed(token="next", operations=[READ], next_marker="m")
        assert asyncio.run(client.get_state(ARN, "token", "m")) == StatePage(operations=[READ], next_marker="")
        lambda_client.close()


@pytest.mark.parametrize(
    ("reply", "code", "is_retryable"),
    [
        (refuse(400, "InvalidParameterValueException", "Invalid checkpoint token"), "InvalidParameterValueException", True),
        (refuse(404, "ResourceNotFoundException", "no"), "ResourceNotFoundException", False),
        (Drop(), "ConnectionClosedError", True),
    ],
)
def test_boto3_s_own_errors_are_understood(reply: Reply | Drop, code: str, is_retryable: bool) -> None:
    with FakeService(reply) as service:
        lambda_client = real_client(service)
        with pytest.raises(ServiceError) as raised:
            send(BotoClient(lambda_client))
        lambda_client.close()

    assert (raised.value.code, raised.value.is_retryable) == (code, is_retryable)
