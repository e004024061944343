"""The listing of all functions' executions, by what they failed with or wait for."""

from __future__ import annotations

import json
from typing import Any
from urllib.parse import urlencode

import pytest

from everstep.server.routes import overview
from tests.server.running import Running
from tests.server.test_executions import asleep, ended, started


def search(server: Running, **asked: str | int) -> tuple[int, Any]:
    status, _, body = server.request("GET", f"/everstep/2026-11-01/executions?{urlencode(asked)}")
    return status, json.loads(body)


def found(server: Running, **asked: str | int) -> dict[str, Any]:
    """All pages, by ARN."""
    executions: list[Any] = []
    marker = ""
    while True:
        status, page = search(server, **asked, Marker=marker)
        assert status == 200, page
        executions += page["Executions"]
        marker = page.get("NextMarker") or ""
        if not marker:
            by_arn = {one["DurableExecutionArn"]: one for one in executions}
            assert len(by_arn) == len(executions)
            return by_arn


def test_executions_are_found_by_the_operation_that_they_wait_in(server: Running) -> None:
    approval, sleeper = started(server.client, "approval"), started(server.client, "sleeper")
    asleep(server.client, approval)
    asleep(server.client, sleeper)
    over = ended(server.client)

    by_name = found(server, WaitingName="approval")
    by_type = found(server, WaitingType="WAIT", FunctionName="sleeper", Statuses="RUNNING")
    operation = by_name[approval]["WaitingOperation"]

    assert approval in by_name
    assert not {sleeper, over} & by_name.keys()
    assert sleeper in by_type
    assert approval not in by_type
    assert (operation["Type"], operation["Name"]) == ("CALLBACK", "approval")
    assert operation["DueTimestamp"] == pytest.approx(operation["StartTimestamp"] + 30)
    assert found(server, WaitingName="approval", WaitingType="WAIT") == {}
    assert found(server, WaitingName="appro") == {}
    assert "WaitingOperation" not in found(server, DurableExecutionName=approval.split("/")[-2])[approval]


def test_a_search_goes_on_by_pages_over_what_it_looked_into_in_vain(server: Running, monkeypatch: pytest.MonkeyPatch) -> None:
    waiting = started(server.client, "approval")
    asleep(server.client, waiting)
    for arn in [started(server.client, "sleeper") for _ in range(5)]:
        asleep(server.client, arn)
    monkeypatch.setattr(overview, "SCANNED", 4)
    monkeypatch.setattr(overview, "SCANNED_OPERATIONS", 5)

    _, first = search(server, WaitingName="approval", MaxItems=1)

    assert first["Executions"] == []
    assert first["NextMarker"]
    assert waiting in found(server, WaitingName="approval", MaxItems=1)


@pytest.mark.parametrize(("error_type", "is_found"), [("shop.TooDear", True), ("TooDear", True), ("Dear", False), ("shop", False)])
def test_executions_are_found_by_their_errors_type_with_its_module_or_without(server: Running, error_type: str, is_found: bool) -> None:
    arn = started(server.client, "sleeper")
    server.client.stop_durable_execution(DurableExecutionArn=arn, Error={"ErrorType": "shop.TooDear"})

    assert (arn in found(server, ErrorType=error_type)) == is_found


@pytest.mark.parametrize(
    ("asked", "says"),
    [
        ({"WaitingType": "EXECUTION"}, "enum value set: [STEP, WAIT, CALLBACK, CHAINED_INVOKE]"),
        ({"WaitingName": "é"}, "regular expression"),
        ({"WaitingName": "approval", "Statuses": "FAILED"}, "they have not ended"),
        ({"WaitingName": "approval", "ErrorType": "ValueError"}, "ask for one of them"),
    ],
)
def test_what_cannot_be_found_is_refused(server: Running, asked: dict[str, str], says: str) -> None:
    status, answer = search(server, **asked)

    assert status == 400
    assert says in answer.get("message", answer.get("Message", ""))
