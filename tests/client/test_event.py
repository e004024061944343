"""The invocation's event is read as it is, and what is no durable invocation is refused with advice."""

from __future__ import annotations

import json
from datetime import UTC, datetime

import pytest

from everstep.client.event import read_event, write_output
from everstep.errors import UsageError
from everstep.protocol.shapes import (
    ErrorObject,
    ExecutionDetails,
    ExecutionState,
    InvocationInput,
    InvocationOutput,
    Operation,
    WaitDetails,
)

NOON_MS = 1_764_763_200_864
EXECUTION = {
    "Id": "e",
    "Type": "EXECUTION",
    "Status": "STARTED",
    "StartTimestamp": NOON_MS,
    "ExecutionDetails": {"InputPayload": '{"a": 1}'},
}
WAIT = {"Id": "1", "Type": "WAIT", "Status": "STARTED", "StartTimestamp": NOON_MS, "WaitDetails": {"ScheduledEndTimestamp": NOON_MS}}
EVENT = {
    "DurableExecutionArn": "arn",
    "CheckpointToken": "token",
    "InitialExecutionState": {"Operations": [EXECUTION, WAIT], "NextMarker": ""},
    "UpdatedOperationIds": ["1"],
}
READ = InvocationInput(
    durable_execution_arn="arn",
    checkpoint_token="token",
    initial_execution_state=ExecutionState(
        operations=[
            Operation(
                id="e",
                type="EXECUTION",
                status="STARTED",
                start_timestamp=NOON_MS,
                execution_details=ExecutionDetails(input_payload='{"a": 1}'),
            ),
            Operation(
                id="1",
                type="WAIT",
                status="STARTED",
                start_timestamp=NOON_MS,
                wait_details=WaitDetails(scheduled_end_timestamp=NOON_MS),
            ),
        ],
        next_marker="",
    ),
    updated_operation_ids=["1"],
)


@pytest.mark.parametrize("event", [EVENT, json.dumps(EVENT), json.dumps(EVENT).encode()])
def test_an_event_is_read_parsed_or_as_json(event: object) -> None:
    assert read_event(event) == READ


def test_members_that_we_do_not_know_are_ignored() -> None:
    event = {
        **EVENT,
        "Novelty": {},
        "InitialExecutionState": {"Operations": [{**EXECUTION, "Novelty": 1}, WAIT], "NextMarker": "", "Novelty": []},
    }

    assert read_event(event) == READ


def test_null_members_are_absent() -> None:
    wait = {**WAIT, "StartTimestamp": None, "EndTimestamp": None, "Name": None, "StepDetails": None}
    event = {**EVENT, "InitialExecutionState": {"Operations": [wait], "NextMarker": None}, "UpdatedOperationIds": None}

    read = read_event(event)

    assert read.updated_operation_ids is None
    assert read.initial_execution_state.operations == [
        Operation(id="1", type="WAIT", status="STARTED", wait_details=WaitDetails(scheduled_end_timestamp=NOON_MS))
    ]
    assert not read_event({**EVENT, "InitialExecutionState": {"Operations": None}}).initial_execution_state.operations
    assert not read_event({**EVENT, "InitialExecutionState": None}).initial_execution_state.operations


@pytest.mark.parametrize("timestamp", ["2025-12-03T12:00:00.864Z", datetime(2025, 12, 3, 12, 0, 0, 864_000, tzinfo=UTC)])
def test_timestamps_of_local_runners_are_understood(timestamp: object) -> None:
    wait = {**WAIT, "StartTimestamp": timestamp, "WaitDetails": {"ScheduledEndTimestamp": timestamp}}

    assert read_event({**EVENT, "InitialExecutionState": {"Operations": [EXECUTION, wait], "NextMarker": ""}}) == READ


@pytest.mark.parametrize(
    ("event", "seen"),
    [
        ({"orderId": 7, "amount": 3}, "it has: amount, orderId"),
        ({}, "it has: dict"),
        (None, "it has: NoneType"),
        ([1], "it has: list"),
        (b"not json", "it has: bytes"),
        ({**EVENT, "DurableExecutionArn": None}, "it has: CheckpointToken"),
    ],
)
def test_what_is_no_durable_invocation_is_refused_with_advice(event: object, seen: str) -> None:
    with pytest.raises(UsageError, match="invoked directly or is not configured as durable") as raised:
        read_event(event)

    assert seen in str(raised.value)
    assert "DurableConfig" in str(raised.value)


@pytest.mark.parametrize(
    "change",
    [
        {"CheckpointToken": None},
        {"CheckpointToken": 5},
        {"DurableExecutionArn": 5},
        {"InitialExecutionState": {"Operations": [{**WAIT, "Type": "DANCE"}]}},
        {"InitialExecutionState": {"Operations": [{**WAIT, "StartTimestamp": "noon"}]}},
        {"InitialExecutionState": {"Operations": 5}},
    ],
)
def test_an_event_of_another_version_is_refused_with_its_reason(change: dict[str, object]) -> None:
    with pytest.raises(UsageError, match=r"cannot be read: .* upgrade"):
        read_event({**EVENT, **change})


@pytest.mark.parametrize(
    ("output", "wire"),
    [
        (InvocationOutput(status="PENDING"), {"Status": "PENDING"}),
        (InvocationOutput(status="SUCCEEDED"), {"Status": "SUCCEEDED"}),
        (InvocationOutput(status="SUCCEEDED", result=""), {"Status": "SUCCEEDED", "Result": ""}),
        (InvocationOutput(status="FAILED", error=ErrorObject()), {"Status": "FAILED", "Error": {}}),
        (
            InvocationOutput(status="FAILED", error=ErrorObject(error_type="E", stack_trace=("a", "b"))),
            {"Status": "FAILED", "Error": {"ErrorType": "E", "StackTrace": ["a", "b"]}},
        ),
    ],
)
def test_an_output_is_a_dict_that_lambda_turns_into_json(output: InvocationOutput, wire: object) -> None:
    written = write_output(output)

    assert json.loads(json.dumps(written)) == wire
