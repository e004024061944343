"""Functions outside the server: in processes, pulled by workers, behind endpoints."""

from __future__ import annotations

import json
import os
import sys
import threading
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from http.client import HTTPConnection
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from uuid import uuid4

import msgspec
import pytest

from everstep.server.together import Asked, Checkpoint, Message, Outcome, read_given, read_replies, written
from tests.server.running import HERE, Answer, Lambda, Running, declared, events_of, payload_of, running, text_of, until

ROOT = Path(__file__).parent.parent.parent
RIC = f"{sys.executable} -m awslambdaric {HERE}"


@pytest.fixture(scope="module")
def server() -> Iterator[Running]:
    """A server whose functions are processes."""
    durable = {"ExecutionTimeout": 60}
    functions = [declared(name, process=f"{HERE}:{name}", config=durable) for name in ("order", "crashing", "nonsense")]
    functions += [
        declared(name, process=f"{HERE}:{name}") for name in ("plain", "plain_async", "plain_typed", "plain_failing", "plain_exiting")
    ]
    functions += [
        declared("ric_order", command=f"{RIC}.order", config=durable),
        declared("ric_plain", command=f"{RIC}.plain"),
        declared("hanging", process=f"{HERE}:plain_hanging", Timeout=1),
        declared("broken", process="tests.server.nowhere:nothing"),
        declared("pulled", config=durable),
        declared("pulled_plain"),
        declared("elsewhere", endpoint="http://127.0.0.1:9", config=durable),
    ]
    with running(functions) as server:
        yield server


@pytest.fixture
def client(server: Running) -> Lambda:
    return server.client


@pytest.mark.parametrize("function", ["order", "ric_order"])
def test_a_durable_handler_runs_in_a_process_and_talks_to_the_server_over_http(client: Lambda, function: str) -> None:
    answer = client.invoke(FunctionName=f"{function}:$LATEST", Payload=b'{"amount": 3}')

    assert payload_of(answer) == {"total": 12}
    kinds = [event["EventType"] for event in events_of(client, text_of(answer, "DurableExecutionArn"))]
    assert kinds[3:6] == ["WaitStarted", "InvocationCompleted", "WaitSucceeded"]


@pytest.mark.parametrize("function", ["plain", "ric_plain"])
def test_a_plain_function_runs_in_a_process_of_its_own(client: Lambda, function: str) -> None:
    body = payload_of(client.invoke(FunctionName=function, Payload=b'{"a": 1}'))

    assert (body["event"], body["name"]) == ({"a": 1}, function)
    assert body["pid"] != os.getpid()


def test_async_functions_typed_ones_and_exceptions_come_through(client: Lambda) -> None:
    assert payload_of(client.invoke(FunctionName="plain_async", Payload=b'"x"')) == "x"
    assert payload_of(client.invoke(FunctionName="plain_typed", Payload=b'{"weight": 2}')) == {"weight": 4}
    failure = client.invoke(FunctionName="plain_failing")
    error = payload_of(failure)

    assert failure["FunctionError"] == "Unhandled"
    assert (error["errorType"], error["errorMessage"]) == ("LookupError", "no such thing")


def test_a_process_that_dies_fails_its_invocation_and_another_one_goes_on(client: Lambda) -> None:
    answer = client.invoke(FunctionName="crashing:$LATEST", Payload=b"1")

    assert isinstance(payload_of(answer), int)
    ends = [event for event in events_of(client, text_of(answer, "DurableExecutionArn")) if event["EventType"] == "InvocationCompleted"]
    first = ends[0]["InvocationCompletedDetails"]
    assert first["Error"]["Payload"]["ErrorType"] == "Runtime.ExitError"
    assert "status 3" in first["Error"]["Payload"]["ErrorMessage"]
    assert len(ends) == 3


def test_a_plain_functions_process_that_dies_is_a_function_error(client: Lambda) -> None:
    for _ in range(2):
        answer = client.invoke(FunctionName="plain_exiting")
        error = payload_of(answer)
        assert (answer["FunctionError"], error["errorType"]) == ("Unhandled", "Runtime.ExitError")


def test_a_process_that_hangs_is_killed_when_its_time_is_up(client: Lambda) -> None:
    error = payload_of(client.invoke(FunctionName="hanging"))

    assert error["errorType"] == "Sandbox.Timedout"
    assert error["errorMessage"].endswith("Task timed out after 1.00 seconds")


def test_a_process_that_cannot_begin_fails_what_waits_for_it(client: Lambda) -> None:
    error = payload_of(client.invoke(FunctionName="broken"))

    assert error["errorType"] == "Runtime.ExitError"


def test_an_answer_that_is_nonsense_fails_the_execution(client: Lambda) -> None:
    error = payload_of(client.invoke(FunctionName="nonsense:$LATEST"))

    assert error == {"errorType": "InvalidParameterValueException", "errorMessage": "Invalid Status in invocation output."}


def test_an_endpoint_that_is_down_is_a_failed_invocation_and_tried_again(client: Lambda) -> None:
    answer = client.invoke(FunctionName="elsewhere:$LATEST", InvocationType="Event")
    arn = text_of(answer, "DurableExecutionArn")

    until(lambda: "InvocationCompleted" in [event["EventType"] for event in events_of(client, arn)], "the failure")

    details = events_of(client, arn)[1]["InvocationCompletedDetails"]
    assert details["Error"]["Payload"]["ErrorType"] == "Runtime.Unreachable"
    client.stop_durable_execution(DurableExecutionArn=arn)


# -- pulling by hand


class Hand:
    """A worker by hand, on a connection of its own."""

    def __init__(self, server: Running, path: str) -> None:
        self.connection = HTTPConnection(server.address, timeout=20)
        self.path = f"{path}/2018-06-01/runtime"

    def next(self) -> tuple[dict[str, str], Answer]:
        self.connection.request("GET", f"{self.path}/invocation/next")
        response = self.connection.getresponse()
        body = response.read()
        assert response.status == 200, body
        return {name.lower(): value for name, value in response.getheaders()}, json.loads(body)

    def send(self, call: str, body: object) -> tuple[int, dict[str, str]]:
        self.connection.request("POST", f"{self.path}/{call}", json.dumps(body))
        response = self.connection.getresponse()
        return response.status, json.loads(response.read())

    def post(self, call: str, body: bytes) -> bytes:
        """As `everstep worker` does."""
        self.connection.request("POST", f"{self.path}/{call}", body)
        response = self.connection.getresponse()
        assert response.status == 200
        return response.read()


@pytest.fixture
def by_hand(server: Running) -> Iterator[Callable[[str], Hand]]:
    """Makes workers by hand, for a path."""
    hands: list[Hand] = []

    def make(path: str) -> Hand:
        hands.append(Hand(server, path))
        return hands[-1]

    yield make
    for hand in hands:
        hand.connection.close()


def test_a_worker_pulls_an_invocation_and_answers_it(server: Running, by_hand: Callable[[str], Hand]) -> None:
    worker = by_hand("/runtime/pulled_plain")
    with ThreadPoolExecutor(1) as pool:
        invoking = pool.submit(server.client.invoke, FunctionName="pulled_plain", Payload=b'{"a": 1}')
        headers, event = worker.next()
        status, _ = worker.send(f"invocation/{headers['lambda-runtime-aws-request-id']}/response", {"b": 2})
        answer = invoking.result()

    assert event == {"a": 1}
    assert status == 202
    assert payload_of(answer) == {"b": 2}
    assert headers["lambda-runtime-invoked-function-arn"] == "arn:aws:lambda:us-east-1:123456789012:function:pulled_plain"
    assert int(headers["lambda-runtime-deadline-ms"]) > 0


def test_a_worker_reports_an_error(server: Running, by_hand: Callable[[str], Hand]) -> None:
    worker = by_hand("/runtime/pulled_plain/hand")
    with ThreadPoolExecutor(1) as pool:
        invoking = pool.submit(server.client.invoke, FunctionName="pulled_plain")
        headers, _ = worker.next()
        worker.send(f"invocation/{headers['lambda-runtime-aws-request-id']}/error", {"errorType": "Oops", "errorMessage": "it broke"})
        answer = invoking.result()

    assert answer["FunctionError"] == "Unhandled"
    assert payload_of(answer) == {"errorType": "Oops", "errorMessage": "it broke"}


def test_a_worker_that_asks_again_has_failed_at_what_it_had(server: Running, by_hand: Callable[[str], Hand]) -> None:
    worker = by_hand("/runtime/pulled_plain/forgetful")
    with ThreadPoolExecutor(2) as pool:
        first = pool.submit(server.client.invoke, FunctionName="pulled_plain", Payload=b"1")
        worker.next()
        second = pool.submit(server.client.invoke, FunctionName="pulled_plain", Payload=b"2")
        headers, event = worker.next()
        worker.send(f"invocation/{headers['lambda-runtime-aws-request-id']}/response", event)

    error = payload_of(first.result())
    assert error["errorType"] == "Runtime.ExitError"
    assert payload_of(second.result()) == 2


def test_calls_made_together_are_answered_in_their_order_whatever_becomes_of_each(server: Running, by_hand: Callable[[str], Hand]) -> None:
    worker = by_hand("/runtime/pulled/many")
    started = server.client.invoke(FunctionName="pulled:$LATEST", InvocationType="Event", Payload=b"1")
    (given,) = read_given(worker.post("invocations", written(Asked(["0", "1"]))))
    event = msgspec.json.decode(given.event)
    arn, token = event["DurableExecutionArn"], event["CheckpointToken"]
    update = {"Id": "1", "Type": "STEP", "Action": "SUCCEED", "Payload": "2"}
    recorded = Checkpoint(arn, msgspec.json.encode({"CheckpointToken": token, "Updates": [update]}))
    unreadable, unknown = Checkpoint(arn, b"{"), Checkpoint(arn[:-1] + "x", recorded.body)

    calls: list[Message] = [unreadable, recorded, Outcome("nobody", "response", b"1"), unknown, recorded]
    ending: list[Message] = [Outcome(given.headers["lambda-runtime-aws-request-id"], "response", b'{"Status": "SUCCEEDED", "Result": "3"}')]

    first = read_replies(worker.post("calls", written(calls)))
    last = read_replies(worker.post("calls", written(ending)))

    assert [reply.status for reply in first] == [400, 200, 400, 400, 400]
    assert "CheckpointToken" in msgspec.json.decode(first[1].body)
    assert b"Invalid checkpoint token" in first[4].body  # it has been used
    assert [reply.status for reply in last] == [202]
    described = server.client.get_durable_execution(DurableExecutionArn=text_of(started, "DurableExecutionArn"))
    assert (described["Status"], described["Result"]) == ("SUCCEEDED", "3")


def test_an_invocation_is_not_given_to_a_worker_that_went_away(server: Running, by_hand: Callable[[str], Hand]) -> None:
    gone = by_hand("/runtime/pulled_plain/gone")
    gone.connection.request("GET", f"{gone.path}/invocation/next")
    assert gone.connection.sock is not None
    code = server.server.backend.catalog.function("pulled_plain")
    assert code is not None
    until(lambda: getattr(code.latest.code, "asking") == 1, "the question")  # noqa: B009  # one kind of code among several
    gone.connection.close()
    until(lambda: getattr(code.latest.code, "asking") == 0, "the end of the question")  # noqa: B009

    worker = by_hand("/runtime/pulled_plain")
    with ThreadPoolExecutor(1) as pool:
        invoking = pool.submit(server.client.invoke, FunctionName="pulled_plain", Payload=b"3")
        headers, event = worker.next()
        worker.send(f"invocation/{headers['lambda-runtime-aws-request-id']}/response", event)

    assert payload_of(invoking.result()) == 3


@pytest.mark.parametrize(
    ("method", "path", "status"),
    [
        ("GET", "/runtime/nobody/2018-06-01/runtime/invocation/next", 404),
        ("GET", "/2018-06-01/runtime/invocation/next", 404),
        ("GET", "/runtime/pulled/2018-06-01/runtime/extension/next", 404),
        ("POST", "/runtime/pulled/me/2018-06-01/runtime/invocations", 400),
        ("POST", "/runtime/pulled/me/2018-06-01/runtime/calls", 400),
        ("POST", "/runtime/pulled/token/t/me/2018-06-01/runtime/calls", 404),
        ("POST", "/runtime/pulled/2018-06-01/runtime/invocation/unknown/response", 400),
        ("POST", "/runtime/pulled/2018-06-01/runtime/invocation/unknown/error", 400),
        ("POST", "/runtime/pulled/2018-06-01/runtime/init/error", 202),
    ],
)
def test_what_makes_no_sense_to_the_runtime_api_is_refused(server: Running, method: str, path: str, status: int) -> None:
    assert server.request(method, path, b"{}" if method == "POST" else None)[0] == status


def test_a_durable_invocation_is_an_event_of_the_services_form(server: Running, by_hand: Callable[[str], Hand]) -> None:
    worker = by_hand("/runtime/pulled/hand")
    with ThreadPoolExecutor(1) as pool:
        invoking = pool.submit(server.client.invoke, FunctionName="pulled:$LATEST", Payload=b'{"a": 1}')
        headers, event = worker.next()
        worker.send(f"invocation/{headers['lambda-runtime-aws-request-id']}/response", {"Status": "SUCCEEDED", "Result": "5"})
        answer = invoking.result()

    assert payload_of(answer) == 5
    assert set(event) == {"DurableExecutionArn", "CheckpointToken", "InitialExecutionState", "UpdatedOperationIds"}
    state = event["InitialExecutionState"]
    assert state["NextMarker"] == ""
    (execution,) = state["Operations"]
    assert (execution["Type"], execution["Status"]) == ("EXECUTION", "STARTED")
    assert execution["ExecutionDetails"] == {"InputPayload": '{"a": 1}'}
    assert isinstance(execution["StartTimestamp"], int)


# -- endpoints


class Emulator(BaseHTTPRequestHandler):
    """Answers as the Runtime Interface Emulator does."""

    protocol_version = "HTTP/1.1"
    answers: dict[str, list[tuple[int, dict[str, str], bytes]]] = {}  # noqa: RUF012  # the library makes an instance per connection
    seen: list[tuple[str, dict[str, str], bytes]] = []  # noqa: RUF012  # the same

    def do_POST(self) -> None:  # the library's name
        body = self.rfile.read(int(self.headers["Content-Length"]))
        self.seen.append((self.path, dict(self.headers.items()), body))
        waiting = self.answers[self.path]
        status, headers, answer = waiting.pop(0) if len(waiting) > 1 else waiting[0]
        self.send_response(status)
        for name, value in {**headers, "Content-Length": str(len(answer))}.items():
            self.send_header(name, value)
        self.end_headers()
        self.wfile.write(answer)

    def log_message(self, format: str, *args: object) -> None:  # noqa: A002  # the library's name
        pass


@pytest.fixture
def emulator() -> Iterator[str]:
    Emulator.answers, Emulator.seen = {}, []
    listener = ThreadingHTTPServer(("127.0.0.1", 0), Emulator)
    thread = threading.Thread(target=listener.serve_forever, daemon=True)
    thread.start()
    yield f"http://127.0.0.1:{listener.server_address[1]}"
    listener.shutdown()
    listener.server_close()
    thread.join()


def test_functions_behind_endpoints_are_called_by_post(emulator: str) -> None:
    name = f"far-{uuid4().hex[:8]}"
    own, fixed = f"/2015-03-31/functions/{name}/invocations", "/2015-03-31/functions/function/invocations"
    Emulator.answers = {
        own: [(200, {}, b'{"Status":"SUCCEEDED","Result":"7"}')],
        fixed: [(200, {"X-Amz-Function-Error": "Unhandled"}, b'{"errorType":"Oops","errorMessage":"it broke"}')],
        "/busy": [(503, {}, b"no room")],
    }
    functions = [
        declared(name, endpoint=emulator, config={"ExecutionTimeout": 60}),
        declared("rie", endpoint=emulator + fixed),
        declared("busy", endpoint=f"{emulator}/busy"),
    ]

    with running(functions) as server:
        answer = server.client.invoke(FunctionName=f"{name}:$LATEST", Payload=b"1")
        failure = server.client.invoke(FunctionName="rie", Payload=b'"e"')
        busy = server.client.invoke(FunctionName="busy")

    assert payload_of(answer) == 7
    path, headers, body = Emulator.seen[0]
    assert (path, headers["X-Dex-Handler-Invoke"]) == (own, "true")
    assert json.loads(body)["InitialExecutionState"]["Operations"][0]["ExecutionDetails"] == {"InputPayload": "1"}
    assert payload_of(failure) == {"errorType": "Oops", "errorMessage": "it broke"}
    assert Emulator.seen[1][2] == b'"e"'
    assert payload_of(busy) == {"errorType": "Http503", "errorMessage": "no room"}


def test_an_endpoint_that_has_no_room_is_asked_again_and_no_invocation_has_failed(emulator: str) -> None:
    no_room = (429, {"Retry-After": "0"}, b'{"Reason":"ConcurrentInvocationLimitExceeded"}')
    Emulator.answers = {"/throttled": [no_room, no_room, (200, {}, b'{"Status":"SUCCEEDED","Result":"7"}')]}

    with running([declared("throttled", endpoint=f"{emulator}/throttled", config={"ExecutionTimeout": 60})]) as server:
        answer = server.client.invoke(FunctionName="throttled:$LATEST", Payload=b"1")
        events = events_of(server.client, text_of(answer, "DurableExecutionArn"))

    assert payload_of(answer) == 7
    assert [event["EventType"] for event in events] == ["ExecutionStarted", "InvocationCompleted", "ExecutionSucceeded"]
    assert len({body for _, _, body in Emulator.seen}) == 1
    assert len(Emulator.seen) == 3
