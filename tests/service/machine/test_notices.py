"""What webhooks are owed for a change."""

from __future__ import annotations

import json

import pytest
from msgspec.structs import replace
from tests.service.stores.rows import NOON, execution

from everstep.protocol.shapes import ExecutionStatus
from everstep.service.machine.model import Execution
from everstep.service.machine.notices import Watch, notices

BEGUN = execution(input_payload='"secret"')


def ended(status: ExecutionStatus, before: Execution = BEGUN) -> Execution:
    return replace(before, status=status, ended_at=NOON + 1_234, result='"secret"')


def test_an_execution_that_begins_is_told_as_running() -> None:
    [notice] = notices([Watch("all")], None, BEGUN)

    assert json.loads(notice.body) == {
        "version": "0",
        "id": notice.id,
        "detail-type": "Durable Execution Status Change",
        "source": "aws.lambda",
        "account": "123456789012",
        "time": "2025-12-04T12:00:00Z",
        "region": "us-east-1",
        "resources": [],
        "detail": {
            "durableExecutionArn": BEGUN.arn,
            "durableExecutionName": "name-of-e-1",
            "functionArn": "arn:aws:lambda:us-east-1:123456789012:function:order:$LATEST",
            "status": "RUNNING",
            "startTimestamp": "2025-12-04T12:00:00.000Z",
        },
    }


@pytest.mark.parametrize("status", ["SUCCEEDED", "FAILED", "TIMED_OUT", "STOPPED"])
def test_an_execution_that_ends_is_told_with_its_end_and_without_its_payloads(status: ExecutionStatus) -> None:
    [notice] = notices([Watch("all")], BEGUN, ended(status))

    detail = json.loads(notice.body)["detail"]
    assert (detail["status"], detail["endTimestamp"]) == (status, "2025-12-04T12:00:01.234Z")
    assert "secret" not in notice.body


def test_nothing_else_is_told() -> None:
    paused, over = replace(BEGUN, status="PAUSED", revision=2), ended("FAILED")

    for before, after in ((BEGUN, replace(BEGUN, revision=2)), (BEGUN, paused), (paused, BEGUN), (over, replace(over, status="DELETING"))):
        assert notices([Watch("all")], before, after) == ()


def test_a_webhook_is_told_what_it_asked_for() -> None:
    watches = [
        Watch("orders", functions=frozenset({"order", "refund"})),
        Watch("shipping", functions=frozenset({"ship"})),
        Watch("failures", statuses=frozenset({"FAILED"})),
        Watch("both", frozenset({"order"}), frozenset({"FAILED"})),
    ]

    def told(before: Execution | None, after: Execution) -> list[str]:
        return [notice.webhook for notice in notices(watches, before, after)]

    assert told(None, BEGUN) == ["orders"]
    assert told(BEGUN, ended("SUCCEEDED")) == ["orders"]
    assert told(BEGUN, ended("FAILED")) == ["orders", "failures", "both"]


def test_an_event_has_the_same_id_for_every_webhook_and_every_time_it_is_decided() -> None:
    ids = {
        notice.id for notice in (*notices([Watch("a"), Watch("b")], BEGUN, ended("FAILED")), *notices([Watch("a")], BEGUN, ended("FAILED")))
    }

    assert len(ids) == 1
    assert ids.isdisjoint(notice.id for notice in notices([Watch("a")], None, BEGUN))
