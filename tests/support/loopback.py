"""Handler and service machine together, without sockets, stores or real time; and crashes at any point.

Rule: the service is the real machine, and the handler's side the real engine. What is faked is the edge between them:
the clock is the loop's virtual one, and a call can be lost before it arrives, or its answer after.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Literal, Never, Protocol, TypeAlias

from everstep.client.api import Checkpointed, StatePage
from everstep.client.function import DurableFunction, Invocation
from everstep.errors import ServiceError
from everstep.failures import describe
from everstep.protocol.shapes import ErrorObject, InvocationOutput, Operation, OperationUpdate
from everstep.service.machine.callback import complete_callback
from everstep.service.machine.checkpoint import checkpoint
from everstep.service.machine.execution import start_execution
from everstep.service.machine.invocation import begin_invocation, invocation_failed, invocation_lost, invocation_succeeded
from everstep.service.machine.model import Event, NewExecution, Outcome, Terms, Transition
from everstep.service.machine.rejection import Rejected
from everstep.service.machine.state import State
from everstep.service.machine.upkeep import fire_timers

EPOCH_MS = 1_700_000_000_000
Fault: TypeAlias = Literal["lost request", "lost answer", "lost output"]
Faults: TypeAlias = Mapping[int, Fault]
"""What goes wrong at the n-th call (from 1, over all invocations); the process dies with it. "lost output" counts invocations."""


class Crash(BaseException):
    """The process of the handler dies."""


class AnyHandler(DurableFunction[Never, object], Protocol):
    """A DurableHandler of whatever input and output."""

    clock: Callable[[], float]


@dataclass
class Run:
    """What came of an execution."""

    state: State
    events: list[Event]
    outputs: list[InvocationOutput | None] = field(default_factory=list["InvocationOutput | None"])
    calls: int = 0
    ids: list[str] = field(default_factory=list[str])

    @property
    def status(self) -> str:
        return self.state.execution.status

    @property
    def result(self) -> str | None:
        return self.state.execution.result

    @property
    def error(self) -> ErrorObject | None:
        return self.state.execution.error


class Loopback:
    """One execution of `handler`, driven to its end.

    warm: whether parked executions are continued; else every resume replays.
    """

    def __init__(self, handler: AnyHandler, text: str = "{}", *, faults: Faults | None = None, warm: bool = True) -> None:
        self._handler = handler
        self._faults = dict(faults or {})
        self._warm = warm
        new = NewExecution(
            id="execution-1",
            arn="arn:aws:lambda:us-east-1:123456789012:function:f:1/durable-execution/name/execution-1",
            name="name",
            function="f",
            version="1",
            terms=Terms(timeout_s=31_622_400),
            input=text,
        )
        started = start_execution(new, EPOCH_MS)
        self._run = Run(State(started.execution, started.records), list(started.events))
        self._answered: set[str] = set()
        self._changed: asyncio.Event
        self._loop: asyncio.AbstractEventLoop
        self.answer: Callable[[Operation], tuple[float, Outcome] | None] = lambda _: None
        """What the outside does about a new callback: (after how many seconds, what), or nothing."""

    @property
    def recorded(self) -> Run:
        """What came of it so far."""
        return self._run

    async def run(self, *, most_invocations: int = 500) -> Run:
        """Until the execution is closed."""
        run, state = self._run, self._run.state
        self._changed = asyncio.Event()
        self._loop = asyncio.get_running_loop()
        self._handler.clock = lambda: self._now() / 1000
        self._handler.drop_parked()
        while state.execution.status == "RUNNING":
            begun = begin_invocation(state, f"request-{len(run.outputs)}", b"secret", self._now())
            if begun is None:
                await self._sleep()
                continue
            self._absorb(begun.transition)
            assert len(run.outputs) < most_invocations, "the execution does not come to an end"
            await self._invoke(begun.token, begun.updated, begun.invocation.request_id)
        self._handler.drop_parked()
        return run

    async def replay(self) -> InvocationOutput:
        """Run the handler once more over what is recorded."""
        return await replay(self._handler, self._run)

    # -- the service's side ----------------------------------------------------

    def _now(self) -> int:
        return EPOCH_MS + round(self._loop.time() * 1000)

    def _absorb(self, transition: Transition) -> None:
        self._run.state.absorb(transition)
        self._run.events.extend(transition.events)
        for record in transition.records:
            operation = record.operation
            if operation.type == "CALLBACK" and operation.id not in self._answered:
                self._answered.add(operation.id)
                answer = self.answer(operation)
                if answer is not None:
                    asyncio.get_running_loop().call_later(answer[0], self._complete, operation, answer[1])
        self._changed.set()

    def _complete(self, operation: Operation, outcome: Outcome) -> None:
        assert operation.callback_details is not None
        try:
            callback_id = operation.callback_details.callback_id or ""
            self._absorb(complete_callback(self._run.state, callback_id, outcome, self._now()))
        except Rejected:
            pass  # timed out or closed meanwhile

    async def _sleep(self) -> None:
        state = self._run.state
        self._changed.clear()
        due = state.execution.due_at
        try:
            async with asyncio.timeout(None if due is None else max(0, due - self._now()) / 1000):
                await self._changed.wait()
        except TimeoutError:
            self._absorb(fire_timers(state, self._now()))

    async def _invoke(self, token: str, updated: Sequence[str], request_id: str) -> None:
        run, state = self._run, self._run.state
        operations = {record.operation.id: record.operation for record in state.records.values()}
        invocation = Invocation(
            arn=state.execution.arn, checkpoint_token=token, request_id=request_id, operations=operations, updated_operation_ids=updated
        )
        try:
            output = await self._handler.invoke(invocation, self)
            if self._faults.get(-len(run.outputs) - 1) == "lost output":
                raise Crash
        except Crash:
            run.outputs.append(None)
            self._handler.drop_parked()
            self._absorb(invocation_lost(state, request_id, self._now()))
            return
        except ServiceError as error:
            run.outputs.append(None)
            self._absorb(invocation_failed(state, request_id, describe(error), self._now(), jitter=0.5))
            return
        run.outputs.append(output)
        if not self._warm:
            self._handler.drop_parked()
        self._absorb(invocation_succeeded(state, request_id, output, self._now()))

    # -- the handler's client --------------------------------------------------

    async def checkpoint(self, arn: str, token: str, updates: Sequence[OperationUpdate], client_token: str) -> Checkpointed:
        del arn
        self._run.calls += 1
        fault = self._faults.get(self._run.calls)
        if fault == "lost request":
            raise Crash
        try:
            transition, reply = checkpoint(self._run.state, token, updates, client_token, self._now(), resolve=_no_functions)
        except Rejected as rejected:
            raise ServiceError(rejected.message, code=rejected.code, status=400) from rejected
        self._absorb(transition)
        if fault == "lost answer":
            raise Crash
        return Checkpointed(token=reply.token, operations=reply.operations)

    async def get_state(self, arn: str, token: str, marker: str, max_items: int = 1000) -> StatePage:
        raise NotImplementedError


async def replay(handler: AnyHandler, run: Run) -> InvocationOutput:
    """Run a handler over what is recorded, with a client that takes nothing more."""
    handler.drop_parked()
    operations = {record.operation.id: record.operation for record in run.state.records.values()}
    invocation = Invocation(arn=run.state.execution.arn, checkpoint_token="none", request_id="replay", operations=operations)
    return await handler.invoke(invocation, _Refusing())


class _Refusing:
    """A service for replays: nothing may be sent."""

    async def checkpoint(self, arn: str, token: str, updates: Sequence[OperationUpdate], client_token: str) -> Checkpointed:
        raise AssertionError(f"a replay of a finished execution sent {updates}")

    async def get_state(self, arn: str, token: str, marker: str, max_items: int = 1000) -> StatePage:
        raise NotImplementedError


def _no_functions(options: object) -> ErrorObject:
    return ErrorObject(error_type="ResourceNotFoundException", error_message=f"Function not found: {options}")


__all__ = ["AnyHandler", "Crash", "Fault", "Faults", "Loopback", "Run", "replay"]
