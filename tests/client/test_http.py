"""The HTTP client against a real server: what it sends, what it repeats, and when it gives up."""

from __future__ import annotations

import asyncio
import gc
import json
import socket
import subprocess
import sys
import tomllib
from collections.abc import Callable
from importlib import import_module
from pathlib import Path
from threading import Barrier, Event
from typing import Any

import pytest
from tests.client.fake_service import Asked, Drop, FakeService, Reply, refuse

from everstep.client import calls
from everstep.client.api import Checkpointed, DurableClient, StatePage
from everstep.client.http import HttpClient
from everstep.errors import ServiceError, UsageError
from everstep.protocol.shapes import ErrorObject, Operation, OperationUpdate
from everstep.protocol.sigv4 import Credentials, authorization

ARN = "arn:aws:lambda:eu-west-1:123456789012:function:f:$LATEST/durable-execution/n/e"
CREDENTIALS = Credentials("AKID", "secret", "token")
UPDATES = [
    OperationUpdate(id="1", type="STEP", action="START", name="café"),
    OperationUpdate(id="1", type="STEP", action="FAIL", error=ErrorObject(error_message='"quoted" ü', stack_trace=["a", "b"])),
]
boto3, botocore_config = import_module("boto3"), import_module("botocore.config")  # neither has types


class Client(HttpClient):
    """Notes the delays instead of sleeping them; the jitter is none, so each is the longest that it could be."""

    def __init__(self, service: FakeService, *, read_timeout_s: float = 5.0, environ: dict[str, str] | None = None) -> None:
        self.delays: list[float] = []
        super().__init__(
            service.url,
            region="eu-west-1",
            credentials=lambda: CREDENTIALS,
            read_timeout_s=read_timeout_s,
            environ=environ or {},
            sleep=self.delays.append,
            jitter=lambda: 1.0,
        )
        self.blocking.alone = lambda: True

    def send(self) -> Checkpointed:
        return asyncio.run(self.checkpoint(ARN, "token", UPDATES, "once"))

    def fail(self) -> ServiceError:
        with pytest.raises(ServiceError) as raised:
            self.send()
        return raised.value


def test_it_is_a_durable_client() -> None:
    with FakeService() as service:
        assert isinstance(Client(service), DurableClient)


def test_a_checkpoint_is_recorded_and_what_changed_comes_back() -> None:
    operation = {"Id": "1", "Type": "STEP", "Status": "STARTED", "StartTimestamp": 1764763200.864}
    body = json.dumps({"CheckpointToken": "next", "NewExecutionState": {"Operations": [operation], "NextMarker": "m"}})
    with FakeService(Reply(body=body.encode())) as service:
        answer = Client(service).send()

    assert answer == Checkpointed(
        token="next",
        operations=[Operation(id="1", type="STEP", status="STARTED", start_timestamp=1764763200864)],
        next_marker="m",
    )
    assert json.loads(service.asked[0].body)["ClientToken"] == "once"


def test_a_page_of_state_is_read() -> None:
    body = b'{"Operations":[{"Id":"1","Type":"STEP","Status":"READY","StartTimestamp":1}],"NextMarker":""}'
    with FakeService(Reply(body=body)) as service:
        page = asyncio.run(Client(service).get_state(ARN, "t", "m", 7))

    assert page == StatePage(operations=[Operation(id="1", type="STEP", status="READY", start_timestamp=1000)], next_marker="")
    assert service.asked[0].method == "GET"
    assert service.asked[0].path.endswith("/state?CheckpointToken=t&Marker=m&MaxItems=7")


# What boto3 sends


def boto3_sends(service: FakeService, call: Callable[[Any], object]) -> Asked:
    client = boto3.client(
        "lambda",
        endpoint_url=service.url,
        region_name="eu-west-1",
        aws_access_key_id=CREDENTIALS.access_key,
        aws_secret_access_key=CREDENTIALS.secret_key,
        aws_session_token=CREDENTIALS.session_token,
        config=botocore_config.Config(retries={"total_max_attempts": 1}),
    )
    call(client)
    client.close()
    return service.asked[-1]


def assert_equal_but_for_the_time(ours: Asked, theirs: Asked) -> None:
    """Same path, same body, same signed headers; and signed at their time, ours has their signature."""
    assert (ours.method, ours.path) == (theirs.method, theirs.path)
    assert json.loads(ours.body or b"{}") == json.loads(theirs.body or b"{}")
    scope, signed, _ = ours.headers["authorization"].split(", ")
    assert scope.startswith("AWS4-HMAC-SHA256 Credential=AKID/")
    assert theirs.headers["authorization"].split(", ")[1] == signed
    names = signed.removeprefix("SignedHeaders=").split(";")
    assert {name: ours.headers[name] for name in names if name != "x-amz-date"} == {
        name: theirs.headers[name] for name in names if name != "x-amz-date"
    }
    for asked in (ours, theirs):
        path, _, query = asked.path.partition("?")
        assert asked.headers["authorization"] == authorization(
            method=asked.method,
            path=path,
            query=query,
            headers={name: asked.headers[name] for name in names},
            body=asked.body,
            credentials=CREDENTIALS,
            region="eu-west-1",
            service="lambda",
        )


def test_a_checkpoint_is_the_request_that_boto3_makes() -> None:
    wire = [
        {"Id": "1", "Type": "STEP", "Action": "START", "Name": "café"},
        {"Id": "1", "Type": "STEP", "Action": "FAIL", "Error": {"ErrorMessage": '"quoted" ü', "StackTrace": ["a", "b"]}},
    ]
    with FakeService() as service:
        theirs = boto3_sends(
            service,
            lambda client: client.checkpoint_durable_execution(
                DurableExecutionArn=ARN, CheckpointToken="token", Updates=wire, ClientToken="once"
            ),
        )
        Client(service).send()

    assert_equal_but_for_the_time(service.asked[-1], theirs)


def test_a_state_request_is_the_one_that_boto3_makes() -> None:
    with FakeService(Reply(body=b"{}"), Reply(body=b"{}")) as service:
        theirs = boto3_sends(
            service,
            lambda client: client.get_durable_execution_state(
                DurableExecutionArn=ARN, CheckpointToken="a+/b=", Marker="m k/ü", MaxItems=1000
            ),
        )
        asyncio.run(Client(service).get_state(ARN, "a+/b=", "m k/ü"))

    assert_equal_but_for_the_time(service.asked[-1], theirs)


# Headers


def test_the_request_names_its_sender_and_passes_on_the_trace() -> None:
    with FakeService() as service:
        Client(service, environ={"_X_AMZN_TRACE_ID": "Root=1-5f;Parent=ab;Sampled=1"}).send()

    headers = service.asked[0].headers
    assert headers["user-agent"] == f"everstep/{calls.VERSION}"
    assert headers["x-amzn-trace-id"] == "Root=1-5f;Parent=ab;Sampled=1"
    assert "x-amzn-trace-id" not in headers["authorization"]


def test_the_version_is_the_package_s() -> None:
    project = tomllib.loads((Path(__file__).parents[2] / "pyproject.toml").read_text())["project"]

    assert project["version"] == calls.VERSION


def test_without_credentials_nothing_is_signed() -> None:
    with FakeService() as service:
        client = HttpClient(f"{service.url}/base", region="eu-west-1", credentials=None)
        asyncio.run(client.checkpoint(ARN, "token", [], "once"))
        client.close()

    assert "authorization" not in service.asked[0].headers
    assert service.asked[0].path.startswith("/base/2025-12-01/durable-executions/arn%3Aaws")


# Connections


def test_one_connection_carries_all_calls() -> None:
    with FakeService() as service:
        client = Client(service)
        for _ in range(5):
            client.send()

    assert (len(service.asked), service.connections) == (5, 1)


def test_a_connection_that_went_stale_is_replaced_at_once() -> None:
    with FakeService(Reply(hang_up=True), Reply()) as service:
        client = Client(service)
        client.send()
        client.send()

    assert (len(service.asked), service.connections, client.delays) == (2, 2, [])


def test_a_connection_that_is_announced_to_close_is_not_kept() -> None:
    with FakeService(Reply(headers={"Connection": "close"})) as service:
        client = Client(service)
        client.send()
        client.send()

    assert (service.connections, client.delays) == (2, [])


@pytest.fixture
def opened(monkeypatch: pytest.MonkeyPatch) -> list[socket.socket]:
    """The sockets that clients open."""
    sockets: list[socket.socket] = []
    connect = socket.create_connection

    def remember(address: tuple[str, int], timeout: float) -> socket.socket:
        sockets.append(connect(address, timeout))
        return sockets[-1]

    monkeypatch.setattr(socket, "create_connection", remember)
    return sockets


def test_nagle_is_off(opened: list[socket.socket]) -> None:
    with FakeService() as service:
        client = Client(service)
        client.send()

        assert opened[0].getsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY)


def test_a_client_that_is_garbage_closes_its_connections_whatever_is_finalized_first(opened: list[socket.socket]) -> None:
    with FakeService() as service:
        client = Client(service)
        client.send()
        cycle: dict[str, object] = {"client": client}
        cycle["itself"] = cycle
        del client
        gc.collect()  # which leaves the client behind its socket in the order of finalizers: only the cycle, the youngest, knows of it
        opened.clear()
        del cycle

        gc.collect()  # an open socket that is finalized warns, which fails this test


def test_calls_at_the_same_time_each_have_a_connection() -> None:
    all_three = Barrier(3)

    async def main(client: Client) -> list[Checkpointed]:
        async with asyncio.TaskGroup() as group:
            calls = [group.create_task(client.checkpoint(ARN, "token", [], f"{number}")) for number in range(3)]
        return [call.result() for call in calls]

    with FakeService(*[Reply(held=all_three)] * 3) as service:
        client = Client(service)
        client.blocking.alone = lambda: False
        answers = asyncio.run(main(client))

    assert [answer.token for answer in answers] == ["next"] * 3
    assert (service.connections, client.delays) == (3, [])


# Repeating


def test_throttling_is_waited_out_with_growing_delays() -> None:
    throttled = refuse(429, "TooManyRequestsException", "Rate exceeded")
    with FakeService(throttled, throttled, throttled) as service:
        client = Client(service)

        assert client.send().token == "next"

    assert client.delays == [1.0, 2.0, 4.0]


@pytest.mark.parametrize(
    ("headers", "delay"),
    [
        ({"Retry_After": "3"}, 3.0),
        ({"x_amz_retry_after": "1500"}, 1.5),
        ({"Retry_After": "600"}, 20.0),
        ({"Retry_After": "Wed, 21 Oct 2026 07:28:00 GMT"}, 1.0),
        ({"Retry_After": "0"}, 1.0),
    ],
)
def test_the_service_s_own_delay_is_kept_to(headers: dict[str, str], delay: float) -> None:
    with FakeService(refuse(429, "TooManyRequestsException", "Rate exceeded", **headers)) as service:
        client = Client(service)
        client.send()

    assert client.delays == [delay]


@pytest.mark.parametrize(
    "reply",
    [
        refuse(500, "ServiceException", "oops"),
        Reply(503, b"<html>", {"Content-Type": "text/html"}),
        Drop(),
        Reply(cut=10),
        Reply(body=b'{"CheckpointToken":"x'),
    ],
)
def test_what_may_pass_is_tried_again_with_the_same_client_token(reply: Reply | Drop) -> None:
    with FakeService(reply, reply) as service:
        client = Client(service)

        assert client.send().token == "next"

    assert client.delays == [0.05, 0.1]
    assert len({asked.body for asked in service.asked}) == 1
    assert [json.loads(asked.body)["ClientToken"] for asked in service.asked] == ["once"] * 3


def test_a_repeated_call_is_logged(caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level("INFO", "everstep")
    with FakeService(refuse(429, "TooManyRequestsException", "Rate exceeded")) as service:
        Client(service).send()

    assert caplog.messages == ["TooManyRequestsException: Rate exceeded; attempt 1 of 5, next in 1.00 s"]


def test_each_attempt_is_signed_anew() -> None:
    times = iter([1_764_763_200.0, 1_764_763_300.0])
    with FakeService(Drop()) as service:
        client = HttpClient(service.url, region="eu-west-1", credentials=lambda: CREDENTIALS, now=lambda: next(times), sleep=lambda _: None)
        asyncio.run(client.checkpoint(ARN, "token", [], "once"))
        client.close()

    assert [asked.headers["x-amz-date"] for asked in service.asked] == ["20251203T120000Z", "20251203T120140Z"]


def test_after_five_attempts_the_error_says_that_the_invocation_may_be_retried() -> None:
    with FakeService(*[refuse(503, "ServiceUnavailable", "later")] * 9) as service:
        client = Client(service)
        error = client.fail()

    assert len(service.asked) == 5
    assert client.delays == [0.05, 0.1, 0.2, 0.4]
    assert (error.code, error.status, error.is_retryable) == ("ServiceUnavailable", 503, True)


@pytest.mark.parametrize(
    ("reply", "is_retryable"),
    [
        (refuse(400, "InvalidParameterValueException", "Invalid checkpoint token"), True),
        (refuse(400, "InvalidParameterValueException", "Payload too large"), False),
        (refuse(400, "ValidationException", "1 validation error detected"), False),
        (refuse(403, "AccessDeniedException", "no"), False),
        (refuse(404, "ResourceNotFoundException", "no"), False),
        (refuse(502, "KMSDisabledException", "no key"), False),
        (Reply(body=b'{"NewExecutionState":{"Operations":[{"Id":"1","Type":"DANCE","Status":"STARTED"}]}}'), True),
    ],
)
def test_what_will_not_pass_is_raised_at_once(reply: Reply, is_retryable: bool) -> None:
    with FakeService(reply) as service:
        client = Client(service)
        error = client.fail()

    assert (len(service.asked), client.delays, error.is_retryable) == (1, [], is_retryable)


def test_a_service_that_does_not_answer_in_time_is_asked_again() -> None:
    held = Event()
    with FakeService(Reply(held=held)) as service:
        client = Client(service, read_timeout_s=0.05)

        assert client.send().token == "next"
        held.set()

    assert (len(service.asked), service.connections, client.delays) == (2, 2, [0.05])


def test_a_service_that_is_not_there_is_named_in_the_error() -> None:
    with FakeService() as service:
        client = Client(service)
    error = client.fail()

    assert (error.code, error.status, error.is_retryable) == ("ConnectionRefusedError", 0, True)
    assert service.url.removeprefix("http://") in str(error)
    assert isinstance(error.__cause__, ConnectionRefusedError)


def test_behind_a_proxy_the_error_says_what_to_use_instead() -> None:
    with FakeService() as service:
        client = Client(service, environ={"HTTPS_PROXY": "http://proxy:3128"})

    assert "BotoClient" in str(client.fail())


# The environment


def test_the_environment_describes_the_client() -> None:
    with FakeService(*[refuse(500, "ServiceException", "oops")] * 9) as service:
        environ = {
            "AWS_REGION": "eu-west-1",
            "AWS_ENDPOINT_URL_LAMBDA": service.url,
            "AWS_ACCESS_KEY_ID": "AKENV",
            "AWS_SECRET_ACCESS_KEY": "s",
            "AWS_MAX_ATTEMPTS": "2",
        }
        client = HttpClient.from_environment(environ)
        with pytest.raises(ServiceError):
            asyncio.run(client.checkpoint(ARN, "token", [], "once"))
        client.close()

    assert len(service.asked) == 2
    assert "/eu-west-1/lambda/aws4_request" in service.asked[0].headers["authorization"]
    assert "Credential=AKENV/" in service.asked[0].headers["authorization"]


@pytest.mark.parametrize("setting", ["0", "-1", "many"])
def test_an_unusable_number_of_attempts_is_refused(setting: str) -> None:
    with pytest.raises(UsageError, match="AWS_MAX_ATTEMPTS"):
        HttpClient.from_environment({"AWS_REGION": "eu-west-1", "AWS_MAX_ATTEMPTS": setting})


def test_importing_it_loads_nothing_heavy() -> None:
    heavy = {"asyncio", "botocore", "boto3", "concurrent.futures", "email", "http", "logging", "random", "ssl", "urllib"}
    code = "import everstep, sys; a = {*sys.modules}; import everstep.client.http; print(*{*sys.modules} - a)"

    seen = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)

    assert not heavy & set(seen.stdout.split())
