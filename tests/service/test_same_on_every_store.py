"""The same commands, in any order, with restarts in between: every store gives the same answers and keeps the same state.

On PostgreSQL two services take turns, so each of them finds changes that the other one has made. Beside them runs a model
that knows nothing of the machine: which updates are legal, and which of the changes that are seen may have happened.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Mapping, Sequence
from operator import itemgetter
from pathlib import Path
from typing import Final, TypeVar, cast

from hypothesis import HealthCheck, settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, precondition, rule, run_state_machine_as_test
from tests.effort import examples
from tests.service.homes import EVERYTHING, TIMEOUT_S, Home, Refusal, Stores, new_execution, performed, read
from tests.service.machine.test_properties import CALLBACKS, IDS, INVOKES, OUTCOMES, PARENTS, UPDATES
from tests.service.machine.updates import finished
from tests.service.machine.world import BOOM, NOON, check_state
from tests.service.model import BY_TIME, Seen, check_history, legal_update, outcome_of
from tests.service.postgres import Server

from everstep.protocol.shapes import (
    TERMINAL,
    ChainedInvokeOptions,
    ErrorObject,
    ExecutionStatus,
    InvocationOutput,
    OperationUpdate,
)
from everstep.service.executions import Command, UnknownExecution
from everstep.service.machine.callback import complete_callback, heartbeat_callback
from everstep.service.machine.change import is_invocation_due
from everstep.service.machine.checkpoint import checkpoint
from everstep.service.machine.execution import already_started, delete_execution, stop_execution
from everstep.service.machine.invocation import begin_invocation, invocation_failed, invocation_succeeded
from everstep.service.machine.invoke import complete_chained_invoke
from everstep.service.machine.model import (
    OPEN,
    DurableTarget,
    Event,
    Execution,
    Outcome,
    PlainTarget,
    StartChild,
    Target,
    Transition,
)
from everstep.service.machine.pause import pause_execution, resume_execution
from everstep.service.machine.rejection import Rejected
from everstep.service.machine.state import State
from everstep.service.machine.upkeep import fire_timers, recover
from everstep.service.stores.api import Filter, Snapshot

T = TypeVar("T")


SLOW: Final = (HealthCheck.too_slow, HealthCheck.data_too_large)
PICKS: Final = st.integers(0, 3)
TOKENS: Final = st.sampled_from(["valid"] * 6 + ["first", "foreign"])
CLIENT_TOKENS: Final = st.sampled_from([None, "t1", "t2"])


class EveryStore(RuleBasedStateMachine):
    """Commands on a few executions, each performed on every store."""

    def __init__(self, stores: Stores) -> None:
        super().__init__()
        self.stores, self.clock, self.places, self.runner = stores, stores.clock, stores.places, stores.runner
        self.first = stores.commands
        self.created: list[str] = []
        self.seen: dict[str, dict[str, Seen]] = {}
        self.statuses: dict[str, ExecutionStatus] = {}
        self.tokens: dict[str, list[str]] = {}
        self.last: dict[str, tuple[str, Sequence[OperationUpdate], str | None]] = {}

    @property
    def number(self) -> int:
        """Of the next command."""
        return self.stores.commands

    def on_every(self, act: Callable[[Home], Awaitable[T]]) -> T:
        """Act in one service of each store, in turn, and let what follows happen. They must answer the same."""
        self.stores.commands += 1

        async def everywhere() -> list[T]:
            answers: list[T] = []
            for place in self.places:
                home = place[self.number % len(place)]
                answers.append(await act(home))
                await home.run_errands()
            return answers

        first, *others = self.runner.run(everywhere())
        for other in others:
            assert other == first
        return first

    def perform(
        self, execution_id: str, command: Command, updates: Sequence[OperationUpdate] = (), *, moves: Sequence[str] = ()
    ) -> Transition | Refusal:
        """moves: operations that somebody outside ends by this."""
        answer = self.on_every(lambda home: performed(home, execution_id, command))
        self.look(execution_id, updates if isinstance(answer, Transition) else (), moves)
        return answer

    def pick(self, pick: int) -> str:
        choices = [one for one in self.created if self.statuses.get(one) in OPEN] if pick else self.created
        return (choices or self.created)[pick % len(choices or self.created)]

    def state(self, execution_id: str) -> State | None:
        """In memory."""

        async def read() -> State | None:
            try:
                return await self.places[0][0].executions.state(execution_id)
            except UnknownExecution:
                return None

        return self.runner.run(read())

    # -- the model's view

    def look(self, execution_id: str, updates: Sequence[OperationUpdate] = (), moves: Sequence[str] = ()) -> None:
        """Compare what there is with what may be, and remember it."""
        state = self.state(execution_id)
        if state is None:
            return
        known = self.seen.setdefault(execution_id, {})
        expected = outcome_of(known, [update for update in updates if update.type != "EXECUTION"]) or {}
        for operation_id, record in state.records.items():
            operation = record.operation
            if record.order == 0:
                continue
            before = known.get(operation_id)
            status = expected.get(operation_id, before.status if before is not None else None)
            due_at = before.due_at if before is not None and operation_id not in expected else record.due_at
            if operation.status != status:
                by_time = BY_TIME.get((operation.type, status or ""))
                is_timed = operation.status == by_time and before is not None and due_at is not None and due_at <= self.clock.now
                is_called = operation.type == "CHAINED_INVOKE" and status == "STARTED"
                assert is_timed or is_called or operation_id in moves, f"{operation_id} went from {status} to {operation.status}"
            assert before is None or before.status not in TERMINAL or before.status == operation.status, "an end is the end"
            known[operation_id] = Seen(operation.type, operation.status, operation.parent_id, record.due_at)
        assert set(known) == {one for one, record in state.records.items() if record.order > 0}
        was, now = self.statuses.get(execution_id, "RUNNING"), state.execution.status
        if was not in OPEN:
            assert now in (was, "DELETING")
        if now == "TIMED_OUT" and was in OPEN:
            assert self.clock.now >= state.execution.started_at + TIMEOUT_S * 1000
        self.statuses[execution_id] = now

    # -- rules

    @initialize()
    def begin(self) -> None:
        self.start("a", "1")

    @rule(name=st.sampled_from("ab"), payload=st.sampled_from("12"))
    def start(self, name: str, payload: str) -> None:
        name = f"{name}{self.first}"
        new = new_execution("orders", f"e{self.number}", name, payload)

        async def create(home: Home) -> str | Refusal:
            execution = await home.executions.create(new)
            if execution is None:
                existing = await home.store.find("orders", name)
                assert existing is not None
                try:
                    execution = already_started(existing, new)
                except Rejected as rejected:
                    return rejected.code, rejected.message
            return execution.id

        answer = self.on_every(create)
        if answer == new.id:
            self.created.append(new.id)
            self.look(new.id)

    @rule(ms=st.sampled_from([1, 500, 1_000, 3_000, -1, -5_000]), days=st.sampled_from([0] * 30 + [2]))
    def the_clock_is_moved(self, ms: int, days: int) -> None:
        self.clock.now += ms + days * 86_400_000

    @rule()
    def what_is_due_is_done(self) -> None:
        async def due(home: Home) -> list[str]:
            due = await home.store.due(limit=EVERYTHING)
            return [entry.id for entry in due if entry.at <= self.clock.now and entry.id in self.created]

        for execution_id in self.on_every(due):
            answer = self.perform(execution_id, fire_timers)
            state = self.state(execution_id)
            if state is not None and isinstance(answer, Transition):
                is_idle = state.execution.invocation is None and state.execution.status in OPEN
                assert not (is_idle and state.due(self.clock.now)), "nothing is due any more"

    def an_invocation_begins(self, execution_id: str) -> State | None:
        """If one is owed. The state, if there is such an execution."""
        state = self.state(execution_id)
        if state is None or not is_invocation_due(state.execution, self.clock.now):
            return state
        number = self.number

        def command(state: State, now: int) -> Transition:
            begun = begin_invocation(state, f"r{number}", b"s%d" % number, now)
            return begun.transition if begun is not None else Transition(execution=state.execution)

        self.perform(execution_id, command)
        if (state := self.state(execution_id)) is not None and state.token is not None:
            self.tokens.setdefault(execution_id, []).append(state.token)
        return state

    @rule(pick=PICKS, choices=st.lists(st.tuples(IDS, st.integers(0, 3), PARENTS), max_size=5, unique_by=itemgetter(0)))
    def the_handler_goes_on(self, pick: int, choices: Sequence[tuple[str, int, str | None]]) -> None:
        """With legal updates alone."""
        execution_id = self.pick(pick)
        state = self.an_invocation_begins(execution_id)
        if state is not None and state.token is not None:
            known = self.seen[execution_id]
            updates = [update for choice in choices if (update := legal_update(known, *choice)) is not None]
            self.send(execution_id, state.token, updates, None)

    @rule(pick=PICKS, choices=st.lists(st.tuples(IDS, st.integers(0, 3), PARENTS), max_size=5, unique_by=itemgetter(0)))
    def the_handler_goes_on_and_suspends(self, pick: int, choices: Sequence[tuple[str, int, str | None]]) -> None:
        self.the_handler_goes_on(pick, choices)
        self.the_invocation_ends(pick, "pending")

    @rule(
        pick=PICKS, updates=st.lists(UPDATES, max_size=3), which=TOKENS, client_token=CLIENT_TOKENS, stays_open=st.integers(0, 19).map(bool)
    )
    def the_handler_sends_anything(
        self, pick: int, updates: list[OperationUpdate], which: str, client_token: str | None, stays_open: bool
    ) -> None:
        execution_id = self.pick(pick)
        state = self.an_invocation_begins(execution_id)
        held = self.tokens.get(execution_id, ["YWJj"])
        foreign = [tokens[-1] for one, tokens in self.tokens.items() if one != execution_id]
        valid = state.token if state is not None else None
        token = {"valid": valid, "first": held[0], "foreign": foreign[0] if foreign else None}[which] or "YWJj"
        self.send(execution_id, token, updates if stays_open else [*updates, finished()], client_token)

    def send(self, execution_id: str, token: str, updates: Sequence[OperationUpdate], client_token: str | None) -> None:
        """A checkpoint, which is accepted if the model says so."""
        state = self.state(execution_id)
        is_valid = state is not None and token == state.token
        last = self.last.get(execution_id)
        is_repeated = last is not None and last[0] == token and last[2] == client_token
        is_legal = outcome_of(self.seen[execution_id], [update for update in updates if update.type != "EXECUTION"]) is not None
        answer = self.checkpoint(execution_id, token, updates, client_token, is_repeated=is_repeated)
        if is_repeated:
            return
        assert isinstance(answer, Transition) == (is_valid and is_legal)
        if isinstance(answer, Transition) and answer.reply is not None:
            self.last[execution_id] = token, updates, client_token
            if answer.reply.token is not None:
                self.tokens[execution_id].append(answer.reply.token)

    @rule(pick=PICKS)
    def an_answer_is_asked_for_again(self, pick: int) -> None:
        execution_id = self.pick(pick)
        if execution_id in self.last:
            self.checkpoint(execution_id, *self.last[execution_id], is_repeated=True)

    def checkpoint(
        self, execution_id: str, token: str, updates: Sequence[OperationUpdate], client_token: str | None, *, is_repeated: bool
    ) -> Transition | Refusal:
        """is_repeated: then operations are told as they were or as they are, depending on who is asked."""
        number = self.number

        def command(state: State, now: int) -> Transition:
            children = iter(range(EVERYTHING))

            def resolve(options: ChainedInvokeOptions) -> Target | ErrorObject:
                if options.function_name == "plain":
                    return PlainTarget(function="plain", version="$LATEST")
                if options.function_name == "nothing":
                    return BOOM
                child = new_execution("stock", f"c{number}-{next(children)}", f"c{number}", "{}")
                return DurableTarget(function="stock", version="1", id=child.id, arn=child.arn, name=child.id, timeout_s=60)

            transition, reply = checkpoint(state, token, updates, client_token, now, resolve=resolve)
            if is_repeated and transition.execution is state.execution:
                return Transition(execution=transition.execution)
            return transition if transition.reply is not None else Transition(execution=transition.execution, reply=reply)

        answer = self.perform(execution_id, command, () if is_repeated else updates)
        if isinstance(answer, Transition):
            self.created += [effect.start.id for effect in answer.effects if isinstance(effect, StartChild)]
            for effect in answer.effects:
                if isinstance(effect, StartChild):
                    self.look(effect.start.id)
        return answer

    @rule(pick=PICKS, end=st.sampled_from(["pending"] * 9 + ["crash"] * 3 + ["success", "failure", "nonsense"]))
    def the_invocation_ends(self, pick: int, end: str) -> None:
        execution_id = self.pick(pick)
        state = self.state(execution_id)
        if state is None or state.execution.invocation is None:
            return
        request_id = state.execution.invocation.request_id
        outputs: Mapping[str, str | InvocationOutput] = {
            "pending": InvocationOutput(status="PENDING"),
            "success": InvocationOutput(status="SUCCEEDED", result='"done"'),
            "failure": InvocationOutput(status="FAILED", error=BOOM),
            "nonsense": "?",
        }

        def command(state: State, now: int) -> Transition:
            if end == "crash":
                return invocation_failed(state, request_id, BOOM, now, jitter=0.5)
            return invocation_succeeded(state, request_id, outputs[end], now)

        self.perform(execution_id, command)
        self.last.pop(execution_id, None)

    @rule(pick=PICKS, operation_id=CALLBACKS, outcome=OUTCOMES, is_heartbeat=st.booleans())
    def a_callback_is_answered(self, pick: int, operation_id: str, outcome: Outcome, is_heartbeat: bool) -> None:
        execution_id = self.pick(pick)
        state = self.state(execution_id)
        record = None if state is None else state.records.get(operation_id)
        if record is None or record.operation.callback_details is None:
            return
        callback_id = record.operation.callback_details.callback_id or ""
        answered = Outcome(status="SUCCEEDED" if outcome.status == "SUCCEEDED" else "FAILED", result=outcome.result, error=outcome.error)

        def command(state: State, now: int) -> Transition:
            return heartbeat_callback(state, callback_id, now) if is_heartbeat else complete_callback(state, callback_id, answered, now)

        self.perform(execution_id, command, moves=() if is_heartbeat else [operation_id])

    @rule(pick=PICKS, operation_id=INVOKES, outcome=OUTCOMES)
    def a_called_function_ends(self, pick: int, operation_id: str, outcome: Outcome) -> None:
        self.perform(self.pick(pick), lambda state, now: complete_chained_invoke(state, operation_id, outcome, now), moves=[operation_id])

    @rule(pick=PICKS, what=st.sampled_from(["stop", "pause", "pause", "hold", "delete"] + ["resume"] * 7))
    def an_operator_acts(self, pick: int, what: str) -> None:
        def command(state: State, now: int) -> Transition:
            match what:
                case "stop":
                    return stop_execution(state, BOOM, now)
                case "resume":
                    return resume_execution(state, now)
                case "delete":
                    return delete_execution(state, now)
                case _:
                    return pause_execution(state, now, stops_timeout=what == "hold")

        self.perform(self.pick(pick), command)

    @precondition(lambda self: (self.number - self.first) % 3 == 0)  # it takes longer than the others
    @rule()
    def every_service_starts_again(self) -> None:
        async def start_again() -> None:
            await self.stores.close()
            await self.stores.open()

        async def to_recover(home: Home) -> list[str]:
            return sorted(set(self.created).intersection(await home.store.to_recover()))

        self.runner.run(start_again())
        for execution_id in self.on_every(to_recover):
            self.perform(execution_id, recover)
            self.last.pop(execution_id, None)

    def teardown(self) -> None:
        async def check(home: Home) -> list[tuple[Snapshot, list[Event], list[object]]]:
            return [await read(home, execution_id) for execution_id in self.created if await home.store.load(execution_id) is not None]

        async def listed(home: Home) -> Sequence[Execution]:
            return [one for one in await home.store.executions(Filter(), limit=EVERYTHING) if one.id in self.created]

        self.on_every(listed)
        for snapshot, events, _ in self.on_every(check):
            check_history(snapshot.execution, {record.order: record.operation.status for record in snapshot.records}, events)
            check_state(State(snapshot.execution, snapshot.records))
        self.clock.now = NOON


def test_every_store_gives_the_same_answers_and_keeps_the_same_state(postgres: Server, tmp_path: Path) -> None:
    stores = Stores(tmp_path / "executions.db", postgres.new_schema())
    try:
        run_state_machine_as_test(
            cast("type[RuleBasedStateMachine]", lambda: EveryStore(stores)),  # it only calls it
            settings=settings(max_examples=examples(25), stateful_step_count=40, deadline=None, suppress_health_check=SLOW),
        )
    finally:
        stores.end()
