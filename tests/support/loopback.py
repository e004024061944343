"""One execution in the test kit's world, with the machine's own state and events to look at.

Rule: for tests of the engine itself. Whoever tests a handler uses `everstep.testing`, which this stands on.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime
from itertools import count
from typing import Final, Literal, Never, Protocol, TypeAlias

from everstep.client.api import Checkpointed, DurableClient, StatePage
from everstep.client.function import DurableFunction, Invocation
from everstep.protocol.shapes import ErrorObject, InvocationOutput, Operation, OperationUpdate
from everstep.service.functions import Durable, Functions
from everstep.service.machine.fork import Fork, fork_execution
from everstep.service.machine.model import Event, NewExecution, Outcome, Terms
from everstep.service.machine.rules import RULES
from everstep.service.machine.state import State
from everstep.testing.answers import Answer
from everstep.testing.faults import Crash
from everstep.testing.virtual import JumpingClock
from everstep.testing.world import Place, World

EPOCH_MS: Final = 1_700_000_000_000
TIMEOUT_S: Final = 31_622_400
Fault: TypeAlias = Literal["lost request", "lost answer", "lost output"]
Faults: TypeAlias = Mapping[int, Fault]
"""What goes wrong at the n-th call (from 1, over all invocations); the process dies with it. -n: the output of the n-th invocation."""


class AnyHandler(DurableFunction[Never, object], Protocol):
    """A DurableHandler of whatever input and output."""

    clock: Callable[[], float]


@dataclass
class Run:
    """What came of an execution. outputs: of each invocation, None if it had none."""

    place: Place
    outputs: list[InvocationOutput | None] = field(default_factory=list["InvocationOutput | None"])

    @property
    def state(self) -> State:
        return self.place.state

    @property
    def events(self) -> list[Event]:
        return self.place.events

    @property
    def calls(self) -> int:
        return len(self.place.sent)

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
    """One execution of `handler`, driven to its end. A subclass may stand in the way of its calls.

    warm: whether parked executions are continued; else every resume replays.
    """

    def __init__(self, handler: AnyHandler, text: str = "{}", *, faults: Faults | None = None, warm: bool = True) -> None:
        self._handler = handler
        self._clock = JumpingClock(datetime.fromtimestamp(EPOCH_MS / 1000, UTC))
        numbers = count(1)
        self._forks = 0
        functions = Functions(account="123456789012", region="us-east-1", new_id=lambda: f"id-{next(numbers)}")
        outputs: list[InvocationOutput | None] = []
        functions.add(Durable("f", _Noting(handler, outputs), TIMEOUT_S, 14, None))
        self._world = _World(self, self._clock, functions, warm=warm)
        new = NewExecution(
            id="execution-1",
            arn="arn:aws:lambda:us-east-1:123456789012:function:f:1/durable-execution/name/execution-1",
            name="name",
            function="f",
            version="1",
            terms=Terms(timeout_s=TIMEOUT_S),
            input=text,
        )
        crashes = [_crash(at, fault) for at, fault in (faults or {}).items()]
        self._run = Run(self._world.start(new, crashes), outputs)
        self._client = self._world.real_client_of(self._run.place)
        self.answer: Callable[[Operation], tuple[float, Outcome] | None] = lambda _: None
        """What the outside does about a new callback: (after how many seconds, what), or nothing."""

    @property
    def recorded(self) -> Run:
        """What came of it so far."""
        return self._run

    def fork(self, source: Run, operation: str, result: str | None = None) -> Run:
        """Go on with a fork of the execution from now on. See machine/fork.py."""
        self._forks += 1
        fork = Fork(id=f"fork-{self._forks}", operation=operation, secret=b"loopback", result=result)
        transition = fork_execution(fork, source.state, source.events, self._clock.now_ms())
        self._run = Run(self._world.begin(transition), self._run.outputs)
        self._client = self._world.real_client_of(self._run.place)
        return self._run

    @property
    def seconds(self) -> float:
        """The virtual time that has passed."""
        return self._clock.now() - EPOCH_MS / 1000

    async def run(self) -> Run:
        """Until the execution is closed."""
        self._handler.clock = self._clock.now
        self._handler.drop_parked()
        self._clock.run_on(asyncio.get_running_loop())
        try:
            await self._world.drive(lambda: not self._run.place.is_open)
        finally:
            self._clock.stop()
        self._handler.drop_parked()
        return self._run

    async def replay(self) -> InvocationOutput:
        """Run the handler once more over what is recorded."""
        return await replay(self._handler, self._run)

    # -- the handler's client --------------------------------------------------

    async def checkpoint(self, arn: str, token: str, updates: Sequence[OperationUpdate], client_token: str) -> Checkpointed:
        return await self._client.checkpoint(arn, token, updates, client_token)

    async def get_state(self, arn: str, token: str, marker: str, max_items: int = 1000) -> StatePage:
        return await self._client.get_state(arn, token, marker, max_items)


class _World(World):
    """Its handler's calls, and its callbacks, go by the loopback."""

    def __init__(self, loopback: Loopback, clock: JumpingClock, functions: Functions, *, warm: bool) -> None:
        super().__init__(clock, functions, {}, rules=RULES, is_warm=warm)
        self._loopback = loopback

    def client_of(self, place: Place) -> DurableClient:
        return self._loopback

    def real_client_of(self, place: Place) -> DurableClient:
        return super().client_of(place)

    def answer_to(self, callback: Operation) -> Answer | None:
        answer = self._loopback.answer(callback)
        return None if answer is None else Answer(answer[1], answer[0])


class _Noting:
    """A handler whose outputs are noted."""

    def __init__(self, handler: AnyHandler, outputs: list[InvocationOutput | None]) -> None:
        self._handler, self._outputs = handler, outputs
        self.name = handler.name
        self.encode_input, self.decode_output, self.drop_parked = handler.encode_input, handler.decode_output, handler.drop_parked

    async def invoke(self, invocation: Invocation, client: DurableClient, /) -> InvocationOutput:
        self._outputs.append(None)
        output = self._outputs[-1] = await self._handler.invoke(invocation, client)
        return output


def _crash(at: int, fault: Fault) -> Crash:
    match fault:
        case "lost request":
            return Crash(at)
        case "lost answer":
            return Crash(at, "after")
        case "lost output":
            return Crash(-at, "output")


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


__all__ = ["AnyHandler", "Fault", "Faults", "Loopback", "Run", "replay"]
