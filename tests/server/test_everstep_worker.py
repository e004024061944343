"""`everstep worker` as a process: several functions, several invocations at a time, and how it and its server come and go."""

from __future__ import annotations

import signal
import socket
import subprocess
import sys
from collections.abc import Generator, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from pathlib import Path

import pytest

from tests.server.running import HERE, Running, declared, events_of, payload_of, running, status_of, text_of, until

ROOT = Path(__file__).parent.parent.parent
DURABLE = {"ExecutionTimeout": 60}


@contextmanager
def worker(url: str, *arguments: str) -> Generator[subprocess.Popen[str]]:
    """A worker's process, killed at the end of the block if it still runs."""
    command = [sys.executable, "-m", "everstep.cli.main", "worker", *arguments, "--server", url]
    process = subprocess.Popen(command, cwd=ROOT, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True)
    try:
        yield process
    finally:
        process.kill()
        process.communicate(timeout=60)


def said_by(process: subprocess.Popen[str], words: str) -> str:
    """The lines of the worker's up to the one with these words."""
    assert process.stdout is not None
    lines = ""
    while words not in lines:
        line = process.stdout.readline()
        assert line, lines
        lines += line
    return lines


@pytest.fixture(scope="module")
def server() -> Iterator[Running]:
    functions = [declared(name, config=DURABLE) for name in ("order", "meeting", "crashing", "slow")]
    functions += [declared(name) for name in ("plain", "plain_async", "plain_typed", "plain_failing", "plain_meeting")]
    functions.append(declared("versioned", config=DURABLE, versions={1: None, 2: None}))
    with running(functions) as server:
        yield server


def test_one_worker_serves_several_functions_of_every_kind(server: Running) -> None:
    names = ("order", "plain", "plain_async", "plain_typed", "plain_failing")

    with worker(server.url, *(f"{HERE}:{name}" for name in names)):
        client = server.client
        order = payload_of(client.invoke(FunctionName="order:$LATEST", Payload=b'{"amount": 1}'))
        plain = payload_of(client.invoke(FunctionName="plain", Payload=b"1"))
        echo = payload_of(client.invoke(FunctionName="plain_async", Payload=b'"x"'))
        typed = payload_of(client.invoke(FunctionName="plain_typed", Payload=b'{"weight": 2}'))
        failure = payload_of(client.invoke(FunctionName="plain_failing"))

    assert order == {"total": 4}
    assert (plain["event"], plain["name"], echo, typed) == (1, "plain", "x", {"weight": 4})
    assert (failure["errorType"], failure["errorMessage"]) == ("LookupError", "no such thing")


@pytest.mark.parametrize("function", ["meeting:$LATEST", "plain_meeting"])
def test_a_worker_works_on_several_invocations_at_a_time(server: Running, tmp_path: Path, function: str) -> None:
    target = f"{HERE}:{function.partition(':')[0]}"
    with worker(server.url, target, "--concurrency", "3"), ThreadPoolExecutor(3) as pool:
        answers = [
            pool.submit(server.client.invoke, FunctionName=function, Payload=f'"{tmp_path} {name} 3"'.encode()) for name in ("a", "b", "c")
        ]
        results = [payload_of(answer.result()) for answer in answers]

    assert results == [["a", "b", "c"]] * 3


def test_a_version_can_be_served_by_code_of_its_own(server: Running) -> None:
    with worker(server.url, f"versioned:1={HERE}:quick", f"versioned:2={HERE}:order"):
        first = payload_of(server.client.invoke(FunctionName="versioned:1", Payload=b'{"amount": 1}'))
        second = payload_of(server.client.invoke(FunctionName="versioned:2", Payload=b'{"amount": 1}'))

    assert (first, second) == ({"amount": 1}, {"total": 4})


def test_a_worker_that_dies_is_noticed_and_its_invocations_are_made_again(server: Running) -> None:
    with worker(server.url, f"{HERE}:crashing") as first, ThreadPoolExecutor(1) as pool:
        invoking = pool.submit(server.client.invoke, FunctionName="crashing:$LATEST", Payload=b"1")
        assert first.wait(timeout=60) == 3
        with worker(server.url, f"{HERE}:crashing"):
            answer = invoking.result()

    assert isinstance(payload_of(answer), int)
    ends = [
        event for event in events_of(server.client, text_of(answer, "DurableExecutionArn")) if event["EventType"] == "InvocationCompleted"
    ]
    error = ends[0]["InvocationCompletedDetails"]["Error"]["Payload"]
    assert error == {"ErrorType": "Runtime.ExitError", "ErrorMessage": "The worker that ran it is gone"}


def test_a_worker_that_is_told_to_stop_finishes_what_it_has_and_takes_nothing_new(server: Running, tmp_path: Path) -> None:
    with worker(server.url, f"slow={HERE}:meeting") as process:
        arguments = {"FunctionName": "slow:$LATEST", "InvocationType": "Event"}
        arn = text_of(server.client.invoke(**arguments, Payload=f'"{tmp_path} a 2"'.encode()), "DurableExecutionArn")
        until((tmp_path / "a").exists, "the invocation")
        process.send_signal(signal.SIGTERM)
        said_by(process, "stopping")
        left = text_of(server.client.invoke(**arguments, Payload=f'"{tmp_path} b 2"'.encode()), "DurableExecutionArn")
        (tmp_path / "c").touch()
        code = process.wait(timeout=60)

    assert code == 0
    assert status_of(server.client, arn) == "SUCCEEDED"
    assert status_of(server.client, left) == "RUNNING"
    assert not (tmp_path / "b").exists()
    server.client.stop_durable_execution(DurableExecutionArn=left)


def test_a_worker_outlives_its_server_and_works_for_the_next_one_there() -> None:
    with socket.create_server(("127.0.0.1", 0)) as reserved:
        port = reserved.getsockname()[1]
    functions = [declared("order", config=DURABLE)]

    with running(functions, port=port) as first, worker(first.url, f"{HERE}:order") as process:
        before = payload_of(first.client.invoke(FunctionName="order:$LATEST", Payload=b'{"amount": 1}'))
        first.stop()
        said_by(process, "gives no work")
        with running([declared("order", config=DURABLE)], port=port) as second:
            after = payload_of(second.client.invoke(FunctionName="order:$LATEST", Payload=b'{"amount": 2}'))

    assert (before, after) == ({"total": 4}, {"total": 8})


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        ([f"nobody={HERE}:order", f"{HERE}:order"], "gives no work here"),
        ([f"nobody={HERE}:order", f"{HERE}:order"], "(nobody)"),
        ([f"{HERE}:order", f"order={HERE}:quick"], "two of the functions have one name"),
        ([f"{HERE}:order", "--concurrency", "0"], "--concurrency"),
    ],
)
def test_a_worker_that_cannot_work_says_why(server: Running, arguments: list[str], said: str) -> None:
    with worker(server.url, *arguments) as process:
        assert process.wait(timeout=60) != 0
        assert process.stdout is not None
        assert said in process.stdout.read()
