from __future__ import annotations

import pytest
from tests.service.machine.updates import callback, step, wait
from tests.service.machine.world import BOOM, EXECUTION_ID, NOON, World, running

from everstep.protocol.shapes import ErrorObject
from everstep.service.machine.execution import stop_execution
from everstep.service.machine.invocation import (
    NOTHING_PENDING,
    begin_invocation,
    invocation_failed,
    invocation_lost,
    invocation_succeeded,
)
from everstep.service.machine.model import ExecutionEnded, InvokeHandler, Outcome, Terms
from everstep.service.machine.rules import Rules, backoff_ms


def test_an_execution_owes_its_first_invocation_at_once() -> None:
    world = World()

    assert world.effects == (InvokeHandler(execution_id=EXECUTION_ID),)
    assert world.execution.due_at == world.now


def test_the_first_invocation_sees_the_input_and_nothing_else() -> None:
    world = World()

    begun = world.begin()

    (execution,) = begun.operations()
    assert (execution.id, execution.type, execution.status, execution.name) == (EXECUTION_ID, "EXECUTION", "STARTED", "order-1")
    assert execution.execution_details is not None
    assert execution.execution_details.input_payload == '{"total": 3}'
    assert begun.updated == ()
    assert begun.token == world.token
    assert world.execution.due_at == world.execution.times_out_at


def test_at_most_one_invocation_runs() -> None:
    world = running()

    assert begin_invocation(world.state, "another", b"secret", world.now) is None
    world.send(callback(), wait(seconds=1))
    world.callback("cb", Outcome(status="SUCCEEDED"))
    world.later(5).fire()
    assert not world.is_invoked()
    assert begin_invocation(world.state, "another", b"secret", world.now) is None


def test_nothing_begins_that_is_not_owed() -> None:
    world = running()
    world.send(wait())
    world.suspend()

    assert not world.is_invoked()
    assert begin_invocation(world.state, "another", b"secret", world.now) is None


def test_an_invocation_after_the_first_sees_all_and_is_told_what_the_service_changed() -> None:
    world = running()
    world.send(wait("w", 5), step("START"), step("SUCCEED"), callback())
    world.suspend()
    world.later(5).fire()
    world.callback("cb", Outcome(status="SUCCEEDED"))

    begun = world.begin()

    assert [operation.id for operation in begun.operations()] == [EXECUTION_ID, "w", "s", "cb"]
    assert begun.updated == ("w", "cb")


def test_changes_that_the_handler_has_seen_are_not_told_again() -> None:
    world = running()
    world.send(wait("w", 5), callback(), wait("x", 60))
    world.later(5).send()
    world.suspend()
    world.callback("cb", Outcome(status="SUCCEEDED"))

    assert world.begin().updated == ("cb",)


def test_changes_are_told_again_if_nothing_was_heard_of_the_invocation() -> None:
    world = running()
    world.send(wait("w", 5))
    world.suspend()
    world.later(5).fire()
    assert world.begin().updated == ("w",)

    world.fail()
    assert world.later(1).begin().updated == ("w",)
    world.send()
    world.fail()

    assert world.later(60).begin().updated == ()


# Outputs


def test_a_result_closes_the_execution() -> None:
    world = running()

    world.later(3).succeed('"receipt"')

    execution = world.execution
    assert (execution.status, execution.result, execution.error) == ("SUCCEEDED", '"receipt"', None)
    assert execution.ended_at == world.now
    assert world.operation(EXECUTION_ID).status == "SUCCEEDED"
    assert world.operation(EXECUTION_ID).end_timestamp == world.now
    assert world.effects == (ExecutionEnded(execution_id=EXECUTION_ID),)
    assert world.rendered("ExecutionSucceeded") == {"Result": {"Payload": '"receipt"', "Truncated": False}}


@pytest.mark.parametrize("text", ['{"Status": "SUCCEEDED"}', '{"Status": "SUCCEEDED", "Result": null, "Error": null, "Extra": 1}'])
def test_a_result_may_be_missing(text: str) -> None:
    world = running()

    world.answer(text)

    assert (world.execution.status, world.execution.result) == ("SUCCEEDED", None)
    assert world.rendered("ExecutionSucceeded") == {"Result": {"Truncated": False}}


def test_a_failure_closes_the_execution() -> None:
    world = running()

    world.answer('{"Status": "FAILED", "Error": {"ErrorType": "ValueError", "ErrorMessage": "boom"}}')

    assert (world.execution.status, world.execution.error) == ("FAILED", BOOM)
    error = {"Payload": {"ErrorType": "ValueError", "ErrorMessage": "boom"}, "Truncated": False}
    assert world.rendered("InvocationCompleted")["Error"] == error
    assert world.rendered("ExecutionFailed") == {"Error": error}


def test_a_failure_may_have_no_error() -> None:
    world = running()

    world.answer('{"Status": "FAILED"}')

    assert (world.execution.status, world.execution.error) == ("FAILED", None)
    assert world.rendered("ExecutionFailed") == {"Error": {"Truncated": False}}


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("", "Invalid Status in invocation output."),
        ("no json", "Invalid Status in invocation output."),
        ('"SUCCEEDED"', "Invalid Status in invocation output."),
        ("null", "Invalid Status in invocation output."),
        ("{}", "Invalid Status in invocation output."),
        ('{"Status": "DONE"}', "Invalid Status in invocation output."),
        ('{"Status": ["SUCCEEDED"]}', "Invalid Status in invocation output."),
        ('{"Status": "SUCCEEDED", "Result": {"a": 1}}', "Invalid invocation output: Result must be a string."),
        ('{"Status": "FAILED", "Error": "boom"}', "Invalid invocation output: Error must be an ErrorObject."),
        ('{"Status": "SUCCEEDED", "Error": {}}', "Cannot provide an Error for SUCCEEDED status."),
        ('{"Status": "FAILED", "Result": "1"}', "Cannot provide a Result for FAILED status."),
        ("\ud800", "Invalid Status in invocation output."),
    ],
)
def test_an_output_that_breaks_the_rules_fails_the_execution_at_once(text: str, message: str) -> None:
    world = running()

    world.answer(text)

    assert world.status() == "FAILED"
    assert world.execution.error == ErrorObject(error_type="InvalidParameterValueException", error_message=message)
    assert world.events()[1:] == ["InvocationCompleted", "ExecutionFailed"]


@pytest.mark.parametrize("limit", [1_048_576, 6_291_456])
def test_a_result_over_the_limit_fails_the_execution(limit: int) -> None:
    fits, too_large = running(Terms(timeout_s=60, result_limit=limit)), running(Terms(timeout_s=60, result_limit=limit))

    fits.succeed("x" * limit)
    too_large.succeed("x" * (limit + 1))

    assert fits.status() == "SUCCEEDED"
    assert too_large.execution.error == ErrorObject(
        error_type="InvalidParameterValueException",
        error_message=f"Execution output payload size must be less than or equal to {limit} bytes.",
    )


def test_suspending_on_something_pending_is_rest() -> None:
    for update in (wait(), callback(), step("RETRY", delay_s=60)):
        world = running()
        world.send(update)

        world.suspend()

        assert world.status() == "RUNNING"
        assert not world.is_invoked()
        assert world.execution.invoke_at is None


def test_suspending_on_nothing_is_tried_three_times_and_then_fails() -> None:
    world = running()
    world.send(step("START"))

    for _ in range(3):
        world.suspend()
        assert world.is_invoked()
        world.begin()
    world.suspend()

    assert world.status() == "FAILED"
    assert world.execution.error == ErrorObject(error_type="InvalidParameterValueException", error_message=NOTHING_PENDING)
    assert world.events()[-2:] == ["InvocationCompleted", "ExecutionFailed"]


def test_suspending_on_nothing_is_counted_in_a_row() -> None:
    world = running(rules=Rules(max_empty_pendings=1))
    world.suspend()
    world.begin()
    world.send(wait(seconds=1))
    world.suspend()
    world.later(1).fire()
    world.begin()

    world.suspend()

    assert world.status() == "RUNNING"


def test_a_step_that_is_ready_is_not_pending_but_unseen() -> None:
    world = running()
    world.send(step("RETRY", delay_s=1))

    world.later(1).suspend()
    assert world.operation("s").status == "READY"
    assert world.is_invoked(), "it became ready behind the handler's back"
    world.begin()
    world.suspend()

    assert world.execution.empty_pendings == 1, "the handler knew, and left it"


def test_the_end_of_an_invocation_is_recorded() -> None:
    world = running()
    world.send(wait())

    world.later(2).suspend()

    assert world.rendered("InvocationCompleted") == {"StartTimestamp": NOON, "EndTimestamp": NOON + 2000, "RequestId": "request-1"}


def test_an_end_that_is_reported_late_or_twice_changes_nothing() -> None:
    world = running()
    world.send(wait(seconds=1))
    world.suspend()
    world.later(1).fire()
    world.begin()
    before = world.execution

    world.apply(invocation_succeeded(world.state, "request-1", '{"Status": "SUCCEEDED"}', world.now))
    world.apply(invocation_failed(world.state, "request-1", BOOM, world.now, jitter=0))
    world.apply(invocation_lost(world.state, "request-1", world.now))

    assert world.execution is before


@pytest.mark.parametrize("output", ['{"Status": "SUCCEEDED", "Result": "1"}', '{"Status": "PENDING"}', "nonsense"])
def test_the_output_of_a_closed_execution_is_ignored_but_its_end_recorded(output: str) -> None:
    world = running()
    world.apply(stop_execution(world.state, BOOM, world.now))

    world.later(1).answer(output)

    assert (world.execution.status, world.execution.result, world.execution.error) == ("STOPPED", None, BOOM)
    assert world.events()[1:] == ["ExecutionStopped", "InvocationCompleted"]
    assert world.execution.invocation is None
    assert not world.is_invoked()


# Failures


def test_a_failed_invocation_is_tried_again_after_a_while() -> None:
    world = running()

    world.fail(ErrorObject(error_type="Runtime.ExitError"))

    assert not world.is_invoked()
    assert world.execution.due_at == world.now + 1000
    assert world.rendered("InvocationCompleted")["Error"] == {"Payload": {"ErrorType": "Runtime.ExitError"}, "Truncated": False}
    world.later(0.999).fire()
    assert not world.is_invoked()
    world.later(0.001).fire()
    assert world.is_invoked()
    world.begin()


def test_the_time_between_tries_doubles_up_to_a_minute() -> None:
    assert [backoff_ms(failures, 1.0) for failures in range(1, 9)] == [1000, 2000, 4000, 8000, 16000, 32000, 60000, 60000]
    assert backoff_ms(1, 0.0) == 500
    assert backoff_ms(100_000, 0.5) == 45_000


def test_a_clean_invocation_starts_the_count_of_failures_again() -> None:
    world = running()
    world.fail()
    world.later(1).begin()
    world.send(wait(seconds=1))
    world.suspend()
    world.later(1).fire()
    world.begin()

    world.fail()

    assert world.execution.failures == 1


def test_a_wake_up_during_the_time_between_tries_is_left_to_the_next_try() -> None:
    world = running()
    world.send(callback(), wait(seconds=1))
    world.fail()
    world.later(0.5).callback("cb", Outcome(status="SUCCEEDED"))
    assert not world.is_invoked()
    assert world.execution.due_at == NOON + 1000

    world.later(0.5).fire()
    begun = world.begin()

    assert begun.updated == ("cb", "w")


def test_failures_may_be_limited() -> None:
    world = running(rules=Rules(max_failures=2))

    world.fail()
    world.later(1).begin()
    world.fail()

    assert (world.execution.status, world.execution.error) == ("FAILED", BOOM)
    assert world.events()[1:] == ["InvocationCompleted", "InvocationCompleted", "ExecutionFailed"]


def test_a_failed_invocation_counts_as_an_operation() -> None:
    world = running()
    used = world.execution.used

    world.fail()

    assert world.execution.used == used + 1


def test_a_lost_invocation_is_replaced_at_once_and_charges_nothing() -> None:
    world = running()
    used = world.execution.used

    world.lose()

    assert world.is_invoked()
    assert (world.execution.failures, world.execution.used) == (0, used)
    assert "Runtime.ExitError" in str(world.rendered("InvocationCompleted")["Error"])


def test_an_invocation_nobody_answers_for_expires() -> None:
    world = World()
    begun = begin_invocation(world.state, "request", b"secret", world.now, expires_at=world.now + 5000)
    assert begun is not None
    world.apply(begun.transition)
    assert world.execution.due_at == world.now + 5000

    world.later(5).fire()

    assert world.execution.invocation is None
    assert world.is_invoked()
