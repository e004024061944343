"""An execution is followed by reading what is new."""

from __future__ import annotations

from collections.abc import Iterator
from typing import cast

import msgspec
import pytest

from everstep.cli import following
from everstep.client import rest
from everstep.client.executions import ExecutionsApi, client_for
from everstep.client.http import HttpClient
from tests.server.running import Answer, Running, declared, running, text_of, until


@pytest.fixture(scope="module")
def server() -> Iterator[Running]:
    with running([declared("many", handler="tests.cli.functions:many")]) as server:
        yield server


class Counting:
    """A client that knows how many events it was sent."""

    def __init__(self, url: str) -> None:
        self.client = client_for(url, "us-east-1", {})
        self.events = 0

    def ask(self, request: rest.Request) -> object:
        answer = self.client.ask(request)
        if "/history" in request.path:
            self.events += len(msgspec.json.decode(answer.body)["Events"])
        return answer


@pytest.fixture
def counting(server: Running) -> Counting:
    return Counting(server.url)


@pytest.fixture
def api(counting: Counting) -> ExecutionsApi:
    return ExecutionsApi(cast("HttpClient", counting))


def test_events_after_one_are_those_that_are_not_known_yet(api: ExecutionsApi) -> None:
    arn = api.start("many:$LATEST", "40")
    until(lambda: api.describe(arn)["Status"] == "SUCCEEDED", "the end")
    events = api.history(arn)

    assert len(events) > 80
    for known in (0, 1, 7, len(events) - 11, len(events) - 10, len(events) - 1, len(events)):
        assert api.history(arn, after=known) == events[known:]


def test_polls_do_not_read_what_is_known(api: ExecutionsApi, counting: Counting) -> None:
    arn = api.start("many:$LATEST", "100")
    until(lambda: api.history(arn)[-1]["EventType"] == "InvocationCompleted", "the suspension")
    [callback] = [event for event in api.history(arn) if event["EventType"] == "CallbackStarted"]
    callback_id = text_of(cast("Answer", callback["CallbackStartedDetails"]), "CallbackId")
    counting.events = 0
    shown: list[int] = []

    def show(record: following.Record, url: str | None) -> None:
        shown.append(len(record.events))
        if len(shown) == 1:
            assert record.ended_at is None
            api.succeed_callback(callback_id, None)

    record = following.follow(api, arn, show=show)

    assert record.status == "SUCCEEDED"
    assert shown == sorted(set(shown))
    assert counting.events < shown[-1] + 100, "not each time all of them"
