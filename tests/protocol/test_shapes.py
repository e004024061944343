from __future__ import annotations

import msgspec
import pytest

from everstep.protocol.shapes import (
    ChainedInvokeOptions,
    ErrorObject,
    InvocationInput,
    Operation,
    OperationUpdate,
    StepDetails,
    WaitOptions,
)


def test_an_update_has_the_wires_names_and_leaves_out_what_is_absent() -> None:
    update = OperationUpdate(id="1", type="WAIT", action="START", parent_id="0", sub_type="Wait", wait_options=WaitOptions(wait_seconds=5))

    written = msgspec.json.decode(msgspec.json.encode(update))

    assert written == {
        "Id": "1",
        "Type": "WAIT",
        "Action": "START",
        "ParentId": "0",
        "SubType": "Wait",
        "WaitOptions": {"WaitSeconds": 5},
    }


def test_the_trace_id_keeps_its_irregular_name() -> None:
    options = ChainedInvokeOptions(function_name="f:1", x_amzn_trace_id="Root=1")

    assert msgspec.json.decode(msgspec.json.encode(options)) == {"FunctionName": "f:1", "XAmznTraceId": "Root=1"}


def test_an_error_with_nothing_in_it_is_still_an_error() -> None:
    update = OperationUpdate(id="1", type="STEP", action="FAIL", error=ErrorObject())

    assert msgspec.json.decode(msgspec.json.encode(update))["Error"] == {}


def test_unknown_members_are_ignored_and_absent_ones_are_none() -> None:
    read = msgspec.json.decode(
        b'{"Id": "1", "Type": "STEP", "Status": "PENDING", "Colour": "red", "StepDetails": {"Attempt": 2, "Mood": "good"}}',
        type=Operation,
    )

    assert read == Operation(id="1", type="STEP", status="PENDING", step_details=StepDetails(attempt=2))
    assert read.name is None


def test_a_status_that_nobody_knows_is_refused_with_its_place() -> None:
    with pytest.raises(msgspec.ValidationError, match=r"'SLEEPING'.*\$\.Status"):
        msgspec.json.decode(b'{"Id": "1", "Type": "STEP", "Status": "SLEEPING"}', type=Operation)


def test_an_invocation_is_read_with_its_first_page_of_operations() -> None:
    read = msgspec.json.decode(
        b"""{"DurableExecutionArn": "arn", "CheckpointToken": "t", "InitialExecutionState": {
            "Operations": [{"Id": "x", "Type": "EXECUTION", "Status": "STARTED", "StartTimestamp": 1700000000123,
                            "ExecutionDetails": {"InputPayload": "{}"}}], "NextMarker": ""}}""",
        type=InvocationInput,
    )

    assert read.initial_execution_state.operations[0].start_timestamp == 1_700_000_000_123
    assert not read.initial_execution_state.next_marker
    assert read.updated_operation_ids is None


def test_shapes_do_not_change() -> None:
    operation = Operation(id="1", type="STEP", status="STARTED")

    with pytest.raises(AttributeError, match="immutable"):
        operation.status = "SUCCEEDED"  # type: ignore[misc]
