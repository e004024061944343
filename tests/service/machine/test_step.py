from __future__ import annotations

import pytest
from tests.service.machine.updates import step
from tests.service.machine.world import BOOM, World, running

from everstep.protocol.limits import MAX_DELAY_S
from everstep.protocol.shapes import OperationAction, StepDetails


def test_a_started_step_has_finished_no_attempt() -> None:
    world = running()

    reply = world.send(step("START", name="charge", sub_type="Step"))

    (operation,) = reply.operations
    assert operation.status == "STARTED"
    assert operation.start_timestamp == world.now
    assert operation.end_timestamp is None
    assert (operation.name, operation.sub_type) == ("charge", "Step")
    assert operation.step_details == StepDetails(attempt=0)
    assert world.rendered("StepStarted") == {}


def test_a_step_succeeds_with_its_payload() -> None:
    world = running()
    world.send(step("START"))

    world.later(2).send(step("SUCCEED", payload='"paid"'))

    operation = world.operation("s")
    assert operation.status == "SUCCEEDED"
    assert operation.end_timestamp == world.now
    assert operation.step_details == StepDetails(attempt=1, result='"paid"')
    assert world.rendered("StepSucceeded") == {
        "Result": {"Payload": '"paid"', "Truncated": False},
        "RetryDetails": {"CurrentAttempt": 1},
    }


def test_a_step_fails_with_its_error() -> None:
    world = running()
    world.send(step("START"))

    world.send(step("FAIL", error=BOOM))

    assert world.operation("s").status == "FAILED"
    assert world.operation("s").step_details == StepDetails(attempt=1, error=BOOM)
    assert world.rendered("StepFailed") == {
        "Error": {"Payload": {"ErrorType": "ValueError", "ErrorMessage": "boom"}, "Truncated": False},
        "RetryDetails": {"CurrentAttempt": 1},
    }


@pytest.mark.parametrize(("action", "status"), [("SUCCEED", "SUCCEEDED"), ("FAIL", "FAILED")])
def test_a_step_may_end_without_having_been_started(action: OperationAction, status: str) -> None:
    world = running()

    world.send(step(action))

    assert world.operation("s").status == status
    assert world.operation("s").end_timestamp == world.operation("s").start_timestamp
    assert len(world.events()) == 2


def test_a_retry_waits_for_its_delay() -> None:
    world = running()
    world.send(step("START"))

    world.send(step("RETRY", error=BOOM, delay_s=30))

    operation = world.operation("s")
    assert operation.status == "PENDING"
    assert operation.end_timestamp is None
    assert operation.step_details == StepDetails(attempt=1, next_attempt_timestamp=world.now + 30_000, error=BOOM)


def test_a_retry_is_ready_when_its_delay_is_over_and_keeps_what_was_recorded() -> None:
    world = running()
    world.send(step("START"), step("RETRY", payload='{"polls": 1}', delay_s=30))
    world.suspend()

    world.later(29.999).fire()
    assert world.operation("s").status == "PENDING"
    events = len(world.history)
    world.later(0.001).fire()

    assert world.operation("s").status == "READY"
    assert world.operation("s").step_details == StepDetails(attempt=1, result='{"polls": 1}')
    assert len(world.history) == events, "that a step is ready is no event"
    assert world.is_invoked()


def test_the_state_of_a_condition_reaches_every_later_attempt() -> None:
    world = running()
    world.send(step("START"), step("RETRY", payload="1", delay_s=1))
    world.suspend()
    world.later(1).fire()

    begun = world.begin()
    world.send(step("START"))

    assert begun.operations()[1].step_details == StepDetails(attempt=1, result="1")
    assert begun.updated == ("s",)
    assert world.operation("s").step_details == StepDetails(attempt=1, result="1")
    assert world.operation("s").start_timestamp == begun.operations()[1].start_timestamp


def test_attempts_are_counted() -> None:
    world = running()

    for _ in range(3):
        world.send(step("START"), step("RETRY", error=BOOM, delay_s=1))
        world.later(1).send()
    world.send(step("START"), step("FAIL", error=BOOM))

    assert world.operation("s").step_details == StepDetails(attempt=4, error=BOOM)
    attempts = [event.details["RetryDetails"] for event in world.history if event.type == "StepFailed"]
    assert attempts == [
        {"CurrentAttempt": 1, "NextAttemptDelaySeconds": 1},
        {"CurrentAttempt": 2, "NextAttemptDelaySeconds": 1},
        {"CurrentAttempt": 3, "NextAttemptDelaySeconds": 1},
        {"CurrentAttempt": 4},
    ]


def test_a_retry_that_is_due_while_the_handler_runs_comes_with_the_next_checkpoint() -> None:
    world = running()
    world.send(step("START"), step("RETRY", delay_s=1))

    reply = world.later(1).send()

    assert [(operation.id, operation.status) for operation in reply.operations] == [("s", "READY")]
    assert not world.is_invoked()


def pending() -> World:
    world = running()
    world.send(step("START"), step("RETRY", delay_s=60))
    return world


def closed() -> World:
    world = running()
    world.send(step("START"), step("SUCCEED"))
    return world


def started() -> World:
    world = running()
    world.send(step("START"))
    return world


def test_what_a_step_may_not_do() -> None:
    assert started().refused(step("START")) == "Invalid current STEP state to start."
    assert pending().refused(step("START")) == "Invalid current STEP state to start."
    assert closed().refused(step("START")) == "Invalid current STEP state to start."
    assert pending().refused(step("SUCCEED")) == "Invalid current STEP state to close."
    assert closed().refused(step("FAIL")) == "Invalid current STEP state to close."
    assert pending().refused(step("RETRY", delay_s=1)) == "Invalid current STEP state to re-attempt."
    assert closed().refused(step("RETRY", delay_s=1)) == "Invalid current STEP state to re-attempt."
    assert started().refused(step("RETRY")) == "Invalid StepOptions for the given action."
    assert started().refused(step("SUCCEED", delay_s=1)) == "Invalid StepOptions for the given action."
    assert running().refused(step("START", delay_s=1)) == "Invalid StepOptions for the given action."
    both = step("RETRY", payload="1", error=BOOM, delay_s=1)
    assert started().refused(both) == "Cannot provide both error and payload to RETRY a STEP."
    assert started().refused(step("SUCCEED", error=BOOM)) == "Cannot provide an Error for SUCCEED action."
    assert started().refused(step("FAIL", payload="1")) == "Cannot provide a Payload for FAIL action."
    assert running().refused(step("CANCEL")) == "Invalid action for the given operation type."


def test_the_longest_delay() -> None:
    world = started()

    world.send(step("RETRY", delay_s=MAX_DELAY_S))

    assert world.operation("s").status == "PENDING"
