from __future__ import annotations

from collections.abc import Callable

from tests.service.machine.updates import callback, finished, step, wait
from tests.service.machine.world import BOOM, NOON, World, rejection, running

from everstep.service.machine.change import DAY_MS
from everstep.service.machine.execution import stop_execution
from everstep.service.machine.invocation import begin_invocation
from everstep.service.machine.model import Outcome, Terms
from everstep.service.machine.pause import pause_execution, resume_execution


def pause(world: World, *, reason: str | None = None, stops_timeout: bool = True, client_token: str | None = None) -> None:
    world.apply(pause_execution(world.state, world.now, reason=reason, stops_timeout=stops_timeout, client_token=client_token))


def resume(world: World, *, reason: str | None = None, client_token: str | None = None) -> None:
    world.apply(resume_execution(world.state, world.now, reason=reason, client_token=client_token))


def waiting(terms: Terms | None = None) -> World:
    world = running(terms)
    world.send(wait(seconds=60), callback())
    world.suspend()
    return world


def test_an_execution_at_rest_is_paused_at_once() -> None:
    world = waiting()

    pause(world, reason="a bad deploy")

    assert world.status() == "PAUSED"
    assert world.rendered("ExecutionPaused") == {
        "PauseRequestTimestamp": NOON,
        "ExecutionTimeoutPaused": True,
        "Reason": {"Payload": "a bad deploy", "Truncated": False},
    }


def test_timers_and_callbacks_go_on_while_paused_and_nothing_is_invoked() -> None:
    world = waiting()
    pause(world)

    world.later(60).fire()
    world.callback("cb", Outcome(status="SUCCEEDED"))

    assert world.events()[-2:] == ["WaitSucceeded", "CallbackSucceeded"]
    assert not world.is_invoked()
    assert begin_invocation(world.state, "request", b"secret", world.now) is None
    assert world.execution.due_at == NOON + 366 * DAY_MS


def test_resuming_invokes_if_something_has_completed() -> None:
    world = waiting()
    pause(world)
    world.callback("cb", Outcome(status="SUCCEEDED"))

    resume(world, reason="fixed")

    assert world.status() == "RUNNING"
    assert world.is_invoked()
    assert world.rendered("ExecutionResumed") == {
        "ResumeRequestTimestamp": NOON,
        "Reason": {"Payload": "fixed", "Truncated": False},
    }
    assert world.begin().updated == ("cb",)


def test_resuming_goes_on_waiting_if_nothing_has_completed() -> None:
    world = waiting()
    pause(world)

    resume(world)

    assert not world.is_invoked()
    assert world.execution.due_at == NOON + 60_000


def test_a_first_invocation_that_a_pause_held_back_follows_the_resume() -> None:
    world = World()
    pause(world)
    assert begin_invocation(world.state, "request", b"secret", world.now) is None

    resume(world)

    assert world.is_invoked()


def test_a_running_invocation_ends_the_pause_s_beginning_at_its_next_checkpoint() -> None:
    world = running()
    pause(world)
    assert world.status() == "PAUSING"
    token = world.token

    reply = world.send(step("START"), step("SUCCEED", payload="1"), client_token="once")

    assert reply.token is None
    assert [operation.status for operation in reply.operations] == ["SUCCEEDED"]
    assert world.status() == "PAUSED"
    assert world.events()[1:] == ["StepStarted", "StepSucceeded", "ExecutionPaused"]
    assert rejection(lambda: world.send(token=token, client_token="once"))[1] == "Invalid checkpoint token"


def test_an_invocation_that_was_cut_short_is_owed_after_the_resume() -> None:
    world = running()
    pause(world)
    world.send(step("START"), step("SUCCEED"))
    world.suspend()
    assert world.status() == "PAUSED"
    assert not world.is_invoked()

    resume(world)

    assert world.is_invoked()


def test_whatever_an_invocation_answers_that_was_cut_short_it_goes_on_after_the_resume() -> None:
    ends: list[Callable[[World], object]] = [World.succeed, lambda world: world.answer('{"Status": "FAILED"}'), World.fail, World.lose]
    for end in ends:
        world = running()
        pause(world)
        world.send(step("START"))

        end(world)
        assert world.status() == "PAUSED"
        assert world.execution.failures == 0
        resume(world)

        assert world.is_invoked()


def test_an_execution_resumed_before_its_cut_invocation_has_ended_waits_for_that_end() -> None:
    world = running()
    pause(world)
    world.send(wait())
    resume(world)
    assert world.status() == "RUNNING"
    assert not world.is_invoked()

    world.suspend()

    assert world.is_invoked()


def test_an_invocation_that_ends_without_a_checkpoint_ends_in_a_pause() -> None:
    world = running()
    world.send(wait(seconds=60))
    pause(world)

    world.suspend()

    assert world.status() == "PAUSED"
    assert world.events()[-2:] == ["InvocationCompleted", "ExecutionPaused"]
    resume(world)
    assert not world.is_invoked(), "it suspended by itself"


def test_an_execution_may_close_while_a_pause_is_asked_for() -> None:
    by_output, by_checkpoint = running(), running()
    pause(by_output)
    pause(by_checkpoint)

    by_output.succeed()
    reply = by_checkpoint.send(finished())

    assert by_output.status() == by_checkpoint.status() == "SUCCEEDED"
    assert reply.token is None
    assert "ExecutionPaused" not in by_output.events() + by_checkpoint.events()


def test_a_failure_while_a_pause_is_asked_for_is_tried_again_after_the_resume() -> None:
    world = running()
    pause(world)

    world.fail()
    assert world.status() == "PAUSED"
    world.later(10).fire()
    assert not world.is_invoked()
    resume(world)

    assert world.is_invoked()


def test_a_pause_that_is_cancelled_in_time_leaves_no_trace() -> None:
    world = running()
    pause(world)

    resume(world)
    world.send(step("START"))
    world.send(step("SUCCEED"))

    assert world.status() == "RUNNING"
    assert world.events()[1:] == ["StepStarted", "StepSucceeded"]


# The execution's timeout


def test_a_pause_stops_the_timeout() -> None:
    world = waiting(Terms(timeout_s=300))
    world.later(100)
    pause(world)
    assert world.execution.times_out_at == NOON + 366 * DAY_MS

    world.later(1000).fire()
    assert world.status() == "PAUSED"
    resume(world)

    assert world.execution.times_out_at == NOON + 1_300_000


def test_a_pause_may_leave_the_timeout_running() -> None:
    world = waiting(Terms(timeout_s=300))
    pause(world, stops_timeout=False)

    world.later(300).fire()

    assert world.status() == "TIMED_OUT"


def test_no_pause_makes_an_execution_longer_than_366_days() -> None:
    world = waiting(Terms(timeout_s=300))
    pause(world)

    world.later(366 * 86_400 - 1)
    resume(world)
    assert world.execution.times_out_at == NOON + 366 * DAY_MS
    pause(world)
    world.later(1).fire()

    assert world.status() == "TIMED_OUT"


def test_a_second_pause_counts_from_its_own_beginning() -> None:
    world = waiting(Terms(timeout_s=300))
    pause(world)
    world.later(1000)
    resume(world)
    world.later(100)
    pause(world)
    world.later(1000)
    resume(world)

    assert world.execution.times_out_at == NOON + 2_300_000


def test_a_cancelled_pause_does_not_repeat_the_last_one_s_extension() -> None:
    world = waiting(Terms(timeout_s=3000))
    pause(world)
    world.later(100)
    resume(world)
    world.callback("cb", Outcome(status="SUCCEEDED"))
    world.begin()
    before = world.execution.times_out_at
    pause(world)
    world.later(5)
    resume(world)

    assert world.execution.times_out_at == before


# Repeated and refused requests


def test_a_repeated_request_has_no_effect() -> None:
    world = waiting()
    pause(world, client_token="p", reason="r")
    before = world.execution

    pause(world, client_token="p", reason="r")
    assert world.execution is before
    resume(world, client_token="r")
    before = world.execution
    resume(world.later(899), client_token="r")

    assert world.execution is before


def test_a_request_with_other_parameters_is_no_repetition() -> None:
    world = waiting()
    pause(world, client_token="p", reason="r")

    assert rejection(lambda: pause(world, client_token="p", reason="other"))[0] == "ResourceConflictException"
    assert rejection(lambda: pause(world, client_token="p", reason="r", stops_timeout=False))[0] == "ResourceConflictException"
    assert rejection(lambda: pause(world, reason="r"))[0] == "ResourceConflictException"
    world.later(900)
    assert rejection(lambda: pause(world, client_token="p", reason="r"))[0] == "ResourceConflictException"


def test_what_cannot_be_paused_or_resumed() -> None:
    world = running()
    assert rejection(lambda: resume(world))[0] == "ResourceConflictException"
    pause(world)
    assert rejection(lambda: pause(world))[0] == "ResourceConflictException"
    world.apply(stop_execution(world.state, None, world.now))

    assert rejection(lambda: pause(world))[0] == "ResourceConflictException"
    assert rejection(lambda: resume(world))[0] == "ResourceConflictException"


def test_a_paused_execution_can_be_stopped() -> None:
    world = waiting()
    pause(world)

    world.apply(stop_execution(world.state, BOOM, world.now))

    assert world.status() == "STOPPED"


def test_bounds_of_a_request() -> None:
    world = waiting()

    assert "at 'reason'" in rejection(lambda: pause(world, reason="x" * 1025))[1]
    assert "at 'clientToken'" in rejection(lambda: resume(world, client_token=""))[1]
