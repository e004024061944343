"""One execution under the machine, with a clock that the test moves and a handler that the test plays.

Rule: every transition is checked as it comes: events without gaps, revisions one by one, nothing that was final changed,
nothing early, ends in sequence, and what the state keeps at hand equal to what can be found by looking at everything.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence

import pytest
from msgspec import convert, msgpack

from everstep.protocol.lifecycle import MOVES, SERVICE_MOVES
from everstep.protocol.shapes import TERMINAL, ChainedInvokeOptions, ErrorObject, InvocationOutput, Operation, OperationUpdate
from everstep.service.machine.audit import audit
from everstep.service.machine.callback import complete_callback, heartbeat_callback
from everstep.service.machine.change import DAY_MS
from everstep.service.machine.checkpoint import checkpoint
from everstep.service.machine.execution import start_execution
from everstep.service.machine.history import render_event
from everstep.service.machine.invocation import (
    Begun,
    begin_invocation,
    invocation_failed,
    invocation_lost,
    invocation_succeeded,
)
from everstep.service.machine.invoke import complete_chained_invoke
from everstep.service.machine.model import (
    OPEN,
    DurableTarget,
    Effect,
    Event,
    Execution,
    InvokeHandler,
    NewExecution,
    Outcome,
    PlainTarget,
    Record,
    Reply,
    Target,
    Terms,
    Transition,
)
from everstep.service.machine.rejection import Rejected
from everstep.service.machine.rules import RULES, Rules
from everstep.service.machine.state import State, is_pending
from everstep.service.machine.upkeep import fire_timers

NOON = 1_790_000_000_000
EXECUTION_ID = "5f6d3c1e-5dc2-4b0b-8a39-0c6a1b8f2d11"
ARN = f"arn:aws:lambda:us-east-1:123456789012:function:orders:7/durable-execution/order-1/{EXECUTION_ID}"
CHILD_ARN = "arn:aws:lambda:us-east-1:123456789012:function:stock:1/durable-execution/c/child-1"
BOOM = ErrorObject(error_type="ValueError", error_message="boom")


def new_execution(terms: Terms | None = None, input_payload: str | None = '{"total": 3}') -> NewExecution:
    return NewExecution(
        id=EXECUTION_ID,
        arn=ARN,
        name="order-1",
        function="orders",
        version="7",
        input=input_payload,
        terms=terms or Terms(timeout_s=3600),
    )


def resolve(options: ChainedInvokeOptions) -> Target | ErrorObject:
    """`plain` and `stock:1` (durable) exist."""
    if options.function_name == "plain":
        return PlainTarget(function="plain", version="$LATEST")
    if options.function_name == "stock:1":
        return DurableTarget(function="stock", version="1", id="child-1", arn=CHILD_ARN, name="c", timeout_s=600)
    return ErrorObject(error_type="ResourceNotFoundException", error_message="Function not found: " + options.function_name)


class World:
    """The execution under test. now: the clock, in ms. history: all events. effects: those of the last transition."""

    def __init__(self, terms: Terms | None = None, *, input_payload: str | None = '{"total": 3}', rules: Rules = RULES) -> None:
        self.now = NOON
        self.rules = rules
        self.history: list[Event] = []
        self.invocations = 0
        started = start_execution(new_execution(terms, input_payload), self.now)
        self.state = State(started.execution, started.records)
        self.history += started.events
        self.effects = started.effects
        self.last_end = (0.0, 0)
        self.seen = dict[str, Operation]()

    @property
    def execution(self) -> Execution:
        return self.state.execution

    def status(self) -> str:
        """A method, because a type checker believes that an attribute stays what it was compared with."""
        return self.execution.status

    @property
    def token(self) -> str:
        token = self.state.token
        assert token is not None
        return token

    def apply(self, transition: Transition) -> Transition:
        """Record a transition, as the service does."""
        before, known = self.state.execution, dict(self.state.records)
        self.state.absorb(transition)
        self.history += transition.events
        self.effects = transition.effects
        check_step(before, known, transition)
        check_moves(known, transition, self.now)
        check_state(self.state)
        self._check_ends(transition)
        assert [event.event_id for event in self.history] == list(range(1, len(self.history) + 1))
        found = audit(self.execution, list(self.state.records.values()), self.history, self.now)
        assert [one for one in found if not one.is_warning] == []
        return transition

    def _check_ends(self, transition: Transition) -> None:
        """Sorted by (end, order), operations stand in the sequence in which their ends were recorded."""
        ends = [
            (record.operation.end_timestamp, record.order)
            for record in transition.records
            if record.operation.end_timestamp is not None and record.order > 0
        ]
        assert all(end > self.last_end for end in ends)
        self.last_end = max([self.last_end, *ends])

    def later(self, seconds: float) -> World:
        self.now += int(seconds * 1000)
        return self

    # The handler

    def begin(self) -> Begun:
        """Begin the invocation that is owed."""
        self.invocations += 1
        begun = begin_invocation(self.state, f"request-{self.invocations}", b"secret-%d" % self.invocations, self.now)
        assert begun is not None, "no invocation is owed"
        self.apply(begun.transition)
        self.seen = self.operations()
        return begun

    def send(self, *updates: OperationUpdate, token: str | None = None, client_token: str | None = None) -> Reply:
        """A checkpoint of the running handler."""
        transition, reply = checkpoint(self.state, token or self.token, updates, client_token, self.now, resolve=resolve, rules=self.rules)
        is_repeated = transition.execution is self.execution
        self.apply(transition)
        if not is_repeated:
            news = [operation for one, operation in self.operations().items() if self.seen.get(one) != operation]
            assert list(reply.operations) == news, "exactly what the handler does not know yet"
            self.seen = self.operations()
        return reply

    def refused(self, *updates: OperationUpdate, token: str | None = None) -> str:
        """The message with which a checkpoint is refused, which must leave everything as it was."""
        before, records = self.state.execution, dict(self.state.records)
        with pytest.raises(Rejected) as caught:
            self.send(*updates, token=token)
        assert self.state.execution is before
        assert self.state.records == records
        assert caught.value.code == "InvalidParameterValueException"
        return caught.value.message

    def request_id(self) -> str:
        invocation = self.execution.invocation
        assert invocation is not None, "no invocation runs"
        return invocation.request_id

    def answer(self, output: str | InvocationOutput) -> Transition:
        return self.apply(invocation_succeeded(self.state, self.request_id(), output, self.now, rules=self.rules))

    def suspend(self) -> Transition:
        return self.answer('{"Status": "PENDING"}')

    def succeed(self, result: str = '"done"') -> Transition:
        return self.answer(InvocationOutput(status="SUCCEEDED", result=result))

    def fail(self, error: ErrorObject = BOOM) -> Transition:
        return self.apply(invocation_failed(self.state, self.request_id(), error, self.now, jitter=1.0, rules=self.rules))

    def lose(self) -> Transition:
        return self.apply(invocation_lost(self.state, self.request_id(), self.now))

    # Everybody else

    def fire(self) -> Transition:
        """What the scheduler does when the execution is due."""
        return self.apply(fire_timers(self.state, self.now))

    def callback(self, operation_id: str, outcome: Outcome) -> Transition:
        return self.apply(complete_callback(self.state, self.callback_id(operation_id), outcome, self.now))

    def heartbeat(self, operation_id: str) -> Transition:
        return self.apply(heartbeat_callback(self.state, self.callback_id(operation_id), self.now))

    def callback_id(self, operation_id: str) -> str:
        details = self.operation(operation_id).callback_details
        assert details is not None
        assert details.callback_id is not None
        return details.callback_id

    def called(self, operation_id: str, outcome: Outcome) -> Transition:
        return self.apply(complete_chained_invoke(self.state, operation_id, outcome, self.now))

    # What can be seen

    def operations(self) -> dict[str, Operation]:
        """All of them, in the order of their beginning."""
        return {one: record.operation for one, record in self.state.records.items()}

    def operation(self, operation_id: str) -> Operation:
        return self.state.records[operation_id].operation

    def events(self) -> list[str]:
        """The types of the history's events."""
        return [event.type for event in self.history]

    def rendered(self, kind: str) -> dict[str, object]:
        """The details of the last event of this type, as the history shows them."""
        event = next(event for event in reversed(self.history) if event.type == kind)
        return convert(render_event(event, self.execution, self.record_of(event))[f"{kind}Details"], dict[str, object])

    def record_of(self, event: Event) -> Record | None:
        return None if event.order is None else self.state.at(event.order)

    def is_invoked(self) -> bool:
        """Whether the last transition asks for an invocation."""
        return any(isinstance(effect, InvokeHandler) for effect in self.effects)

    def effect(self, kind: type[Effect]) -> Effect:
        (found,) = [effect for effect in self.effects if isinstance(effect, kind)]
        return found


def running(terms: Terms | None = None, *, rules: Rules = RULES) -> World:
    """An execution whose first invocation runs."""
    world = World(terms, rules=rules)
    world.begin()
    return world


def rejection(call: Callable[[], object]) -> tuple[str, str]:
    """(code, message) with which the call is refused."""
    with pytest.raises(Rejected) as caught:
        call()
    return caught.value.code, caught.value.message


def check_step(before: Execution, known: dict[str, Record], transition: Transition) -> None:
    """What must hold of any single transition."""
    after = transition.execution
    if after is before:
        assert not transition.records
        assert not transition.events
        return
    assert after.revision == before.revision + 1
    for record in transition.records:
        old = known.get(record.operation.id)
        if old is not None:
            assert record.order == old.order
            assert record.operation.start_timestamp == old.operation.start_timestamp
            assert (record.revision == after.revision) == (record.operation != old.operation)
            assert old.operation.status not in TERMINAL, "a finished operation never changes"
        assert (record.operation.end_timestamp is not None) == (record.operation.status in TERMINAL)
    if before.status not in OPEN:
        assert after.status in (before.status, "DELETING")
        assert not transition.records
        assert {event.type for event in transition.events} <= {"InvocationCompleted"}
    assert before.invocation is None or after.invocation is None or before.invocation.number == after.invocation.number


def check_moves(known: dict[str, Record], transition: Transition, now: int) -> None:
    """Every change is a legal move, and nothing that waits for a time is moved before it."""
    for record in transition.records:
        old, new = known.get(record.operation.id), record.operation
        if old is None or old.operation.status == new.status:
            continue
        if new.type == "EXECUTION":
            assert new.status == transition.execution.status
            continue
        by_handler = {after for (kind, status, _), after in MOVES.items() if (kind, status) == (new.type, old.operation.status)}
        assert new.status in by_handler | SERVICE_MOVES.get((new.type, old.operation.status), frozenset())
        if (new.type, new.status) in {("WAIT", "SUCCEEDED"), ("STEP", "READY"), ("CALLBACK", "TIMED_OUT")}:
            assert old.due_at is not None
            assert old.due_at <= now


def check_state(state: State) -> None:
    """What the state keeps at hand is what can be found by looking at everything, also after a restart."""
    execution = state.execution
    records = list(state.records.values())
    assert [record.order for record in records] == list(range(execution.operations))
    assert [state.at(record.order) for record in records] == records
    assert state.pending == sum(map(is_pending, records))
    assert state.unseen == {record.operation.id for record in records if record.revision > execution.seen}
    timers = [(record.due_at, record.order, record) for record in records if record.due_at is not None]
    assert state.due(2**60) == [record for _, _, record in sorted(timers, key=lambda timer: timer[:2])]
    assert execution.due_at == expected_due_at(execution, records)
    assert msgpack.decode(msgpack.encode(execution), type=Execution) == execution
    if execution.invocation is None and execution.status in OPEN and state.unseen:
        assert execution.invoke_at is not None, "what the handler has not seen calls for an invocation"
    restarted = State(execution, records)
    assert (restarted.unseen, restarted.pending, restarted.token) == (state.unseen, state.pending, state.token)


def expected_due_at(execution: Execution, records: Sequence[Record]) -> int | None:
    if execution.status not in OPEN:
        assert execution.ended_at is not None
        if execution.deletion_requested_at:
            return execution.deletion_requested_at
        return execution.ended_at if execution.owes_parent else execution.ended_at + execution.terms.retention_days * DAY_MS
    candidates = [execution.times_out_at]
    if execution.invocation is not None:
        candidates.append(execution.invocation.expires_at)
    else:
        candidates += [record.due_at for record in records]
        if execution.status == "RUNNING":
            candidates.append(execution.invoke_at)
    return min((at for at in candidates if at is not None), default=None)
