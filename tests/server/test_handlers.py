"""The two calls of a running handler, made by boto3 in the place of an SDK."""

from __future__ import annotations

import json
from collections.abc import Generator
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import contextmanager
from http.client import HTTPConnection
from urllib.parse import quote

import pytest

from tests.server.running import Answer, ClientError, Lambda, Running, payload_of, refusal

UNKNOWN = "arn:aws:lambda:us-east-1:123456789012:function:pulled:$LATEST/durable-execution/no/no"
INVALID_TOKEN = ("InvalidParameterValueException", "Invalid checkpoint token", 400)


class Invocation:
    """An invocation of the function `pulled` in the hands of a test."""

    def __init__(self, event: Answer, client: Lambda) -> None:
        self.arn, self.token = str(event["DurableExecutionArn"]), str(event["CheckpointToken"])
        self.state = event["InitialExecutionState"]
        self.client = client
        self.output: dict[str, object] = {"Status": "SUCCEEDED", "Result": "null"}
        self.invoking: Future[Answer]

    def checkpoint(self, *updates: dict[str, object], **more: object) -> list[Answer]:
        answer = self.client.checkpoint_durable_execution(
            DurableExecutionArn=self.arn, CheckpointToken=self.token, Updates=list(updates), **more
        )
        self.token = str(answer["CheckpointToken"])
        operations: list[Answer] = answer["NewExecutionState"]["Operations"]
        return operations


@contextmanager
def invoked(server: Running, payload: bytes = b"1") -> Generator[Invocation]:
    """The first invocation of a new execution, answered at the end of the block."""
    with ThreadPoolExecutor(1) as pool:
        invoking = pool.submit(server.client.invoke, FunctionName="pulled:$LATEST", Payload=payload)
        with next_invocation(server) as invocation:
            invocation.invoking = invoking
            yield invocation


@contextmanager
def next_invocation(server: Running) -> Generator[Invocation]:
    """Whatever is invoked next, answered at the end of the block."""
    connection = HTTPConnection(server.address, timeout=20)
    runtime = "/runtime/pulled/test/2018-06-01/runtime/invocation"
    try:
        connection.request("GET", f"{runtime}/next")
        response = connection.getresponse()
        invocation = Invocation(json.loads(response.read()), server.client)
        try:
            yield invocation
        finally:
            request_id = response.headers["Lambda-Runtime-Aws-Request-Id"]
            connection.request("POST", f"{runtime}/{request_id}/response", json.dumps(invocation.output))
            connection.getresponse().read()
    finally:
        connection.close()


def step(name: str, action: str, **more: object) -> dict[str, object]:
    return {"Id": name, "Type": "STEP", "Action": action, "Name": name, "SubType": "Step", **more}


def test_updates_are_recorded_and_answered_with_what_changed(server: Running) -> None:
    with invoked(server) as invocation:
        operations = invocation.checkpoint(step("pay", "START"), step("pay", "SUCCEED", Payload='"paid"'))
        nothing = invocation.checkpoint()

    (pay,) = operations
    assert (pay["Id"], pay["Status"], pay["StepDetails"]) == ("pay", "SUCCEEDED", {"Attempt": 1, "Result": '"paid"'})
    assert nothing == []
    assert payload_of(invocation.invoking.result()) is None


def test_a_token_is_good_once_and_for_its_execution_alone(server: Running) -> None:
    with invoked(server) as invocation:
        used = invocation.token
        invocation.checkpoint(step("a", "START"))
        for arn, token in ((invocation.arn, used), (UNKNOWN, invocation.token), (invocation.arn, "bm90IG91cnM=")):
            with pytest.raises(ClientError) as error:
                invocation.client.checkpoint_durable_execution(DurableExecutionArn=arn, CheckpointToken=token)
            assert refusal(error) == INVALID_TOKEN
            with pytest.raises(ClientError) as error:
                invocation.client.get_durable_execution_state(DurableExecutionArn=arn, CheckpointToken=token)
            assert refusal(error) == INVALID_TOKEN


def test_a_repeated_request_gets_the_same_answer(server: Running) -> None:
    with invoked(server) as invocation:
        arguments = {
            "DurableExecutionArn": invocation.arn,
            "CheckpointToken": invocation.token,
            "ClientToken": "once",
            "Updates": [step("a", "START")],
        }
        first = invocation.client.checkpoint_durable_execution(**arguments)
        again = invocation.client.checkpoint_durable_execution(**arguments)

    assert first["CheckpointToken"] == again["CheckpointToken"]
    assert first["NewExecutionState"] == again["NewExecutionState"]


def test_a_rejected_batch_leaves_the_token_as_it_was(server: Running) -> None:
    with invoked(server) as invocation:
        with pytest.raises(ClientError) as error:
            invocation.checkpoint(step("a", "START"), step("a", "START"))
        operations = invocation.checkpoint(step("b", "START"))

    assert refusal(error).code == "InvalidParameterValueException"
    assert [operation["Id"] for operation in operations] == ["b"]


def test_an_execution_can_be_ended_by_a_checkpoint_which_returns_no_token(server: Running) -> None:
    with invoked(server) as invocation:
        update = {"Id": "end", "Type": "EXECUTION", "Action": "SUCCEED", "Payload": '"large"'}
        answer = invocation.client.checkpoint_durable_execution(
            DurableExecutionArn=invocation.arn, CheckpointToken=invocation.token, Updates=[update]
        )
        invocation.output = {"Status": "SUCCEEDED", "Result": ""}

    assert "CheckpointToken" not in answer
    assert payload_of(invocation.invoking.result()) == "large"


def test_the_state_is_told_by_pages_in_the_order_of_beginning(server: Running) -> None:
    with invoked(server) as invocation:
        names = [f"s{number}" for number in range(5)]
        invocation.checkpoint(*(step(name, "START") for name in names))
        arguments = {"DurableExecutionArn": invocation.arn, "CheckpointToken": invocation.token}
        pages = invocation.client.get_paginator("get_durable_execution_state")
        found = [
            operation["Id"] for page in pages.paginate(**arguments, PaginationConfig={"PageSize": 2}) for operation in page["Operations"]
        ]
        first = invocation.client.get_durable_execution_state(**arguments, MaxItems=2)
        invocation.checkpoint(step("more", "START"))
        with pytest.raises(ClientError) as error:
            invocation.client.get_durable_execution_state(
                DurableExecutionArn=invocation.arn, CheckpointToken=invocation.token, Marker=first["NextMarker"]
            )

    assert found[1:] == names
    assert refusal(error).message == "Invalid Marker"


def test_a_page_of_the_state_is_bounded_by_bytes(server: Running) -> None:
    with invoked(server) as invocation:
        for number in range(7):
            invocation.checkpoint(step(f"large{number}", "SUCCEED", Payload="x" * 1_000_000))
        page = invocation.client.get_durable_execution_state(DurableExecutionArn=invocation.arn, CheckpointToken=invocation.token)

    operations = page["Operations"]
    assert 1 < len(operations) < 8
    assert page["NextMarker"]


def test_the_event_of_a_large_execution_has_its_first_page_alone(server: Running) -> None:
    names = [f"large{number}" for number in range(6)]
    server.client.invoke(FunctionName="pulled:$LATEST", InvocationType="Event")
    with next_invocation(server) as invocation:
        for name in names:
            invocation.checkpoint(step(name, "SUCCEED", Payload="x" * 1_000_000))
        invocation.checkpoint({"Id": "w", "Type": "WAIT", "Action": "START", "WaitOptions": {"WaitSeconds": 1}})
        invocation.output = {"Status": "PENDING"}
    with next_invocation(server) as resumed:
        state = resumed.state
        rest = resumed.client.get_durable_execution_state(
            DurableExecutionArn=resumed.arn, CheckpointToken=resumed.token, Marker=state["NextMarker"]
        )["Operations"]

    assert [operation["Id"] for operation in [*state["Operations"], *rest]][1:] == [*names, "w"]


# -- requests that make no sense


@pytest.mark.parametrize(
    ("body", "code", "message"),
    [
        (b"{", "SerializationException", ""),
        (b"[]", "SerializationException", ""),
        (b"\xff", "SerializationException", ""),
        (b'{"CheckpointToken": 5}', "SerializationException", ""),
        (b'{"CheckpointToken": "QQ==", "Updates": {}}', "SerializationException", ""),
        (b'{"CheckpointToken": "QQ==", "Updates": [5]}', "SerializationException", ""),
        (b'{"CheckpointToken": "QQ==", "Updates": [{"Id": 5, "Type": "STEP", "Action": "START"}]}', "SerializationException", ""),
        (b"", "ValidationException", "Value null at 'checkpointToken' failed to satisfy constraint: Member must not be null"),
        (b'{"CheckpointToken": null}', "ValidationException", "Value null at 'checkpointToken'"),
        (b'{"CheckpointToken": "no token"}', "ValidationException", "Value 'no token' at 'checkpointToken'"),
        (b'{"CheckpointToken": "QQ==", "Updates": [{}]}', "ValidationException", "3 validation errors detected: Value null at 'updates.1."),
        (
            b'{"CheckpointToken": "QQ==", "Updates": [{"Id": "a", "Type": "NAP", "Action": "START"}]}',
            "ValidationException",
            "1 validation error detected: Value 'NAP' at 'updates.1.member.type' failed to satisfy constraint: Member must satisfy enum",
        ),
        (
            b'{"CheckpointToken": "QQ==", "Updates": [{"Id": "a", "Type": "WAIT", "Action": "START", "WaitOptions": {"WaitSeconds": 0}}]}',
            "ValidationException",
            "Value '0' at 'updates.1.member.waitOptions.waitSeconds' failed to satisfy constraint: Member must have value greater than",
        ),
        (
            b'{"CheckpointToken": "QQ==", "Updates": [{"Id": "a", "Type": "WAIT", "Action": "START", "WaitOptions": {}}]}',
            "ValidationException",
            "Value null at 'updates.1.member.waitOptions.waitSeconds'",
        ),
        (b'{"CheckpointToken": "QQ=="}', "InvalidParameterValueException", "Invalid checkpoint token"),
        (
            b'{"CheckpointToken": "QQ==", "Updates": [{"Id": "a", "Type": "STEP", "Action": "START", "StepOptions": {}, "Name": null}]}',
            "InvalidParameterValueException",
            "Invalid checkpoint token",
        ),
    ],
)
def test_a_checkpoint_that_makes_no_sense_is_refused(server: Running, body: bytes, code: str, message: str) -> None:
    status, headers, answer = server.request("POST", f"/2025-12-01/durable-executions/{quote(UNKNOWN, safe='')}/checkpoint", body)

    assert (status, headers["x-amzn-errortype"]) == (400, code)
    assert message in json.loads(answer)["message"]


@pytest.mark.parametrize(
    ("query", "code"),
    [
        ("", "ValidationException"),
        ("CheckpointToken=", "ValidationException"),
        ("CheckpointToken=QQ%3D%3D&MaxItems=1001", "ValidationException"),
        ("CheckpointToken=QQ%3D%3D", "InvalidParameterValueException"),
        ("CheckpointToken=a+b=", "InvalidParameterValueException"),
    ],
)
def test_a_state_that_is_asked_for_badly_is_refused(server: Running, query: str, code: str) -> None:
    status, headers, _ = server.request("GET", f"/2025-12-01/durable-executions/{UNKNOWN}/state?{query}")

    assert (status, headers["x-amzn-errortype"]) == (400, code)


def test_a_body_that_is_too_large_is_refused(server: Running) -> None:
    body = b'{"CheckpointToken": "' + b"A" * (33 * 1024 * 1024)

    status, headers, _ = server.request("POST", f"/2025-12-01/durable-executions/{UNKNOWN}/checkpoint", body)

    assert (status, headers["x-amzn-errortype"]) == (413, "RequestTooLargeException")


@pytest.mark.parametrize(
    "arn", ["nonsense", "arn:aws:lambda:us-east-1:123456789012:function:quick:live/durable-execution/a/b", "%ff", "a%00b"]
)
def test_an_arn_that_is_none_is_refused(server: Running, arn: str) -> None:
    for method, suffix in (("GET", ""), ("GET", "/history"), ("POST", "/stop"), ("POST", "/checkpoint"), ("DELETE", "")):
        status, headers, body = server.request(method, f"/2025-12-01/durable-executions/{arn}{suffix}", b'{"CheckpointToken": "QQ=="}')
        assert (status, headers["x-amzn-errortype"]) == (400, "ValidationException")
        assert "durableExecutionArn" in json.loads(body)["message"]


def test_every_answer_has_an_id_of_its_own(server: Running) -> None:
    paths = ("/health", "/nowhere", f"/2025-12-01/durable-executions/{UNKNOWN}", "/2015-03-31/functions")

    answers = [server.request("GET", path) for path in paths]

    assert len({headers["x-amzn-requestid"] for _, headers, _ in answers}) == len(paths)
    assert [status for status, _, _ in answers] == [200, 404, 404, 200]
