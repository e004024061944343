"""Whatever is sent to the server, it answers in the API's own words, does not hang, and records nothing half."""

from __future__ import annotations

import asyncio
import json
import re
from collections.abc import Iterator, Mapping
from dataclasses import replace
from http.client import HTTPResponse
from io import BytesIO
from pathlib import Path
from typing import Any, Final, cast
from urllib.parse import quote

import pytest
from hypothesis import HealthCheck, Phase, example, given, settings

from everstep.server.errors import STATUS
from everstep.service.machine.state import State
from everstep.service.stores.api import Filter
from everstep.service.stores.sqlite import SqliteStore
from tests.effort import examples
from tests.fuzz.hostile import TOKEN, Request, exchange, requests
from tests.server.running import HERE, Running, declared, running, text_of
from tests.service.machine.world import check_state

LONG: Final = {"ExecutionTimeout": 901}
"""With which no Invoke waits for the end."""
RENEWED_AFTER: Final = 40
"""Requests."""
SLOW: Final = (HealthCheck.too_slow, HealthCheck.data_too_large)
CALL_SITES: Final = Request("GET", b"/everstep/2026-11-01/durable-executions/TheArn0/call-sites", [], b"", None)
PHASES: Final = (Phase.explicit, Phase.reuse, Phase.generate)
"""Nothing is shrunk: a request is small, and what it does depends on those before."""


class Target:
    """A server with something in it, which is made anew as the requests destroy it. meant: what placeholders stand for."""

    def __init__(self, server: Running) -> None:
        self.server = server
        self.meant: dict[str, str] = {}
        self.sent = 0

    def renew(self) -> None:
        """An execution that waits for a callback, one that ends, and one of which we are the handler."""
        client = self.server.client
        for number, function in enumerate(("approval", "quick", "pulled")):
            started = client.invoke(FunctionName=f"{function}:$LATEST", InvocationType="Event", Payload=b"1")
            arn = text_of(started, "DurableExecutionArn")
            self.meant[f"TheArn{number}"], self.meant[f"TheBareArn{number}"] = quote(arn, safe=""), arn
        _, _, body = self.server.request("GET", "/runtime/pulled/w/2018-06-01/runtime/invocation/next")
        event = json.loads(body)
        self.meant["TheArn2"] = quote(event["DurableExecutionArn"], safe="")
        answer = client.checkpoint_durable_execution(
            DurableExecutionArn=event["DurableExecutionArn"],
            CheckpointToken=event["CheckpointToken"],
            Updates=[{"Id": f"callback-{self.sent}", "Type": "CALLBACK", "Action": "START"}],
        )
        operation = cast("list[dict[str, Any]]", answer["NewExecutionState"]["Operations"])[-1]
        self.meant |= {TOKEN: text_of(answer, "CheckpointToken"), "TheCallback": quote(operation["CallbackDetails"]["CallbackId"])}

    def send(self, request: Request) -> bytes:
        if self.sent % RENEWED_AFTER == 0:
            self.renew()
        self.sent += 1
        target, body = request.target, request.body
        for placeholder, value in self.meant.items():
            target = target.replace(placeholder.encode(), value.encode())
            body = body.replace(placeholder.encode(), value.encode())
        answer = exchange(self.server.address, replace(request, target=target, body=body).bytes())
        if (found := re.search(rb'"CheckpointToken":"([^"]+)"', answer)) is not None:
            self.meant[TOKEN] = found[1].decode()
        return answer


@pytest.fixture(scope="module")
def database(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("fuzz") / "store.db"


@pytest.fixture(scope="module")
def target(database: Path) -> Iterator[Target]:
    functions = [declared(name, handler=f"{HERE}:{name}", config=LONG) for name in ("quick", "approval")]
    functions += [declared("plain", handler=f"{HERE}:plain"), declared("pulled", config=LONG)]
    with running(functions, f"sqlite:///{database}") as server:
        yield Target(server)
    asyncio.run(check_store(database))


async def check_store(database: Path) -> None:
    """Nothing in it is half: each execution's history has no gaps, and its state is what can be found by looking at everything."""
    store = SqliteStore(database)
    await store.open()
    try:
        executions = await store.executions(Filter(), limit=100_000)
        assert executions
        for execution in executions:
            snapshot = await store.load(execution.id)
            assert snapshot is not None
            events = await store.events(execution.id, limit=10_000)
            assert [event.event_id for event in events] == list(range(1, snapshot.execution.events + 1))
            if snapshot.execution.invocation is None:
                check_state(State(snapshot.execution, snapshot.records))
    finally:
        await store.close()


class _Received(BytesIO):
    """A socket, as HTTPResponse wants it."""

    def makefile(self, *arguments: object) -> _Received:
        return self


def parsed(request: Request, received: bytes) -> tuple[int, Mapping[str, str], bytes]:
    response = HTTPResponse(cast("Any", _Received(received)), method=request.method)
    response.begin()
    return response.status, {name.lower(): value for name, value in response.getheaders()}, response.read()


def without_shown_source(status: int, body: bytes) -> bytes:
    """The body without what GetCallSites is there to show: files of the user's, from where they are imported, and lines of them."""
    if status != 200 or b'"CallSites"' not in body:
        return body
    sites = json.loads(body)["CallSites"]
    for site in sites:
        assert not Path(site.pop("File")).is_absolute()
        del site["Source"]
    return json.dumps(sites).encode()


def check_answer(request: Request, received: bytes) -> None:
    status, headers, body = parsed(request, received)
    assert status < 500, body
    for given_away in (b"Traceback", b'File "', b".py", b"sqlite3", b"msgspec"):
        assert given_away not in without_shown_source(status, body) or given_away in request.body + request.target
    if "x-amzn-requestid" not in headers:  # it never was a request
        assert (status, body) == (400, b"Invalid HTTP request received.")
        return
    if request.method == "HEAD" or not body:
        return
    answer = json.loads(body)
    if status >= 400 and "errorType" not in answer:  # as the Runtime API says it
        kind = headers["x-amzn-errortype"]
        assert STATUS[kind] == status
        assert answer["__type"] == kind
        assert isinstance(answer.get("message", answer.get("Message")), str)


def is_endless(request: Request) -> bool:
    """Whether the answer waits for what only a worker can do."""
    kind = [value.strip() for name, value in request.headers if name == "X-Amz-Invocation-Type"]
    return request.method == "POST" and request.target.split(b"?")[0].endswith(b"/invocations") and b"Event" not in kind


# The server's thread uses `random` beside hypothesis, which takes it for the strategies' doing.
@pytest.mark.filterwarnings("ignore:Do not use the `random` module inside strategies")
@settings(max_examples=examples(300), deadline=None, suppress_health_check=SLOW, phases=PHASES)
@given(request=requests())
@example(request=CALL_SITES)
def test_whatever_is_sent_is_answered_in_the_words_of_the_api(target: Target, request: Request) -> None:
    try:
        received = target.send(request)
    except TimeoutError:
        assert is_endless(request)
        return

    check_answer(request, received)
