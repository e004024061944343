from __future__ import annotations

import pytest
from msgspec.structs import replace
from tests.service.machine.updates import invoke, step, wait
from tests.service.machine.world import ARN, BOOM, CHILD_ARN, EXECUTION_ID, NOON, World, running

from everstep.protocol.limits import MAX_OPERATION_PAYLOAD
from everstep.protocol.shapes import ChainedInvokeDetails, ChainedInvokeOptions, ErrorObject, OperationUpdate
from everstep.service.machine.checkpoint import checkpoint
from everstep.service.machine.execution import start_execution, stop_execution
from everstep.service.machine.model import (
    CallFunction,
    ChainedCall,
    NewExecution,
    NotifyParent,
    Outcome,
    ParentLink,
    PlainTarget,
    StartChild,
    Terms,
)
from everstep.service.machine.state import State
from everstep.service.machine.upkeep import needs_recovery, recover

LINK = ParentLink(execution_id=EXECUTION_ID, operation_id="i")
DONE = Outcome(status="SUCCEEDED", result='"out"')


def suspended(*updates: OperationUpdate) -> World:
    world = running()
    world.send(*updates)
    world.suspend()
    return world


def test_a_plain_function_is_called() -> None:
    world = running()

    world.send(invoke("plain", payload='"in"', tenant_id="acme"))

    target = PlainTarget(function="plain", version="$LATEST")
    assert world.effects == (CallFunction(parent=LINK, target=target, payload='"in"', tenant_id="acme"),)
    assert world.rendered("ChainedInvokeStarted") == {
        "FunctionName": "plain",
        "TenantId": "acme",
        "Input": {"Payload": '"in"', "Truncated": False},
        "ExecutedVersion": "$LATEST",
    }
    assert world.operation("i").status == "STARTED"
    assert world.operation("i").chained_invoke_details == ChainedInvokeDetails()


def test_a_plain_function_without_a_payload_gets_an_empty_object() -> None:
    world = running()

    world.send(invoke("plain", payload=None))

    effect = world.effect(CallFunction)
    assert isinstance(effect, CallFunction)
    assert effect.payload == "{}"
    assert "Input" not in world.rendered("ChainedInvokeStarted")


def test_a_durable_function_is_started_as_a_child() -> None:
    world = running(Terms(timeout_s=3600, trace_header="Root=1"))

    world.send(invoke("stock:1"))

    assert world.effects == (
        StartChild(
            start=NewExecution(
                id="child-1",
                arn=CHILD_ARN,
                name="c",
                function="stock",
                version="1",
                input='"in"',
                terms=Terms(timeout_s=600, parent=LINK, trace_header="Root=1"),
            )
        ),
    )
    started = world.rendered("ChainedInvokeStarted")
    assert started["DurableExecutionArn"] == CHILD_ARN
    assert started["ExecutedVersion"] == "1"


def test_a_function_that_does_not_exist_fails_in_the_same_checkpoint() -> None:
    world = running()

    (operation,) = world.send(invoke("nothing", tenant_id="acme")).operations

    error = ErrorObject(error_type="ResourceNotFoundException", error_message="Function not found: nothing")
    assert operation.status == "FAILED"
    assert operation.end_timestamp == world.now
    assert operation.chained_invoke_details == ChainedInvokeDetails(error=error)
    assert world.events()[1:] == ["ChainedInvokeStarted", "ChainedInvokeFailed"]
    assert world.rendered("ChainedInvokeStarted") == {"FunctionName": "nothing", "TenantId": "acme"}
    assert world.rendered("ChainedInvokeFailed")["Error"] == {
        "Payload": {"ErrorType": "ResourceNotFoundException", "ErrorMessage": "Function not found: nothing"},
        "Truncated": False,
    }
    assert world.effects == ()
    assert world.execution.calls == 0


@pytest.mark.parametrize(
    ("outcome", "event"),
    [
        (DONE, "ChainedInvokeSucceeded"),
        (Outcome(status="FAILED", error=BOOM), "ChainedInvokeFailed"),
        (Outcome(status="TIMED_OUT", error=BOOM), "ChainedInvokeTimedOut"),
        (Outcome(status="STOPPED", error=BOOM), "ChainedInvokeStopped"),
    ],
)
def test_an_outcome_is_recorded_and_wakes_the_handler(outcome: Outcome, event: str) -> None:
    world = suspended(invoke())
    assert world.execution.calls == 1

    world.later(1).called("i", outcome)

    operation = world.operation("i")
    assert (operation.status, operation.end_timestamp) == (outcome.status, world.now)
    assert operation.chained_invoke_details == ChainedInvokeDetails(result=outcome.result, error=outcome.error)
    assert world.events()[-1] == event
    assert ("Result" if outcome.status == "SUCCEEDED" else "Error") in world.rendered(event)
    assert world.is_invoked()
    assert world.execution.calls == 0


def test_an_outcome_that_arrives_while_the_handler_runs_comes_with_its_next_checkpoint() -> None:
    world = running()
    world.send(invoke())

    world.called("i", DONE)
    assert world.operation("i").status == "STARTED"
    reply = world.send()
    world.succeed()

    assert [operation.status for operation in reply.operations] == ["SUCCEEDED"]


def test_an_outcome_that_was_kept_aside_survives_a_restart() -> None:
    world = running()
    world.send(invoke())
    world.called("i", DONE)

    world.state = State(world.execution, world.state.records.values())
    world.apply(recover(world.state, world.now))

    assert world.operation("i").status == "SUCCEEDED"
    assert not any(isinstance(effect, CallFunction) for effect in world.effects)
    assert world.is_invoked()


def test_only_the_first_outcome_counts() -> None:
    world = running()
    world.send(invoke())
    world.called("i", DONE)
    world.called("i", Outcome(status="FAILED", error=BOOM))
    world.suspend()

    before = world.execution
    world.called("i", Outcome(status="FAILED", error=BOOM))
    world.called("unknown", DONE)

    assert world.operation("i").status == "SUCCEEDED"
    assert world.execution is before
    kept = world.state.records["i"].kept
    assert isinstance(kept, ChainedCall)
    assert kept.arrived is None, "an outcome is not stored twice"


def test_an_outcome_for_a_closed_execution_is_dropped() -> None:
    world = suspended(invoke())
    world.apply(stop_execution(world.state, None, world.now))
    before = world.execution

    world.called("i", DONE)

    assert world.execution is before


def test_an_outcome_that_is_too_large_fails_the_invoke() -> None:
    world = suspended(invoke())

    world.called("i", Outcome(status="SUCCEEDED", result="x" * (MAX_OPERATION_PAYLOAD + 1)))

    message = "CHAINED_INVOKE output payload size must be less than or equal to 1048576 bytes."
    assert world.operation("i").status == "FAILED"
    assert world.operation("i").chained_invoke_details == ChainedInvokeDetails(error=ErrorObject(error_message=message))


def test_a_call_that_takes_too_long_is_given_up() -> None:
    world = running()
    transition, _ = checkpoint(
        world.state,
        world.token,
        [invoke()],
        None,
        world.now,
        resolve=lambda options: PlainTarget(function="plain", version="1", timeout_s=900),
    )
    world.apply(transition)
    world.suspend()

    world.later(900).fire()

    assert world.operation("i").status == "TIMED_OUT"
    details = world.operation("i").chained_invoke_details
    assert details is not None
    assert details.error == ErrorObject(error_type="ChainedInvoke.Timeout", error_message="CHAINED_INVOKE timed out after 900 seconds.")


def test_calls_that_were_under_way_are_made_again_after_a_restart() -> None:
    world = suspended(invoke("plain", "a"), invoke("stock:1", "b"), invoke("plain", "over"), step("START"), wait())
    world.called("over", DONE)
    world.begin()
    world.suspend()
    assert needs_recovery(world.execution)

    world.apply(recover(world.state, world.now))

    assert [type(effect) for effect in world.effects] == [CallFunction, StartChild]


def test_an_execution_that_only_waits_needs_no_recovery() -> None:
    world = suspended(wait())

    assert not needs_recovery(world.execution)


def child() -> World:
    world = World(Terms(timeout_s=600, parent=LINK))
    world.begin()
    return world


def notification(world: World) -> Outcome:
    effect = world.effect(NotifyParent)
    assert isinstance(effect, NotifyParent)
    assert effect.parent == LINK
    return effect.outcome


def test_a_parent_hears_how_its_child_ended() -> None:
    succeeded, failed, stopped, timed_out = child(), child(), child(), child()

    succeeded.succeed('"out"')
    failed.answer('{"Status": "FAILED", "Error": {"ErrorMessage": "no"}}')
    stopped.apply(stop_execution(stopped.state, BOOM, stopped.now))
    timed_out.later(600).fire()

    assert notification(succeeded) == DONE
    assert notification(failed) == Outcome(status="FAILED", error=ErrorObject(error_message="no"))
    assert notification(stopped) == Outcome(status="STOPPED", error=BOOM)
    assert notification(timed_out) == Outcome(
        status="TIMED_OUT",
        error=ErrorObject(error_type="ChainedInvoke.Timeout", error_message="CHAINED_INVOKE timed out after 600 seconds."),
    )


def test_a_child_whose_result_is_too_large_fails() -> None:
    world = child()

    world.succeed("x" * (1_048_576 + 1))

    message = "Execution output payload size must be less than or equal to 1048576 bytes."
    error = ErrorObject(error_type="InvalidParameterValueException", error_message=message)
    assert notification(world) == Outcome(status="FAILED", error=error)


def test_what_a_chained_invoke_may_not_do() -> None:
    world = running()
    world.send(invoke())

    assert world.refused(invoke()) == "Cannot start a CHAINED_INVOKE that already exist."
    bare = OperationUpdate(id="x", type="CHAINED_INVOKE", action="START")
    assert world.refused(bare) == "Update for CHAINED_INVOKE operation requires ChainedInvokeOptions."
    assert world.refused(invoke(operation_id="x", tenant_id="a,b")) == (
        "TenantId must be 1 to 256 characters matching [a-zA-Z0-9._:/=+-@ ]."
    )
    assert world.refused(invoke(operation_id="x", payload="x" * 1_048_577)) == (
        "CHAINED_INVOKE input payload size must be less than or equal to 1048576 bytes."
    )
    succeed = OperationUpdate(id="i", type="CHAINED_INVOKE", action="SUCCEED")
    assert world.refused(succeed) == "Invalid action for the given operation type."


def test_a_child_of_an_execution_begins_like_any_other() -> None:
    world = running()
    world.send(invoke("stock:1"))
    effect = world.effect(StartChild)
    assert isinstance(effect, StartChild)

    transition = start_execution(effect.start, NOON)

    assert transition.execution.terms.parent == LINK
    assert transition.execution.arn != ARN


def test_a_trace_header_of_the_call_comes_before_the_execution_s_own() -> None:
    world = running(Terms(timeout_s=3600, trace_header="Root=1"))
    options = ChainedInvokeOptions(function_name="plain", x_amzn_trace_id="Root=2")

    world.send(replace(invoke(), chained_invoke_options=options))

    effect = world.effect(CallFunction)
    assert isinstance(effect, CallFunction)
    assert effect.trace_header == "Root=2"
