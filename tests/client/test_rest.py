"""Requests carry the wire's names, and seconds on the wire are milliseconds in our shapes."""

from __future__ import annotations

import json
from datetime import UTC, datetime

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from everstep.client import rest
from everstep.protocol.shapes import ErrorObject, Operation, OperationUpdate, StepDetails, StepOptions, WaitDetails

ARN = "arn:aws:lambda:us-east-1:123456789012:function:f:$LATEST/durable-execution/n/e"
PATH = "/2025-12-01/durable-executions/arn%3Aaws%3Alambda%3Aus-east-1%3A123456789012%3Afunction%3Af%3A%24LATEST%2Fdurable-execution%2Fn%2Fe"
NOON_MS = 1_764_763_200_864
NOON = datetime(2025, 12, 3, 12, 0, 0, 864_000, tzinfo=UTC)

WAIT = {"Id": "2", "Type": "WAIT", "Status": "STARTED", "StartTimestamp": 1764763200.5}


def test_a_checkpoint_is_a_post_with_every_update_in_order() -> None:
    updates = [
        OperationUpdate(id="1", type="STEP", action="START", name="é"),
        OperationUpdate(id="1", type="STEP", action="RETRY", error=ErrorObject(), step_options=StepOptions(next_attempt_delay_seconds=3)),
    ]

    request = rest.checkpoint_request(ARN, "a+/b=", updates, "once")

    assert (request.method, request.path, request.query) == ("POST", f"{PATH}/checkpoint", "")
    assert json.loads(request.body) == {
        "CheckpointToken": "a+/b=",
        "ClientToken": "once",
        "Updates": [
            {"Id": "1", "Type": "STEP", "Action": "START", "Name": "é"},
            {"Id": "1", "Type": "STEP", "Action": "RETRY", "Error": {}, "StepOptions": {"NextAttemptDelaySeconds": 3}},
        ],
    }


def test_a_checkpoint_without_updates_still_says_so() -> None:
    assert json.loads(rest.checkpoint_request(ARN, "t", [], "once").body)["Updates"] == []


def test_a_page_of_state_is_a_get_with_an_encoded_query() -> None:
    request = rest.state_request(ARN, "a+/b=", "m&k", 1000)

    assert (request.method, request.path, request.body) == ("GET", f"{PATH}/state", b"")
    assert request.query == "CheckpointToken=a%2B%2Fb%3D&Marker=m%26k&MaxItems=1000"


def test_the_first_page_of_state_needs_no_marker() -> None:
    assert rest.state_request(ARN, "t", "", 10).query == "CheckpointToken=t&MaxItems=10"


def test_every_timestamp_of_an_answer_is_in_milliseconds() -> None:
    seconds = NOON_MS / 1000
    operations = [
        {"Id": "1", "Type": "STEP", "Status": "PENDING", "StartTimestamp": seconds, "StepDetails": {"NextAttemptTimestamp": seconds}},
        {**WAIT, "StartTimestamp": 1764763200, "EndTimestamp": seconds, "WaitDetails": {"ScheduledEndTimestamp": seconds}},
    ]
    body = json.dumps({"CheckpointToken": "next", "NewExecutionState": {"Operations": operations, "NextMarker": "m"}}).encode()

    answer = rest.read_checkpoint(body)

    assert (answer.token, answer.next_marker) == ("next", "m")
    assert answer.operations == [
        Operation(id="1", type="STEP", status="PENDING", start_timestamp=NOON_MS, step_details=StepDetails(next_attempt_timestamp=NOON_MS)),
        Operation(
            id="2",
            type="WAIT",
            status="STARTED",
            start_timestamp=1_764_763_200_000,
            end_timestamp=NOON_MS,
            wait_details=WaitDetails(scheduled_end_timestamp=NOON_MS),
        ),
    ]
    assert all(type(operation.start_timestamp) is int for operation in answer.operations)


@given(st.integers(min_value=0, max_value=4_102_444_800_000))
def test_no_millisecond_is_lost_on_the_way_through_seconds(ms: int) -> None:
    body = json.dumps({"Operations": [{**WAIT, "StartTimestamp": ms / 1000}]}).encode()

    assert rest.read_state(body).operations[0].start_timestamp == ms


@pytest.mark.parametrize("timestamp", ["2025-12-03T12:00:00.864Z", "2025-12-03T13:00:00.864+01:00", 1764763200.864])
def test_a_timestamp_may_be_written_as_iso_8601(timestamp: object) -> None:
    wait = {**WAIT, "StartTimestamp": timestamp, "WaitDetails": {"ScheduledEndTimestamp": timestamp}}

    page = rest.read_state(json.dumps({"Operations": [wait], "NextMarker": ""}).encode())

    assert page.operations[0].start_timestamp == NOON_MS
    assert page.operations[0].wait_details == WaitDetails(scheduled_end_timestamp=NOON_MS)
    assert not page.next_marker


def test_null_members_are_absent_and_unknown_ones_ignored() -> None:
    wait = {**WAIT, "StartTimestamp": None, "EndTimestamp": None, "WaitDetails": None, "Novelty": {"a": 1}, "Name": None}

    operations = rest.read_state(json.dumps({"Operations": [wait], "NextMarker": None, "More": 1}).encode()).operations

    assert operations == [Operation(id="2", type="WAIT", status="STARTED")]
    assert not rest.read_state(b'{"Operations":null}').operations


@pytest.mark.parametrize("body", [b"{}", b'{"CheckpointToken":""}', b'{"CheckpointToken":null,"NewExecutionState":null}'])
def test_an_answer_without_a_token_ends_the_invocation(body: bytes) -> None:
    answer = rest.read_checkpoint(body)

    assert answer.token is None
    assert not answer.operations


def test_datetimes_as_boto3_gives_them_are_read() -> None:
    answer = rest.checkpointed(
        {
            "ResponseMetadata": {"HTTPStatusCode": 200},
            "CheckpointToken": "next",
            "NewExecutionState": {"Operations": [{**WAIT, "StartTimestamp": NOON, "WaitDetails": {"ScheduledEndTimestamp": NOON}}]},
        }
    )

    assert answer.operations == [
        Operation(id="2", type="WAIT", status="STARTED", start_timestamp=NOON_MS, wait_details=WaitDetails(scheduled_end_timestamp=NOON_MS))
    ]


@pytest.mark.parametrize(
    "operation",
    [
        {**WAIT, "Type": "DANCE"},
        {**WAIT, "Status": "SINGING"},
        {**WAIT, "StartTimestamp": "noon"},
        {**WAIT, "StartTimestamp": []},
        {**WAIT, "WaitDetails": 5},
        {"Type": "WAIT", "Status": "STARTED"},
        "no operation",
    ],
)
def test_an_operation_that_cannot_be_understood_is_no_operation(operation: object) -> None:
    with pytest.raises(msgspec.ValidationError):
        rest.read_state(json.dumps({"Operations": [operation]}).encode())


@pytest.mark.parametrize("body", [b"", b'{"Operations":[', b"<html>"])
def test_a_response_that_was_cut_off_is_told_from_one_that_is_not_understood(body: bytes) -> None:
    with pytest.raises(msgspec.DecodeError) as raised:
        rest.read_state(body)

    assert not isinstance(raised.value, msgspec.ValidationError)
