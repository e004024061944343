"""The reference histories: which events come in which order, for the situations that every SDK is tested with."""

from __future__ import annotations

from tests.service.machine.updates import callback, context, context_succeeded, invoke, step, wait
from tests.service.machine.world import BOOM, running

from everstep.protocol.shapes import ErrorObject, OperationUpdate
from everstep.service.machine.model import Outcome

CRASH = ErrorObject(error_type="Runtime.ExitError")


def test_a_step() -> None:
    world = running()

    world.send(step("START"), step("SUCCEED", payload="1"))
    world.succeed()

    assert world.events() == ["ExecutionStarted", "StepStarted", "StepSucceeded", "InvocationCompleted", "ExecutionSucceeded"]


def test_a_wait() -> None:
    world = running()

    world.send(wait(seconds=5))
    world.suspend()
    world.later(5).fire()
    world.begin()
    world.succeed()

    assert world.events() == [
        "ExecutionStarted",
        "WaitStarted",
        "InvocationCompleted",
        "WaitSucceeded",
        "InvocationCompleted",
        "ExecutionSucceeded",
    ]


def test_a_retry() -> None:
    world = running()

    world.send(step("START"), step("RETRY", error=BOOM, delay_s=3))
    world.suspend()
    world.later(3).fire()
    world.begin()
    world.send(step("START"), step("SUCCEED", payload="1"))
    world.succeed()

    assert world.events() == [
        "ExecutionStarted",
        "StepStarted",
        "StepFailed",
        "InvocationCompleted",
        "StepStarted",
        "StepSucceeded",
        "InvocationCompleted",
        "ExecutionSucceeded",
    ]
    assert world.rendered("StepFailed")["RetryDetails"] == {"CurrentAttempt": 1, "NextAttemptDelaySeconds": 3}
    assert world.rendered("StepSucceeded")["RetryDetails"] == {"CurrentAttempt": 2}


def test_a_crash_in_a_step_that_may_run_once() -> None:
    world = running()

    world.send(step("START"))
    world.fail(CRASH)
    world.later(1).begin()
    world.send(step("FAIL", error=BOOM))
    world.succeed()

    assert world.events() == [
        "ExecutionStarted",
        "StepStarted",
        "InvocationCompleted",
        "StepFailed",
        "InvocationCompleted",
        "ExecutionSucceeded",
    ]
    assert world.rendered("StepFailed")["RetryDetails"] == {"CurrentAttempt": 1}


def test_an_interrupted_step_that_may_run_again_is_not_started_twice() -> None:
    world = running()

    world.send(step("START"))
    world.fail(CRASH)
    world.later(1).begin()
    world.send(step("SUCCEED"))
    world.succeed()

    assert world.events()[1:] == ["StepStarted", "InvocationCompleted", "StepSucceeded", "InvocationCompleted", "ExecutionSucceeded"]


def test_a_chained_invoke() -> None:
    world = running()

    world.send(invoke("stock:1"))
    world.suspend()
    world.later(1).called("i", Outcome(status="SUCCEEDED", result="2"))
    world.begin()
    world.succeed()

    assert world.events()[1:] == [
        "ChainedInvokeStarted",
        "InvocationCompleted",
        "ChainedInvokeSucceeded",
        "InvocationCompleted",
        "ExecutionSucceeded",
    ]


def test_a_chained_invoke_that_is_faster_than_the_end_of_its_caller() -> None:
    world = running()

    world.send(invoke("stock:1"))
    world.called("i", Outcome(status="SUCCEEDED", result="2"))
    world.suspend()

    assert world.is_invoked()
    assert world.events()[1:] == ["ChainedInvokeStarted", "InvocationCompleted", "ChainedInvokeSucceeded"]


def test_wait_for_callback() -> None:
    world = running()

    world.send(context(), callback(parent_id="c"))
    world.send(step("START", parent_id="c"), step("SUCCEED"))
    world.suspend()
    world.later(1).callback("cb", Outcome(status="SUCCEEDED", result='"yes"'))
    world.begin()
    world.send(context_succeeded())
    world.succeed()

    assert world.events()[1:] == [
        "ContextStarted",
        "CallbackStarted",
        "StepStarted",
        "StepSucceeded",
        "InvocationCompleted",
        "CallbackSucceeded",
        "ContextSucceeded",
        "InvocationCompleted",
        "ExecutionSucceeded",
    ]


def test_a_callback_beside_a_wait_has_an_invocation_of_its_own() -> None:
    world = running()

    world.send(callback(), wait(seconds=5))
    world.suspend()
    world.later(2).callback("cb", Outcome(status="SUCCEEDED"))
    world.begin()
    world.suspend()
    world.later(3).fire()
    world.begin()
    world.succeed()

    assert world.events()[1:] == [
        "CallbackStarted",
        "WaitStarted",
        "InvocationCompleted",
        "CallbackSucceeded",
        "InvocationCompleted",
        "WaitSucceeded",
        "InvocationCompleted",
        "ExecutionSucceeded",
    ]


def test_a_wait_that_is_over_before_its_invocation_ends_follows_that_end() -> None:
    world = running()

    world.send(wait(seconds=1))
    world.later(2).fire()
    world.suspend()

    assert world.is_invoked()
    assert world.events()[1:] == ["WaitStarted", "InvocationCompleted", "WaitSucceeded"]


def test_a_handler_that_fails() -> None:
    world = running()

    world.answer('{"Status": "FAILED", "Error": {"ErrorType": "ValueError", "ErrorMessage": "boom"}}')

    assert world.events() == ["ExecutionStarted", "InvocationCompleted", "ExecutionFailed"]


def test_a_closing_checkpoint_comes_before_the_end_of_its_invocation() -> None:
    world = running()

    world.send(OperationUpdate(id="r", type="EXECUTION", action="SUCCEED", payload='"big"'))
    world.answer('{"Status": "SUCCEEDED", "Result": ""}')

    assert world.events() == ["ExecutionStarted", "ExecutionSucceeded", "InvocationCompleted"]
    assert world.execution.result == '"big"'


def test_polling_for_a_condition() -> None:
    world = running()

    world.send(step("START", sub_type="WaitForCondition"), step("RETRY", payload="1", delay_s=2))
    world.suspend()
    world.later(2).fire()
    world.begin()
    world.send(step("START"), step("SUCCEED", payload="2"))
    world.succeed()

    kinds = [event.type for event in world.history if event.order == 1]
    assert kinds == ["StepStarted", "StepSucceeded", "StepStarted", "StepSucceeded"]
    polls = [event for event in world.history if event.type == "StepSucceeded"]
    assert polls[0].details["Result"] == {"Payload": "1"}
    assert world.rendered("StepSucceeded")["Result"] == {"Payload": "2", "Truncated": False}
