"""Forks: of whatever execution the machine can make, and of whatever handler."""

from __future__ import annotations

import json
from typing import Final

import pytest
from hypothesis import HealthCheck, given, settings
from msgspec.structs import replace
from tests.runtime.test_crashes import outside
from tests.service.machine.test_properties import AnyExecution
from tests.service.machine.updates import callback, context, step, wait
from tests.service.machine.world import NOON, World, check_state, running
from tests.service.model import check_history
from tests.support.loopback import Loopback, Run
from tests.support.programs import Ledger, Program, Runner, programs

from everstep import DurableContext
from everstep.handler import DurableHandler
from everstep.protocol.shapes import TERMINAL
from everstep.service.machine.audit import audit
from everstep.service.machine.fork import Fork, fork_execution
from everstep.service.machine.model import ForkPoint, Transition
from everstep.service.machine.rejection import Rejected
from everstep.service.machine.state import State
from everstep.testing.virtual import run_virtually

ANY_PACE: Final = (HealthCheck.data_too_large, HealthCheck.filter_too_much, HealthCheck.large_base_example, HealthCheck.too_slow)
EDITABLE: Final = ("STEP", "CONTEXT", "CALLBACK", "CHAINED_INVOKE")


def fork(world: World, operation: str, result: str | None = None, name: str | None = None) -> Transition:
    asked = Fork(id="fork", operation=operation, secret=b"secret", result=result, name=name)
    return fork_execution(asked, world.state, world.history, world.now)


def check_fork(world: World, operation_id: str, result: str | None) -> None:
    before = (world.state.execution, dict(world.state.records))
    transition = fork(world, operation_id, result)
    execution, records, events = transition.execution, transition.records, transition.events

    check_state(State(execution, records))
    check_history(execution, {record.order: record.operation.status for record in records}, events)
    assert audit(execution, records, events, world.now) == []
    assert (execution.status, execution.invoke_at, execution.name) == ("RUNNING", world.now, f"{before[0].name}-fork-fork")
    known = {record.operation.id: record.operation for record in records}
    if result is None:
        assert operation_id not in known
    else:
        assert known[operation_id].status == "SUCCEEDED"
        details = known[operation_id]
        outcome = details.step_details or details.context_details or details.callback_details or details.chained_invoke_details
        assert outcome is not None
        assert (outcome.result, outcome.error) == (result, None)
    for record in records[1:]:
        operation = record.operation
        if operation.status in TERMINAL and operation.id != operation_id:
            assert operation == world.state.records[operation.id].operation, "what had ended is as it was"
        else:
            assert operation.type in ("CONTEXT", "CALLBACK") or operation.id == operation_id
    assert (world.state.execution, world.state.records) == before, "the source is only read"


class ForksOfAnyExecution(AnyExecution):
    def teardown(self) -> None:
        if self.world.execution.status == "DELETING":
            return
        for operation_id, record in list(self.world.state.records.items())[1:]:
            check_fork(self.world, operation_id, None)
            if record.operation.type in EDITABLE:
                check_fork(self.world, operation_id, '"edited"')


ForksOfAnyExecution.TestCase.settings = settings(max_examples=60, stateful_step_count=40, deadline=None)
TestForksOfAnyExecution = ForksOfAnyExecution.TestCase


async def executed(handler: DurableHandler[object, object]) -> tuple[Loopback, Run]:
    loopback = Loopback(handler, warm=False)
    loopback.answer = outside
    return loopback, await loopback.run()


@settings(max_examples=25, deadline=None, suppress_health_check=ANY_PACE)
@given(programs())
def test_a_fork_at_any_operation_of_any_handler_replays_and_ends(program: Program) -> None:
    async def body(event: object, ctx: DurableContext) -> object:
        return await Runner(Ledger()).apart(ctx, program)

    handler = DurableHandler(body)

    async def fork_everywhere() -> None:
        loopback, source = await executed(handler)
        assert source.status == "SUCCEEDED", source.error
        for operation_id, record in list(source.state.records.items())[1:]:
            loopback.fork(source, operation_id)
            forked = await loopback.run()
            assert forked.status == "SUCCEEDED", (record.operation, forked.error)
            replayed = await loopback.replay()
            assert json.loads(replayed.result or "") == json.loads(forked.result or ""), "a cold replay came to something else"
            statuses = {one.order: one.operation.status for one in forked.state.records.values()}
            check_history(forked.state.execution, statuses, forked.events)
            result = outcome_of(record.operation)
            if record.operation.status == "SUCCEEDED" and result is not None:  # edited to what it was
                loopback.fork(source, operation_id, result)
                assert (await loopback.run()).status == "SUCCEEDED", record.operation

    run_virtually(fork_everywhere())


def outcome_of(operation: object) -> str | None:
    details = next((found for kind in ("step", "callback") if (found := getattr(operation, f"{kind}_details")) is not None), None)
    return None if details is None else details.result


# -- sentences -------------------------------------------------------------------


def half_way() -> World:
    """In a context: a step that has ended and one that failed; a callback that is open, and a wait."""
    world = running()
    world.send(context("c0"), step("START", "s0", parent_id="c0"))
    world.send(step("SUCCEED", "s0", payload="1"), callback("k0", timeout_s=50, heartbeat_s=20), wait("w0", 60))
    world.later(5)
    world.send(step("START", "s1", parent_id="c0"))
    world.send(step("FAIL", "s1", error=None), step("START", "s2"))
    return world


def test_what_had_ended_is_kept_and_what_was_under_way_begins_anew() -> None:
    made = fork(half_way(), "s1")

    assert [(record.operation.id, record.operation.status) for record in made.records[1:]] == [
        ("c0", "STARTED"),
        ("s0", "SUCCEEDED"),
        ("k0", "STARTED"),
    ]
    assert [event.type for event in made.events] == [
        "ExecutionStarted",
        "ContextStarted",
        "StepStarted",
        "StepSucceeded",
        "CallbackStarted",
    ]


def test_a_fork_knows_where_it_comes_from() -> None:
    world = half_way()

    assert fork(world, "s1").execution.terms.forked_from == ForkPoint(execution_id=world.execution.id, operation_id="s1")


def test_an_open_callback_gets_a_new_id_and_its_whole_time() -> None:
    world = half_way()
    made = fork(world, "s1")

    operation = made.records[3].operation
    assert operation.callback_details is not None
    assert operation.callback_details.callback_id not in (None, world.callback_id("k0"))
    assert made.events[-1].details["CallbackId"] == operation.callback_details.callback_id
    assert made.records[3].due_at == world.now + 20_000


def test_an_edited_operation_has_succeeded_whatever_it_had_come_to() -> None:
    made = fork(half_way(), "s1", result='"fine"')

    last = made.records[-1].operation
    assert (last.id, last.status, last.step_details and last.step_details.result) == ("s1", "SUCCEEDED", '"fine"')
    assert made.events[-1].type == "StepSucceeded"


def test_an_operation_that_has_not_ended_can_be_given_a_result() -> None:
    world = half_way().later(1)

    made = fork(world, "k0", result='"yes"')

    assert made.records[3].operation.status == "SUCCEEDED"
    assert (made.events[-1].type, made.events[-1].timestamp) == ("CallbackSucceeded", world.now)


def test_a_fork_may_be_named_and_has_a_timeout_of_its_own() -> None:
    world = half_way().later(100)

    execution = fork(world, "s1", name="second-try").execution

    assert execution.arn == f"{world.execution.arn.partition('/durable-execution/')[0]}/durable-execution/second-try/fork"
    assert execution.started_at == world.now > NOON
    assert execution.times_out_at == world.now + execution.terms.timeout_s * 1000


@pytest.mark.parametrize(
    ("operation", "result", "name", "said"),
    [
        ("nothing", None, None, "has no operation 'nothing'"),
        ("w0", "1", None, "A WAIT has no result"),
        ("s1", None, "no name", "cannot name an execution"),
        ("s1", '"' + "x" * 1_048_576 + '"', None, "payload size must be less than or equal"),
    ],
)
def test_what_cannot_be_forked_is_refused(operation: str, result: str | None, name: str | None, said: str) -> None:
    with pytest.raises(Rejected, match=said):
        fork(half_way(), operation, result, name)


def test_an_operation_may_be_named_if_no_other_has_the_name() -> None:
    world = half_way()
    for operation_id in ("s0", "s1"):
        record = world.state.records[operation_id]
        world.state.records[operation_id] = replace(record, operation=replace(record.operation, name="charge"))

    with pytest.raises(Rejected, match="2 operations are called 'charge': name one by its id, s0, s1"):
        fork(world, "charge")
