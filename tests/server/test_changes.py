"""Waiting for a change over HTTP."""

from __future__ import annotations

import json
import threading
from collections.abc import Callable, Generator
from concurrent.futures import Future
from urllib.parse import quote

import pytest

from tests.server.running import Running, declared, events_of, running, text_of, until

UNKNOWN = "arn:aws:lambda:us-east-1:123456789012:function:sleeper:$LATEST/durable-execution/none/none"


@pytest.fixture(scope="module")
def server() -> Generator[Running]:
    with running([declared(name, handler=f"tests.server.functions:{name}") for name in ("quick", "sleeper")]) as serving:
        yield serving


def position(server: Running, arn: str = "", seen: str = "", wait_s: int = 0) -> str:
    path = f"/everstep/2026-11-01/changes?DurableExecutionArn={quote(arn, safe='')}&Position={seen}&WaitSeconds={wait_s}"
    status, _, body = server.request("GET", path)
    assert status == 200, body
    return str(json.loads(body)["Position"])


def asleep(server: Running) -> str:
    answer = server.client.invoke(FunctionName="sleeper:$LATEST", InvocationType="Event")
    arn = text_of(answer, "DurableExecutionArn")
    until(lambda: any(event["EventType"] == "InvocationCompleted" for event in events_of(server.client, arn)), "its rest")
    return arn


def meanwhile(ask: Callable[[], str]) -> Future[str]:
    answer: Future[str] = Future()
    threading.Thread(target=lambda: answer.set_result(ask())).start()
    return answer


def test_a_wait_ends_when_the_execution_changes_and_not_before(server: Running) -> None:
    arn, other = asleep(server), asleep(server)
    seen = position(server, arn)

    waits = meanwhile(lambda: position(server, arn, seen, 20))
    server.client.stop_durable_execution(DurableExecutionArn=other)
    until(lambda: bool(server.server.backend.engine.changes.waiting), "the wait")
    assert not waits.done()
    server.client.stop_durable_execution(DurableExecutionArn=arn)

    assert waits.result(timeout=5) not in ("", seen)


def test_what_changed_before_the_wait_is_told_at_once(server: Running) -> None:
    arn = asleep(server)
    seen, of_all = position(server, arn), position(server)
    server.client.stop_durable_execution(DurableExecutionArn=arn)

    assert position(server, arn, seen, 20) != seen
    assert position(server, "", of_all, 20) != of_all


def test_a_wait_for_any_execution_ends_with_the_next_change_of_one(server: Running) -> None:
    asleep(server)
    seen = position(server)

    waits = meanwhile(lambda: position(server, "", seen, 20))
    server.client.invoke(FunctionName="quick:$LATEST", InvocationType="Event")

    assert waits.result(timeout=5) != seen


@pytest.mark.parametrize(
    ("query", "status"),
    [
        (f"DurableExecutionArn={quote(UNKNOWN)}", 404),
        ("DurableExecutionArn=x", 400),
        ("WaitSeconds=21", 400),
        (f"Position={'x' * 129}", 400),
    ],
)
def test_what_cannot_be_waited_for_is_refused(server: Running, query: str, status: int) -> None:
    assert server.request("GET", f"/everstep/2026-11-01/changes?{query}")[0] == status


def test_a_wait_ends_when_the_server_stops() -> None:
    with running([declared("sleeper", handler="tests.server.functions:sleeper")]) as server:
        seen = position(server)
        answer: Future[int] = Future()
        path = f"/everstep/2026-11-01/changes?Position={seen}&WaitSeconds=20"
        threading.Thread(target=lambda: answer.set_result(server.request("GET", path)[0])).start()
        until(lambda: bool(server.server.backend.engine.changes.waiting), "the wait")
        server.stop()

        assert answer.result(timeout=5) == 500
