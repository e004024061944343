"""Whatever comes, in whatever order: what must hold of every execution. `World` checks every single transition."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from operator import itemgetter
from typing import Final

from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, precondition, rule
from msgspec.structs import replace
from tests.service.machine.updates import callback, cancel_wait, context, context_failed, context_succeeded, finished, invoke, step, wait
from tests.service.machine.world import BOOM, World, rejection

from everstep.protocol.lifecycle import MOVES
from everstep.protocol.shapes import (
    CallbackOptions,
    ChainedInvokeOptions,
    InvocationOutput,
    OperationAction,
    OperationType,
    OperationUpdate,
    StepOptions,
    WaitOptions,
)
from everstep.service.machine.change import is_invocation_due
from everstep.service.machine.execution import delete_execution, stop_execution
from everstep.service.machine.history import render_event
from everstep.service.machine.invocation import begin_invocation
from everstep.service.machine.model import OPEN, Outcome, Terms
from everstep.service.machine.pause import pause_execution, resume_execution
from everstep.service.machine.rejection import Rejected
from everstep.service.machine.state import State
from everstep.service.machine.upkeep import fire_timers, recover

PARENTS = st.sampled_from([None, None, "c0", "c1"])
STEPS = st.sampled_from(["s0", "s1", "s2", "s3"])
WAITS = st.sampled_from(["w0", "w1", "w2"])
CONTEXTS = st.sampled_from(["c0", "c1"])
CALLBACKS = st.sampled_from(["k0", "k1"])
INVOKES = st.sampled_from(["i0", "i1"])
IDS = st.one_of(STEPS, WAITS, CONTEXTS, CALLBACKS, INVOKES)
KINDS: Final[Mapping[str, OperationType]] = {"s": "STEP", "w": "WAIT", "c": "CONTEXT", "k": "CALLBACK", "i": "CHAINED_INVOKE"}
SECONDS = st.integers(1, 3)
TEXTS = st.sampled_from([None, "1", '"é"'])

UPDATES: st.SearchStrategy[OperationUpdate] = st.one_of(
    st.builds(step, st.just("START"), STEPS, parent_id=PARENTS),
    st.builds(step, st.sampled_from(["START", "SUCCEED"]), STEPS, payload=TEXTS),
    st.builds(step, st.just("FAIL"), STEPS, error=st.just(BOOM)),
    st.builds(step, st.just("RETRY"), STEPS, error=st.sampled_from([None, BOOM]), delay_s=SECONDS),
    st.builds(wait, WAITS, SECONDS, parent_id=PARENTS),
    st.builds(cancel_wait, WAITS),
    st.builds(context, CONTEXTS, parent_id=PARENTS),
    st.builds(context_succeeded, CONTEXTS, TEXTS, replay_children=st.sampled_from([None, True])),
    st.builds(context_failed, CONTEXTS),
    st.builds(callback, CALLBACKS, timeout_s=st.integers(0, 4), heartbeat_s=st.integers(0, 2), parent_id=PARENTS),
    st.builds(invoke, st.sampled_from(["plain", "stock:1", "nothing"]), INVOKES),
)
OUTCOMES = st.builds(
    Outcome, status=st.sampled_from(["SUCCEEDED", "FAILED", "TIMED_OUT", "STOPPED"]), result=TEXTS, error=st.sampled_from([None, BOOM])
)


class AnyExecution(RuleBasedStateMachine):
    """Handler, timers, outside parties, operators and crashes, all at once."""

    def __init__(self) -> None:
        super().__init__()
        self.world = World(Terms(timeout_s=3600, retention_days=1))

    @property
    def is_running(self) -> bool:
        return self.world.execution.invocation is not None

    def unless_rejected(self, command: Callable[[], object]) -> None:
        """Do it; if that is refused, nothing may have changed."""
        state = self.world.state
        before = (state.execution, dict(state.records), set(state.unseen), state.pending, state.token, len(self.world.history))
        try:
            command()
        except Rejected:
            assert before == (
                state.execution,
                dict(state.records),
                set(state.unseen),
                state.pending,
                state.token,
                len(self.world.history),
            )

    @rule(ms=st.sampled_from([0, 1, 1, 500, 1000, 3000, -1]))
    def time_passes(self, ms: int) -> None:
        self.world.now += ms

    @rule()
    def timers_are_fired(self) -> None:
        self.world.fire()

    @precondition(lambda self: not self.is_running)
    @rule()
    def an_invocation_begins(self) -> None:
        world = self.world
        if not is_invocation_due(world.execution, world.now):
            assert begin_invocation(world.state, "none", b"secret", world.now) is None
            return
        unseen = [one for one, record in world.state.records.items() if one in world.state.unseen and record.order > 0]
        begun = world.begin()
        shown = {operation.id for operation in begun.operations()}
        assert set(unseen) & shown <= set(begun.updated) <= shown

    @rule(moves=st.lists(st.tuples(IDS, st.integers(0, 3), SECONDS, PARENTS), min_size=1, max_size=4, unique_by=itemgetter(0)))
    def the_handler_goes_on(self, moves: list[tuple[str, int, int, str | None]]) -> None:
        """With legal updates alone, in an invocation of its own if none runs."""
        world = self.world
        if is_invocation_due(world.execution, world.now):
            world.begin()
        if world.state.token is None:
            return
        updates = [update for move in moves if (update := self.legal(*move)) is not None]
        world.send(*updates)

    def legal(self, operation_id: str, choice: int, seconds: int, parent_id: str | None) -> OperationUpdate | None:
        """One of the updates that the operation can take now."""
        record = self.world.state.records.get(operation_id)
        kind = KINDS[operation_id[0]]
        status = record.operation.status if record else None
        actions: list[OperationAction] = [action for of, before, action in MOVES if (of, before) == (kind, status)]
        if not actions:
            return None
        action = actions[choice % len(actions)]
        is_new = record is None and parent_id in self.world.state.records
        update = OperationUpdate(id=operation_id, type=kind, action=action, parent_id=parent_id if is_new else None)
        match kind, action:
            case "STEP", "RETRY":
                return replace(update, step_options=StepOptions(next_attempt_delay_seconds=seconds), payload="1")
            case "STEP" | "CONTEXT", "SUCCEED":
                return replace(update, payload="1")
            case "WAIT", "START":
                return replace(update, wait_options=WaitOptions(wait_seconds=seconds))
            case "CALLBACK", _:
                return replace(update, callback_options=CallbackOptions(timeout_seconds=seconds, heartbeat_timeout_seconds=choice))
            case "CHAINED_INVOKE", _:
                function = ("plain", "stock:1", "nothing", "plain")[choice]
                return replace(update, chained_invoke_options=ChainedInvokeOptions(function_name=function))
            case _:
                return update

    @precondition(lambda self: self.is_running)
    @rule(updates=st.lists(UPDATES, max_size=4), client_token=st.sampled_from([None, "t1", "t2"]))
    def the_handler_sends_anything(self, updates: list[OperationUpdate], client_token: str | None) -> None:
        token = self.world.state.token
        if token is None:
            self.world.refused(*updates, token="YWJj")
        else:
            self.unless_rejected(lambda: self.world.send(*updates, token=token, client_token=client_token))

    @precondition(lambda self: self.world.state.token is not None)
    @rule(updates=st.lists(UPDATES, max_size=2))
    def an_answer_is_lost_and_asked_for_again(self, updates: list[OperationUpdate]) -> None:
        token = self.world.token
        try:
            reply = self.world.send(*updates, client_token="again")
        except Rejected:
            return
        if reply.token is not None:
            assert self.world.send(*updates, token=token, client_token="again") == reply

    @precondition(lambda self: self.is_running)
    @rule()
    def the_handler_suspends(self) -> None:
        self.world.suspend()

    @precondition(lambda self: self.is_running)
    @rule(end=st.sampled_from(["fail", "lose"]))
    def the_invocation_goes_wrong(self, end: str) -> None:
        {"fail": self.world.fail, "lose": self.world.lose}[end]()

    @rule(operation_id=CALLBACKS, outcome=OUTCOMES, is_heartbeat=st.booleans())
    def somebody_answers_a_callback(self, operation_id: str, outcome: Outcome, is_heartbeat: bool) -> None:
        world = self.world
        if operation_id not in world.state.records:
            return
        if is_heartbeat:
            self.unless_rejected(lambda: world.heartbeat(operation_id))
        else:
            reported = replace(outcome, status="SUCCEEDED" if outcome.status == "SUCCEEDED" else "FAILED")
            self.unless_rejected(lambda: world.callback(operation_id, reported))

    @rule(operation_id=INVOKES, outcome=OUTCOMES)
    def a_called_function_ends(self, operation_id: str, outcome: Outcome) -> None:
        self.world.called(operation_id, outcome)

    @rule(what=st.sampled_from(["restart", "resume", "resume", "pause", "pause without the timeout"]))
    def an_operator_acts(self, what: str) -> None:
        world = self.world
        if what == "restart":
            world.state = State(world.execution, world.state.records.values())
            world.apply(recover(world.state, world.now))
        elif what == "resume":
            self.unless_rejected(lambda: world.apply(resume_execution(world.state, world.now)))
        else:
            self.unless_rejected(lambda: world.apply(pause_execution(world.state, world.now, stops_timeout=what == "pause")))

    @precondition(lambda self: self.world.execution.operations > 8)
    @rule(end=st.sampled_from(["output", "failure", "checkpoint", "stop", "delete"]))
    def the_execution_ends(self, end: str) -> None:
        world = self.world
        if end == "stop":
            world.apply(stop_execution(world.state, BOOM, world.now))
        elif end == "delete":
            self.unless_rejected(lambda: world.apply(delete_execution(world.state, world.now)))
        elif self.is_running:
            if end == "output":
                world.succeed()
            elif end == "failure":
                world.answer(InvocationOutput(status="FAILED", error=BOOM))
            elif world.state.token is not None:
                world.send(finished())

    @invariant()
    def nothing_is_said_to_be_due_that_is_not(self) -> None:
        """Doing what is due leaves nothing due but what others have to perform: an invocation, a notification, a deletion."""
        world = self.world
        transition = fire_timers(world.state, world.now)
        execution = transition.execution
        assert execution.due_at is None or execution.due_at > world.now or transition.effects

    @invariant()
    def the_execution_s_times_never_go_back(self) -> None:
        stamps = [event.timestamp for event in self.world.history]
        assert stamps == sorted(stamps)

    @invariant()
    def the_history_can_be_read(self) -> None:
        world = self.world
        for event in world.history[-4:]:
            shown = render_event(event, world.execution, world.record_of(event))
            assert shown["EventId"] == event.event_id
            assert f"{event.type}Details" in shown

    @invariant()
    def a_closed_execution_invokes_nobody(self) -> None:
        if self.world.execution.status not in OPEN:
            assert self.world.execution.invoke_at is None
            assert rejection(lambda: resume_execution(self.world.state, self.world.now))[0] == "ResourceConflictException"


AnyExecution.TestCase.settings = settings(max_examples=150, stateful_step_count=50, deadline=None)
TestAnyExecution = AnyExecution.TestCase
