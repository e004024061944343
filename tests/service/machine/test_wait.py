from __future__ import annotations

from tests.service.machine.updates import cancel_wait, wait
from tests.service.machine.world import running

from everstep.protocol.shapes import OperationUpdate, WaitDetails


def test_a_started_wait_knows_its_end() -> None:
    world = running()

    (operation,) = world.send(wait(seconds=60)).operations

    ends_at = world.now + 60_000
    assert operation.status == "STARTED"
    assert operation.wait_details == WaitDetails(scheduled_end_timestamp=ends_at)
    assert world.rendered("WaitStarted") == {"Duration": 60, "ScheduledEndTimestamp": ends_at}


def test_a_wait_ends_when_its_time_has_come_and_not_before() -> None:
    world = running()
    world.send(wait(seconds=60))
    world.suspend()

    assert world.execution.due_at == world.now + 60_000
    world.later(59.999).fire()
    assert world.operation("w").status == "STARTED"
    assert not world.is_invoked()
    world.later(0.001).fire()

    assert world.operation("w").status == "SUCCEEDED"
    assert world.operation("w").end_timestamp == world.now
    assert world.rendered("WaitSucceeded") == {"Duration": 60}
    assert world.is_invoked()


def test_a_wait_whose_time_has_come_is_told_by_an_empty_checkpoint() -> None:
    world = running()
    world.send(wait(seconds=60))

    assert world.later(59.999).send().operations == ()
    reply = world.later(0.001).send()

    assert [operation.status for operation in reply.operations] == ["SUCCEEDED"]


def test_waits_that_end_together_need_one_invocation() -> None:
    world = running()
    world.send(wait("a", 5), wait("b", 3), wait("c", 5))
    world.suspend()

    world.later(6).fire()
    begun = world.begin()

    assert [event.order for event in world.history if event.type == "WaitSucceeded"] == [2, 1, 3], "the earliest first"
    assert begun.updated == ("a", "b", "c")
    assert world.execution.invoke_at is None


def test_a_wait_that_ends_before_the_invocation_begins_is_part_of_it() -> None:
    world = running()
    world.send(wait("a", 5), wait("b", 6))
    world.suspend()
    world.later(5).fire()

    begun = world.later(1).begin()

    assert begun.updated == ("a", "b")
    assert world.operation("b").status == "SUCCEEDED"


def test_a_cancelled_wait_wakes_nobody() -> None:
    world = running()
    world.send(wait(seconds=60), wait("other", 600))

    world.send(cancel_wait())
    world.suspend()
    world.later(60).fire()

    assert world.operation("w").status == "CANCELLED"
    assert world.rendered("WaitCancelled") == {}
    assert not world.is_invoked()


def test_a_wait_can_be_cancelled_until_its_end_is_recorded() -> None:
    world = running()
    world.send(wait(seconds=1))

    world.later(2).send(cancel_wait())

    assert world.operation("w").status == "CANCELLED"


def test_what_a_wait_may_not_do() -> None:
    world = running()
    world.send(wait("open"), wait("over", 1))
    world.later(1).send()

    assert world.refused(wait("open")) == "Cannot start a WAIT that already exist."
    assert world.refused(wait("over")) == "Cannot start a WAIT that already exist."
    assert world.refused(cancel_wait("over")) == "Cannot cancel a WAIT that does not exist or has already completed."
    assert world.refused(cancel_wait("none")) == "Cannot cancel a WAIT that does not exist or has already completed."
    assert world.refused(OperationUpdate(id="x", type="WAIT", action="START")) == "Update for WAIT operation requires WaitOptions."
    succeed = OperationUpdate(id="open", type="WAIT", action="SUCCEED")
    assert world.refused(succeed) == "Invalid action for the given operation type."
