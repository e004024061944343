from __future__ import annotations

from tests.service.machine.updates import context, context_failed, context_succeeded, step, wait
from tests.service.machine.world import BOOM, running

from everstep.protocol.shapes import ContextDetails, OperationUpdate


def test_a_context_starts_and_succeeds() -> None:
    world = running()

    world.send(context(sub_type="Map"))
    assert world.operation("c").context_details == ContextDetails()
    world.send(context_succeeded(payload='"all"'))

    assert world.operation("c").status == "SUCCEEDED"
    assert world.operation("c").context_details == ContextDetails(result='"all"')
    assert world.rendered("ContextStarted") == {}
    assert world.rendered("ContextSucceeded") == {"Result": {"Payload": '"all"', "Truncated": False}}


def test_a_context_fails() -> None:
    world = running()

    world.send(context(), context_failed())

    assert world.operation("c").status == "FAILED"
    assert world.operation("c").context_details == ContextDetails(error=BOOM)


def test_a_context_may_close_without_having_been_started() -> None:
    world = running()

    world.send(context_succeeded("a"), context_failed("b"))

    assert (world.operation("a").status, world.operation("b").status) == ("SUCCEEDED", "FAILED")
    assert world.operation("a").end_timestamp == world.now


def test_children_may_be_open_when_a_context_closes_and_are_still_recorded() -> None:
    world = running()
    world.send(context(), step("START", parent_id="c"))

    world.send(context_succeeded())
    world.send(step("SUCCEED"), step("START", "late", parent_id="c"))

    assert world.operation("s").status == "SUCCEEDED"
    assert world.operation("late").parent_id == "c"


def test_what_a_context_may_not_do() -> None:
    world = running()
    world.send(context("open"), context_succeeded("over"))

    assert world.refused(context("open")) == "Cannot start a CONTEXT that already exist."
    assert world.refused(context("over")) == "Cannot start a CONTEXT that already exist."
    assert world.refused(context_succeeded("over")) == "Invalid current CONTEXT state to close."
    assert world.refused(context_failed("over")) == "Invalid current CONTEXT state to close."
    retry = OperationUpdate(id="open", type="CONTEXT", action="RETRY")
    assert world.refused(retry) == "Invalid action for the given operation type."


def test_the_children_of_a_closed_context_are_not_shown_to_the_handler() -> None:
    world = running()
    world.send(context("a"), step("SUCCEED", "a1", parent_id="a"), context("a2", parent_id="a"), step("START", "a21", parent_id="a2"))
    world.send(context("b"), step("SUCCEED", "b1", parent_id="b"), context("open"), step("SUCCEED", "o1", parent_id="open"))
    world.send(context_succeeded("a"), context_succeeded("b", replay_children=True))
    world.lose()

    begun = world.begin()

    assert [operation.id for operation in begun.operations()[1:]] == ["a", "b", "b1", "open", "o1"]


def test_a_change_inside_a_closed_context_is_not_told() -> None:
    world = running()
    world.send(context("a"), context("a1", parent_id="a"), wait("in", 5, parent_id="a1"), context_succeeded("a"))
    world.send(context("b"), wait("shown", 5, parent_id="b"), context_succeeded("b", replay_children=True))
    world.suspend()
    world.later(5).fire()

    begun = world.begin()

    assert [operation.id for operation in begun.operations()[1:]] == ["a", "b", "shown"]
    assert begun.updated == ("shown",)


def test_a_failed_context_hides_its_children_too() -> None:
    world = running()
    world.send(context(), step("FAIL", parent_id="c"), context_failed())
    world.lose()

    begun = world.begin()

    assert [operation.id for operation in begun.operations()[1:]] == ["c"]
