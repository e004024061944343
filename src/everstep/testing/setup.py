"""What runners share: registered functions and answers to callbacks, from which each execution gets a world of its own.

Rule: executions don't know of each other. Each begins at the same virtual moment, with the same ids, and its handlers keep
nothing in memory that another execution's could meet.
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Coroutine, Sequence
from datetime import UTC, datetime
from itertools import count
from typing import Final, Generic, Never, TypeAlias, TypeVar, cast

from msgspec.structs import replace

from everstep.context import DurableContext
from everstep.durations import Duration
from everstep.errors import UsageError
from everstep.handler import DurableHandler
from everstep.histories.recording import Recording
from everstep.histories.verification import verify
from everstep.protocol.limits import EXECUTION_NAME_PATTERN, MAX_EXECUTION_TIMEOUT_S, MAX_RESULT_SYNC
from everstep.protocol.shapes import ErrorObject, Operation, OperationUpdate
from everstep.service.functions import AnyDurable, Durable, Functions, Plain
from everstep.service.machine.execution import stop_execution
from everstep.service.machine.history import render_event
from everstep.service.machine.rules import Rules
from everstep.service.registration import DEFAULT_INVOCATION_TIMEOUT_S, entry_of
from everstep.synchronous import SyncContext
from everstep.testing.answers import Answer, OpenCallback, name_of, unanswered
from everstep.testing.faults import Fault
from everstep.testing.records import JsonObject, RecordedExecution
from everstep.testing.virtual import JumpingClock
from everstep.testing.world import Place, World

In = TypeVar("In")
Out = TypeVar("Out")

BEGINNING: Final = datetime(2026, 3, 2, 9, 0, tzinfo=UTC)
"""When virtual time begins: a Monday morning."""
ACCOUNT: Final = "123456789012"
REGION: Final = "us-east-1"
DEFAULT_NAME: Final = "test"

Handler: TypeAlias = (
    DurableHandler[In, Out] | Callable[[In, DurableContext], Coroutine[object, object, Out]] | Callable[[In, SyncContext], Out]
)
"""A durable handler, or a function that `@durable` would make one."""
Invokable: TypeAlias = AnyDurable | Callable[[Never], Awaitable[object]]
"""What a handler may invoke: a durable handler, or a plain `async def function(event)`."""


class Nondeterministic(AssertionError):
    """A replay of an execution under test came to something else than its first run."""


class Setup:
    """begin: when virtual time begins. is_warm: suspended executions stay in memory and continue; else each resume replays.

    checks_replay: replay each execution that has ended once more; Nondeterministic is raised if that comes to something else.
    """

    def __init__(self, *, begin: datetime, is_warm: bool, checks_replay: bool, rules: Rules) -> None:
        if begin.tzinfo is None:
            raise UsageError(f"begin is {begin}, without a time zone: say datetime(…, tzinfo=UTC)")
        self._begin, self._is_warm, self.checks_replay, self._rules = begin, is_warm, checks_replay, rules
        self._entries: dict[str, Durable | Plain] = {}
        self._last: Durable | None = None
        self.answers: dict[str, Answer] = {}

    def register(
        self,
        function: Invokable,
        *,
        name: str | None = None,
        execution_timeout: Duration = MAX_EXECUTION_TIMEOUT_S,
        invocation_timeout: Duration | None = DEFAULT_INVOCATION_TIMEOUT_S,
    ) -> None:
        """Let handlers invoke it by its name. Raises UsageError."""
        entry = entry_of(function, name=name, execution_timeout=execution_timeout, invocation_timeout=invocation_timeout)
        self._entries[entry.name] = entry

    def begin(self, handler: Handler[In, Out], event: In, *, name: str | None, faults: Sequence[Fault]) -> Trial[Out]:
        """A new execution, which has not run yet. Raises UsageError."""
        if name is not None and not EXECUTION_NAME_PATTERN.fullmatch(name):
            raise UsageError(f"{name!r} cannot name an execution: 1 to 64 letters, digits, - and _")
        durable = cast("DurableHandler[In, Out]", handler) if isinstance(handler, DurableHandler) else DurableHandler[In, Out](handler)
        clock = JumpingClock(self._begin)
        numbers = count(1)
        functions = Functions(account=ACCOUNT, region=REGION, new_id=lambda: f"execution-{next(numbers)}")
        for entry in self._entries.values():
            functions.add(_apart(entry, clock.now))
        mine = functions.durable(self._name_of(durable) or "")
        if mine is None:
            mine = cast("Durable", _apart(self._entry_of(durable), clock.now))
            functions.add(mine)
        world = World(clock, functions, self.answers, rules=self._rules, is_warm=self._is_warm)
        new = functions.new_execution(mine, name=name or DEFAULT_NAME, payload=durable.encode_input(event), result_limit=MAX_RESULT_SYNC)
        return Trial(self, world, world.start(new, faults), cast("DurableHandler[Never, Out]", mine.function), clock)

    def _name_of(self, handler: object) -> str | None:
        """The name under which a handler is registered."""
        return next((name for name, entry in self._entries.items() if isinstance(entry, Durable) and entry.function is handler), None)

    def _entry_of(self, handler: AnyDurable) -> Durable | Plain:
        """The entry of a handler that is not registered, made once for the same one again and again."""
        if self._last is None or self._last.function is not handler:
            self._last = cast("Durable", entry_of(handler))
        return self._last


def _apart(entry: Durable | Plain, clock: Callable[[], float]) -> Durable | Plain:
    if isinstance(entry, Durable) and isinstance(entry.function, DurableHandler):
        return replace(entry, function=entry.function.apart(clock))
    return entry


class Trial(Generic[Out]):
    """One execution under test, as both kinds of runners drive it."""

    def __init__(self, setup: Setup, world: World, place: Place, handler: DurableHandler[Never, Out], clock: JumpingClock) -> None:
        self._setup, self._world, self._place, self._handler, self._clock = setup, world, place, handler, clock

    def __del__(self) -> None:
        self._world.drop_parked()  # nobody will go on with it

    async def until_callback(self, name: str | None) -> OpenCallback:
        """Go on until this callback (None: any) waits for an answer. Raises LookupError if it never does."""
        await self._drive(lambda: bool(self._waiting(name)))
        waiting = self._waiting(name)
        if not waiting:
            what = "a callback" if name is None else f"the callback {name!r}"
            raise LookupError(f"the execution never waited for {what}:\n{self.record().tree()}")
        return self._open_callback(waiting[0])

    async def advance(self, seconds: float) -> None:
        """Go on for so long, in virtual time."""
        await self._drive(lambda: False, until_ms=self._clock.now_ms() + round(seconds * 1000))

    async def settle(self) -> None:
        """Go on until nothing more happens without time passing."""
        await self._drive(lambda: True)

    @property
    def sent(self) -> Sequence[Sequence[OperationUpdate]]:
        """What each checkpoint so far was to record."""
        return self._place.sent

    async def finish(self, *, checks_replay: bool = True) -> RecordedExecution[Out]:
        """Go on to the end. Raises UsageError if that will not come by itself, Nondeterministic."""
        await self._drive(lambda: not self._place.is_open or self._is_stuck())
        if self._place.is_open:
            raise unanswered([name_of(callback) for callback in self._place.open_callbacks()], self._setup.answers)
        self._world.drop_parked()
        record = self.record()
        if checks_replay and self._setup.checks_replay and record.status in ("SUCCEEDED", "FAILED"):
            await self._check_replay(record)
        return record

    def stop(self, error: ErrorObject | None) -> None:
        self._world.apply(self._place, lambda state, now: stop_execution(state, error, now))

    def record(self) -> RecordedExecution[Out]:
        """What is recorded so far."""
        execution = self._place.state.execution
        texts = self._handler.texts(execution.arn)
        operations = [record.operation for record in self._place.state.records.values()]
        return RecordedExecution(
            arn=execution.arn,
            name=execution.name,
            status=execution.status,
            started_at_ms=execution.started_at,
            ended_at_ms=execution.ended_at,
            input=execution.input,
            text=execution.result,
            error=execution.error,
            operations=operations,
            events=self._events,
            decode=self._handler.decode_output,
            read=texts.read,
            invocations=self._place.invocations,
            checkpoints=len(self._place.sent),
        )

    # -- inside ----------------------------------------------------------------

    async def _drive(self, is_reached: Callable[[], bool], *, until_ms: int | None = None) -> None:
        self._clock.run_on(asyncio.get_running_loop())
        try:
            await self._world.drive(is_reached, until_ms=until_ms)
        except BaseExceptionGroup as group:  # of one error, from one invocation
            raise group.exceptions[0] from None
        finally:
            self._clock.stop()

    def _waiting(self, name: str | None) -> list[Operation]:
        return [callback for callback in self._place.open_callbacks() if name in (None, name_of(callback))]

    def _open_callback(self, callback: Operation) -> OpenCallback:
        world, place = self._world, self._place
        details = callback.callback_details
        assert details is not None
        assert details.callback_id is not None
        callback_id = details.callback_id
        return OpenCallback(
            callback_id,
            name_of(callback),
            lambda outcome: world.complete(place, callback_id, outcome),
            lambda: world.heartbeat(place, callback_id),
        )

    def _is_stuck(self) -> bool:
        """Whether nothing but the execution's timeout will end a wait for callbacks that nobody answers."""
        callbacks = self._place.open_callbacks()
        if not callbacks or self._world.next_due() != self._place.state.execution.times_out_at:
            return False
        return all(name_of(callback) not in self._setup.answers for callback in callbacks)

    def _events(self) -> Sequence[JsonObject]:
        state = self._place.state
        return [
            render_event(event, state.execution, None if event.order is None else state.at(event.order)) for event in self._place.events
        ]

    async def _check_replay(self, record: RecordedExecution[Out]) -> None:
        recording = Recording(
            source=record.name,
            arn=record.arn,
            name=record.name,
            status=record.status,
            operations=record.recorded,
            input=record.input,
            result=record.text,
            error=record.error,
        )
        verdict = await verify(cast("DurableHandler[object, object]", self._handler), recording)
        divergence = verdict.divergence
        if divergence is None and not verdict.remarks:
            return
        if divergence is not None:
            at = f" at {divergence.where}" if divergence.where else ""
            said = f"recorded is {divergence.recorded or record.status}, and the replay asked for {divergence.asked}{at}"
        else:
            said = "; ".join(verdict.remarks)
        raise Nondeterministic(
            f"a replay of the finished execution came to something else: {said}. The handler depends on something that is not "
            "recorded (the time, chance, a global, the order of a set): take it from ctx, or put it in a step.\n" + record.tree()
        )
