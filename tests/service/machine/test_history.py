from __future__ import annotations

from tests.service.machine.updates import context, context_succeeded, invoke, step, wait
from tests.service.machine.world import BOOM, EXECUTION_ID, NOON, World, running

from everstep.protocol.shapes import ErrorObject
from everstep.service.machine.execution import stop_execution
from everstep.service.machine.history import render_event
from everstep.service.machine.model import Outcome
from everstep.service.machine.pause import pause_execution


def rendered(world: World, *, with_data: bool = True) -> list[dict[str, object]]:
    """The whole history, timestamps in seconds."""
    return [
        render_event(event, world.execution, world.record_of(event), with_data=with_data, timestamp=lambda ms: ms / 1000)
        for event in world.history
    ]


def test_events_repeat_what_identifies_their_operation() -> None:
    world = running()

    world.send(context(sub_type="Map"), step("START", name="charge", sub_type="Step", parent_id="c"))

    assert rendered(world)[1:] == [
        {
            "EventType": "ContextStarted",
            "EventId": 2,
            "EventTimestamp": NOON / 1000,
            "Id": "c",
            "SubType": "Map",
            "ContextStartedDetails": {},
        },
        {
            "EventType": "StepStarted",
            "EventId": 3,
            "EventTimestamp": NOON / 1000,
            "Id": "s",
            "Name": "charge",
            "SubType": "Step",
            "ParentId": "c",
            "StepStartedDetails": {},
        },
    ]


def test_events_of_the_execution_carry_its_id_and_name() -> None:
    world = running()
    world.succeed('"receipt"')

    started, completed, succeeded = rendered(world)

    assert started == {
        "EventType": "ExecutionStarted",
        "EventId": 1,
        "EventTimestamp": NOON / 1000,
        "Id": EXECUTION_ID,
        "Name": "order-1",
        "ExecutionStartedDetails": {"Input": {"Payload": '{"total": 3}', "Truncated": False}, "ExecutionTimeout": 3600},
    }
    assert completed == {
        "EventType": "InvocationCompleted",
        "EventId": 2,
        "EventTimestamp": NOON / 1000,
        "InvocationCompletedDetails": {"StartTimestamp": NOON / 1000, "EndTimestamp": NOON / 1000, "RequestId": "request-1"},
    }
    assert succeeded["ExecutionSucceededDetails"] == {"Result": {"Payload": '"receipt"', "Truncated": False}}


def test_every_timestamp_is_converted() -> None:
    world = running()
    world.send(wait(seconds=60))
    world.suspend()
    world.apply(pause_execution(world.state, world.now))

    details = [event.get(f"{event['EventType']}Details") for event in rendered(world)]

    assert details[1] == {"Duration": 60, "ScheduledEndTimestamp": NOON / 1000 + 60}
    assert details[3] == {"PauseRequestTimestamp": NOON / 1000, "ExecutionTimeoutPaused": True}


def test_without_data_every_payload_is_left_out_and_its_wrapper_says_so() -> None:
    world = running()
    world.send(step("START"), step("RETRY", error=BOOM, delay_s=1), context(), context_succeeded(), invoke("plain"))
    world.fail(BOOM)
    world.apply(pause_execution(world.state, world.now, reason="because"))
    world.called("i", Outcome(status="FAILED", error=BOOM))
    world.apply(stop_execution(world.state, BOOM, world.now))
    hidden = {"Truncated": True}

    details = {str(event["EventType"]): event[f"{event['EventType']}Details"] for event in rendered(world, with_data=False)}

    assert details == {
        "ExecutionStarted": {"Input": hidden, "ExecutionTimeout": 3600},
        "StepStarted": {},
        "StepFailed": {"Error": hidden, "RetryDetails": {"CurrentAttempt": 1, "NextAttemptDelaySeconds": 1}},
        "ContextStarted": {},
        "ContextSucceeded": {"Result": hidden},
        "ChainedInvokeStarted": {"FunctionName": "plain", "Input": hidden, "ExecutedVersion": "$LATEST"},
        "InvocationCompleted": {"StartTimestamp": NOON / 1000, "EndTimestamp": NOON / 1000, "RequestId": "request-1", "Error": hidden},
        "ExecutionPaused": {"PauseRequestTimestamp": NOON / 1000, "ExecutionTimeoutPaused": True, "Reason": hidden},
        "ChainedInvokeFailed": {"Error": hidden},
        "ExecutionStopped": {"Error": hidden},
    }


def test_an_attempt_that_was_not_the_last_keeps_its_own_outcome() -> None:
    world = running()
    world.send(step("START"), step("RETRY", error=BOOM, delay_s=1))
    world.later(1).send()
    world.send(step("START"), step("RETRY", payload="1", delay_s=1))
    world.later(1).send()
    world.send(step("START"), step("FAIL", error=ErrorObject(error_message="last")))

    outcomes = [event.get("StepFailedDetails") or event.get("StepSucceededDetails") for event in rendered(world)]

    assert [one for one in outcomes if one] == [
        {
            "Error": {"Payload": {"ErrorMessage": "boom", "ErrorType": "ValueError"}, "Truncated": False},
            "RetryDetails": {"CurrentAttempt": 1, "NextAttemptDelaySeconds": 1},
        },
        {"Result": {"Payload": "1", "Truncated": False}, "RetryDetails": {"CurrentAttempt": 2, "NextAttemptDelaySeconds": 1}},
        {"Error": {"Payload": {"ErrorMessage": "last"}, "Truncated": False}, "RetryDetails": {"CurrentAttempt": 3}},
    ]


def test_required_wrappers_are_there_when_empty() -> None:
    world = running()
    world.send(step("START", "a"), step("SUCCEED", "a"), step("FAIL", "b"), context("c"), context_succeeded("c", None))
    world.send(step("RETRY", "d", delay_s=1))

    details = {(event["EventType"], event.get("Id")): event[f"{event['EventType']}Details"] for event in rendered(world)}

    empty = {"Truncated": False}
    assert details["StepSucceeded", "a"] == {"Result": empty, "RetryDetails": {"CurrentAttempt": 1}}
    assert details["StepFailed", "b"] == {"Error": empty, "RetryDetails": {"CurrentAttempt": 1}}
    assert details["ContextSucceeded", "c"] == {"Result": empty}
    assert details["StepSucceeded", "d"] == {"Result": empty, "RetryDetails": {"CurrentAttempt": 1, "NextAttemptDelaySeconds": 1}}


def test_an_error_s_every_member_is_shown() -> None:
    world = running()
    world.send(step("FAIL", error=ErrorObject(error_message="m", error_type="t", error_data="d", stack_trace=["a", "b"])))

    assert world.rendered("StepFailed")["Error"] == {
        "Payload": {"ErrorMessage": "m", "ErrorType": "t", "ErrorData": "d", "StackTrace": ["a", "b"]},
        "Truncated": False,
    }


def test_a_payload_is_stored_once() -> None:
    world = running()
    marker = "a payload that is easy to find"
    world.send(step("SUCCEED", payload=marker), context_succeeded(payload=marker), invoke(payload=marker))
    world.send(step("FAIL", "f", error=ErrorObject(error_message=marker)))
    world.answer('{"Status": "FAILED", "Error": {"ErrorMessage": "' + marker + '"}}')

    assert marker not in str(world.history)
    assert str(rendered(world)).count(marker) == 6
