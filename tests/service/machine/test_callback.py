from __future__ import annotations

import pytest
from tests.service.machine.updates import callback, step, wait
from tests.service.machine.world import BOOM, EXECUTION_ID, World, rejection, running

from everstep.protocol.limits import MAX_ERROR_BYTES, MAX_OPERATION_PAYLOAD
from everstep.protocol.shapes import ErrorObject, OperationUpdate
from everstep.service.machine.callback import complete_callback, heartbeat_callback
from everstep.service.machine.execution import stop_execution
from everstep.service.machine.model import Outcome
from everstep.service.machine.pause import pause_execution
from everstep.service.machine.tokens import CallbackOwner, parse_callback_id

SUCCESS = Outcome(status="SUCCEEDED", result='"yes"')
OVER = ("CallbackTimeoutException", "The callback is either timed out or already completed")


def suspended(*updates: OperationUpdate) -> World:
    world = running()
    world.send(*updates)
    world.suspend()
    return world


def test_a_callback_gets_an_id_that_names_it() -> None:
    world = running()

    (operation,) = world.send(callback(timeout_s=60, heartbeat_s=20)).operations

    assert operation.status == "STARTED"
    callback_id = world.callback_id("cb")
    assert parse_callback_id(callback_id) == CallbackOwner(EXECUTION_ID, "cb")
    assert world.rendered("CallbackStarted") == {"CallbackId": callback_id, "Timeout": 60, "HeartbeatTimeout": 20}


def test_timeouts_of_zero_are_none() -> None:
    world = suspended(callback(timeout_s=0, heartbeat_s=0))

    assert world.rendered("CallbackStarted") == {"CallbackId": world.callback_id("cb")}
    assert world.execution.due_at == world.execution.times_out_at


def test_a_callback_succeeds_with_what_was_sent() -> None:
    world = suspended(callback())

    world.later(5).callback("cb", SUCCESS)

    operation = world.operation("cb")
    assert operation.status == "SUCCEEDED"
    assert operation.end_timestamp == world.now
    assert operation.callback_details is not None
    assert operation.callback_details.result == '"yes"'
    assert world.rendered("CallbackSucceeded") == {"Result": {"Payload": '"yes"', "Truncated": False}}
    assert world.is_invoked()
    assert world.begin().updated == ("cb",)


def test_a_callback_without_a_result() -> None:
    world = suspended(callback())

    world.callback("cb", Outcome(status="SUCCEEDED"))

    assert world.rendered("CallbackSucceeded") == {"Result": {"Truncated": False}}


def test_a_callback_fails_and_an_absent_error_is_an_empty_one() -> None:
    world = suspended(callback("a"), callback("b"))

    world.callback("a", Outcome(status="FAILED", error=BOOM))
    assert world.rendered("CallbackFailed")["Error"] == {
        "Payload": {"ErrorType": "ValueError", "ErrorMessage": "boom"},
        "Truncated": False,
    }
    world.callback("b", Outcome(status="FAILED"))

    assert world.rendered("CallbackFailed")["Error"] == {"Payload": {}, "Truncated": False}
    assert world.is_invoked()


def test_a_callback_times_out() -> None:
    world = suspended(callback(timeout_s=60))

    world.later(59.999).fire()
    assert world.operation("cb").status == "STARTED"
    world.later(0.001).fire()

    operation = world.operation("cb")
    assert operation.status == "TIMED_OUT"
    assert operation.callback_details is not None
    assert operation.callback_details.callback_id is not None
    assert operation.callback_details.error == ErrorObject(error_type="Callback.Timeout", error_message="Callback timed out")
    assert world.rendered("CallbackTimedOut") == {
        "Error": {"Payload": {"ErrorType": "Callback.Timeout", "ErrorMessage": "Callback timed out"}, "Truncated": False}
    }
    assert world.is_invoked()


def test_a_callback_without_heartbeats_times_out() -> None:
    world = suspended(callback(timeout_s=60, heartbeat_s=20))

    world.later(20).fire()

    details = world.operation("cb").callback_details
    assert details is not None
    assert details.error == ErrorObject(error_type="Callback.Heartbeat", error_message="Callback timed out on heartbeat")


def test_a_heartbeat_moves_its_own_timeout_alone() -> None:
    world = suspended(callback(timeout_s=30, heartbeat_s=20))
    events = len(world.history)

    world.later(15).heartbeat("cb")
    assert len(world.history) == events
    world.later(10).fire()
    assert world.operation("cb").status == "STARTED"
    world.heartbeat("cb")
    world.later(5).fire()

    details = world.operation("cb").callback_details
    assert details is not None
    assert details.error is not None
    assert details.error.error_type == "Callback.Timeout"


def test_the_earlier_of_two_overdue_timeouts_says_why() -> None:
    world = suspended(callback("a", timeout_s=10, heartbeat_s=20), callback("b", timeout_s=20, heartbeat_s=10))

    world.later(100).fire()

    types = [world.operation(one).callback_details for one in ("a", "b")]
    assert [details.error.error_type for details in types if details and details.error] == ["Callback.Timeout", "Callback.Heartbeat"]


def test_a_heartbeat_without_a_heartbeat_timeout_changes_nothing() -> None:
    world = suspended(callback(timeout_s=30))
    before = world.execution

    world.heartbeat("cb")

    assert world.execution is before


def test_a_heartbeat_is_no_news_to_the_handler() -> None:
    world = running()
    world.send(callback(heartbeat_s=20))
    world.later(1).heartbeat("cb")

    assert world.send().operations == ()


def test_a_callback_that_completes_while_the_handler_runs_comes_with_the_next_checkpoint() -> None:
    world = running()
    world.send(callback(), wait(seconds=60))

    world.callback("cb", SUCCESS)
    assert not world.is_invoked()
    reply = world.send()
    world.suspend()

    assert [operation.status for operation in reply.operations] == ["SUCCEEDED"]
    assert not world.is_invoked(), "the handler has seen it"


def test_a_callback_that_the_handler_has_not_seen_calls_for_another_invocation() -> None:
    world = running()
    world.send(callback(), wait(seconds=60))
    world.callback("cb", SUCCESS)

    world.suspend()

    assert world.is_invoked()
    assert world.begin().updated == ("cb",)


def test_a_callback_that_cannot_be_completed() -> None:
    world = suspended(callback("once"), callback("late", timeout_s=10))
    once, late = world.callback_id("once"), world.callback_id("late")
    world.callback("once", SUCCESS)
    world.later(10)

    assert rejection(lambda: complete_callback(world.state, once, SUCCESS, world.now)) == OVER
    assert rejection(lambda: heartbeat_callback(world.state, once, world.now)) == OVER
    assert rejection(lambda: complete_callback(world.state, late, SUCCESS, world.now)) == OVER, "it is past its time"
    assert rejection(lambda: heartbeat_callback(world.state, late, world.now)) == OVER
    forged = late[:-4] + ("AAAA" if late[-4:] != "AAAA" else "BBBB")
    assert rejection(lambda: complete_callback(world.state, forged, SUCCESS, world.now)) in (
        OVER,
        ("InvalidParameterValueException", "Invalid callback id"),
    )


def test_a_callback_of_a_closed_execution_cannot_be_completed() -> None:
    world = suspended(callback())
    world.apply(stop_execution(world.state, None, world.now))

    assert rejection(lambda: world.callback("cb", SUCCESS)) == OVER


def test_a_callback_of_a_paused_execution_can_be_completed() -> None:
    world = suspended(callback())
    world.apply(pause_execution(world.state, world.now))

    world.callback("cb", SUCCESS)

    assert world.operation("cb").status == "SUCCEEDED"
    assert not world.is_invoked()


@pytest.mark.parametrize("text", ["", "%", "abc", "YWJj", "YTpi", "YTpiOmM6ZA==", "A" * 1028])
def test_what_is_no_callback_id(text: str) -> None:
    assert rejection(lambda: parse_callback_id(text)) == ("InvalidParameterValueException", "Invalid callback id")


def test_what_is_too_large_for_a_callback() -> None:
    world = suspended(callback())
    result = Outcome(status="SUCCEEDED", result="x" * (MAX_OPERATION_PAYLOAD + 1))
    error = Outcome(status="FAILED", error=ErrorObject(error_data="x" * (MAX_ERROR_BYTES + 1)))

    code, message = rejection(lambda: world.callback("cb", result))
    assert code == "ValidationException"
    assert message.endswith("Value at 'result' failed to satisfy constraint: Member must have length less than or equal to 1048576")
    assert rejection(lambda: world.callback("cb", error)) == (
        "InvalidParameterValueException",
        "Error object size must be less than or equal to 1048576 bytes.",
    )
    world.callback("cb", Outcome(status="SUCCEEDED", result="x" * MAX_OPERATION_PAYLOAD))


def test_what_a_handler_may_not_do_with_a_callback() -> None:
    world = running()
    world.send(callback())

    assert world.refused(callback()) == "Cannot start a CALLBACK that already exist."
    succeed = OperationUpdate(id="cb", type="CALLBACK", action="SUCCEED")
    assert world.refused(succeed) == "Invalid action for the given operation type."


def test_an_older_operation_that_ends_after_a_callback_began_in_the_same_millisecond_is_stamped_later() -> None:
    world = running()
    world.send(step("START", "older"))
    world.send(callback("cb"))

    world.send(step("SUCCEED", "older", payload="1"))

    assert world.operation("older").end_timestamp == world.operation("cb").start_timestamp + 1
