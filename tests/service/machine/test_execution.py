from __future__ import annotations

import pytest
from msgspec.structs import replace
from tests.service.machine.updates import finished, invoke, step, wait
from tests.service.machine.world import ARN, BOOM, EXECUTION_ID, NOON, World, new_execution, rejection, running

from everstep.protocol.limits import MAX_ERROR_BYTES
from everstep.protocol.shapes import ErrorObject, OperationUpdate
from everstep.service.machine.change import DAY_MS
from everstep.service.machine.execution import already_started, delete_execution, parent_notified, start_execution, stop_execution
from everstep.service.machine.invocation import begin_invocation
from everstep.service.machine.model import (
    CallFunction,
    DeleteExecution,
    ExecutionEnded,
    NewExecution,
    NotifyParent,
    ParentLink,
    Terms,
)
from everstep.service.machine.upkeep import needs_recovery, recover
from everstep.service.machine.validation import check_execution_name, check_tenant_id


def test_an_execution_starts_with_its_input_and_terms() -> None:
    world = World(Terms(timeout_s=300))

    execution = world.execution
    assert (execution.status, execution.revision, execution.started_at) == ("RUNNING", 1, NOON)
    assert execution.times_out_at == NOON + 300_000
    assert world.rendered("ExecutionStarted") == {
        "Input": {"Payload": '{"total": 3}', "Truncated": False},
        "ExecutionTimeout": 300,
    }


def test_an_input_may_be_missing() -> None:
    world = World(input_payload=None)

    assert world.rendered("ExecutionStarted")["Input"] == {"Truncated": False}
    details = world.operation(EXECUTION_ID).execution_details
    assert details is not None
    assert details.input_payload is None


# The same name again


def test_the_same_start_again_means_the_existing_execution() -> None:
    existing = start_execution(new_execution(), NOON).execution

    assert already_started(existing, replace(new_execution(), id="other", arn="arn:other")) is existing


@pytest.mark.parametrize("other", [{"input": '{"total":3}'}, {"input": None}, {"version": "8"}])
def test_another_start_with_the_same_name_is_refused(other: dict[str, str | None]) -> None:
    existing = start_execution(new_execution(), NOON).execution
    new: NewExecution = replace(new_execution(), **other)

    assert rejection(lambda: already_started(existing, new)) == (
        "DurableExecutionAlreadyStartedException",
        f"Execution already started: {ARN}",
    )


def test_a_name_is_taken_until_its_execution_is_deleted() -> None:
    world = running()
    world.succeed()
    assert already_started(world.execution, new_execution()) is world.execution

    world.apply(delete_execution(world.state, world.now))

    assert rejection(lambda: already_started(world.execution, new_execution()))[0] == "DurableExecutionAlreadyStartedException"


def test_names() -> None:
    check_execution_name("order-1_A")
    check_tenant_id("acme:eu/1 @x")
    assert rejection(lambda: check_execution_name("a b"))[0] == "ValidationException"
    assert "at 'durableExecutionName'" in rejection(lambda: check_execution_name("x" * 65))[1]
    assert "at 'tenantId'" in rejection(lambda: check_tenant_id("a,b"))[1]


# Closing by a checkpoint


def test_a_checkpoint_closes_the_execution_with_a_large_result() -> None:
    world = running(Terms(timeout_s=60, result_limit=6_291_456))
    large = "x" * 6_291_456

    reply = world.send(step("START"), finished(large))

    assert reply.token is None
    assert (world.execution.status, world.execution.result) == ("SUCCEEDED", large)
    assert world.events()[1:] == ["StepStarted", "ExecutionSucceeded"]
    assert "execution-result-1" not in world.state.records
    world.answer('{"Status": "SUCCEEDED", "Result": ""}')
    assert world.execution.result == large
    assert world.execution.invocation is None


def test_a_checkpoint_closes_the_execution_with_an_error() -> None:
    world = running()

    world.send(OperationUpdate(id="r", type="EXECUTION", action="FAIL", error=BOOM))
    world.answer('{"Status": "FAILED"}')

    assert (world.execution.status, world.execution.error) == ("FAILED", BOOM)
    assert world.rendered("InvocationCompleted")["Error"] == world.rendered("ExecutionFailed")["Error"]


def test_a_closing_checkpoint_fires_no_timers_but_makes_its_calls() -> None:
    world = running()
    world.send(wait(seconds=1))

    world.later(1).send(invoke(), finished())

    assert world.operation("w").status == "STARTED"
    assert [type(effect) for effect in world.effects] == [CallFunction, ExecutionEnded]
    assert not needs_recovery(replace(world.execution, invocation=None))


def test_what_a_closing_checkpoint_may_not_do() -> None:
    world = running()

    assert world.refused(finished("x" * 1_048_577)) == "Execution output payload size must be less than or equal to 1048576 bytes."
    start = OperationUpdate(id="r", type="EXECUTION", action="START")
    assert world.refused(start) == "Invalid action for the given operation type."
    both = replace(finished(), error=BOOM)
    assert world.refused(both) == "Cannot provide an Error for SUCCEED action."
    both = OperationUpdate(id="r", type="EXECUTION", action="FAIL", payload="1")
    assert world.refused(both) == "Cannot provide a Payload for FAIL action."


# Stopping, timing out, deleting


def test_a_stopped_execution_is_closed_at_once() -> None:
    world = running()
    world.send(wait())

    world.later(1).apply(stop_execution(world.state, BOOM, world.now))

    assert (world.execution.status, world.execution.error, world.execution.ended_at) == ("STOPPED", BOOM, world.now)
    assert world.operation(EXECUTION_ID).status == "STOPPED"
    assert world.operation("w").status == "STARTED"
    assert world.events()[1:] == ["WaitStarted", "ExecutionStopped"]
    assert world.rendered("ExecutionStopped")["Error"] == {
        "Payload": {"ErrorType": "ValueError", "ErrorMessage": "boom"},
        "Truncated": False,
    }


def test_a_stop_without_an_error_has_an_empty_one() -> None:
    world = running()

    world.apply(stop_execution(world.state, None, world.now))

    assert world.execution.error == ErrorObject()
    assert world.rendered("ExecutionStopped") == {"Error": {"Payload": {}, "Truncated": False}}


def test_stopping_a_closed_execution_changes_nothing() -> None:
    world = running()
    world.succeed()
    before = world.execution

    transition = world.later(1).apply(stop_execution(world.state, BOOM, world.now))

    assert transition.execution is before
    assert transition.execution.ended_at == NOON


def test_a_stop_error_has_a_limit() -> None:
    world = running()
    error = ErrorObject(error_data="x" * (MAX_ERROR_BYTES + 1))

    assert rejection(lambda: stop_execution(world.state, error, world.now)) == (
        "InvalidParameterValueException",
        "Error object size must be less than or equal to 1048576 bytes.",
    )


@pytest.mark.parametrize("is_invoked", [True, False])
def test_an_execution_times_out(is_invoked: bool) -> None:
    world = running(Terms(timeout_s=300))
    if not is_invoked:
        world.send(wait(seconds=600))
        world.suspend()
    assert world.execution.due_at == NOON + 300_000

    world.later(299.999).fire()
    assert world.status() == "RUNNING"
    world.later(0.001).fire()

    error = ErrorObject(error_message="Execution timed out after 300 seconds.")
    assert (world.execution.status, world.execution.error) == ("TIMED_OUT", error)
    assert world.operation(EXECUTION_ID).status == "TIMED_OUT"
    assert world.rendered("ExecutionTimedOut")["Error"] == {
        "Payload": {"ErrorMessage": "Execution timed out after 300 seconds."},
        "Truncated": False,
    }


def test_nothing_begins_after_the_timeout() -> None:
    world = World(Terms(timeout_s=300))

    assert begin_invocation(world.later(300).state, "request", b"secret", world.now) is None


def test_an_open_execution_cannot_be_deleted() -> None:
    world = running()

    assert rejection(lambda: delete_execution(world.state, world.now))[0] == "ResourceConflictException"


def test_a_closed_execution_is_deleted_on_request() -> None:
    world = running()
    world.succeed()

    world.later(5).apply(delete_execution(world.state, world.now))

    assert (world.execution.status, world.execution.deletion_requested_at) == ("DELETING", world.now)
    assert world.effects == (DeleteExecution(execution_id=EXECUTION_ID),)
    before = world.execution
    world.later(1).apply(delete_execution(world.state, world.now))
    assert world.execution is before
    world.fire()
    assert world.effects == (DeleteExecution(execution_id=EXECUTION_ID),)


def test_a_closed_execution_is_deleted_when_its_retention_ends() -> None:
    world = running(Terms(timeout_s=300, retention_days=3))
    world.succeed()
    assert world.execution.due_at == NOON + 3 * DAY_MS

    world.later(3 * 86_400 - 0.001).fire()
    assert world.status() == "SUCCEEDED"
    world.later(0.001).fire()

    assert world.status() == "DELETING"
    assert world.effects == (DeleteExecution(execution_id=EXECUTION_ID),)


# A parent that waits


def test_a_parent_is_notified_until_it_has_taken_the_outcome() -> None:
    link = ParentLink(execution_id="parent", operation_id="i")
    world = running(Terms(timeout_s=300, parent=link))
    world.succeed("1")
    first = world.effect(NotifyParent)
    assert world.execution.due_at == NOON

    world.later(1).fire()
    assert world.effect(NotifyParent) == first
    world.apply(delete_execution(world.state, world.now))
    assert world.effect(NotifyParent) == first
    world.fire()
    assert world.effect(NotifyParent) == first, "also while it goes away"
    world.apply(parent_notified(world.state, world.now))
    world.fire()

    assert world.effects == (DeleteExecution(execution_id=EXECUTION_ID),)


def test_an_execution_is_kept_until_its_parent_has_taken_the_outcome() -> None:
    world = running(Terms(timeout_s=300, retention_days=1, parent=ParentLink(execution_id="parent", operation_id="i")))
    world.succeed()

    world.later(2 * 86_400).fire()
    assert world.status() == "SUCCEEDED"
    world.apply(parent_notified(world.state, world.now))
    world.fire()

    assert world.status() == "DELETING"


# Another instance takes over


def test_taking_over_replaces_the_lost_invocation() -> None:
    world = running()
    assert needs_recovery(world.execution)

    world.apply(recover(world.state, world.now))

    assert world.is_invoked()
    assert world.events()[1:] == ["InvocationCompleted"]


def test_taking_over_a_closed_execution_only_records_the_end_of_its_invocation() -> None:
    world = running()
    world.send(invoke())
    world.apply(stop_execution(world.state, None, world.now))

    world.apply(recover(world.state, world.now))

    assert world.effects == ()
    assert world.events()[-1] == "InvocationCompleted"


def test_taking_over_an_execution_at_rest_changes_nothing() -> None:
    world = running()
    world.send(wait())
    world.suspend()
    before = world.execution

    world.apply(recover(world.state, world.now))

    assert world.execution is before
