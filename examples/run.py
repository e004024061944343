"""Runs an example: embedded, in memory, and without sitting out its waits.

    python -m examples.wait.basic               hours and days pass in no time
    python -m examples.wait.basic --history     the same, and what was recorded of it
    python -m examples.wait.basic --real-time   they last as long as they last

Whoever answers a callback is played, too: an example tells them its id, and says what they will answer, and when.
"""

from __future__ import annotations

import asyncio
import math
import selectors
import sys
import time
from collections.abc import Awaitable, Callable, Mapping, Sequence
from concurrent.futures import Executor
from contextlib import suppress
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Generic, Never, TypeAlias, TypeVar, TypeVarTuple, Unpack

from everstep import DurableHandler, ExecutionFailed, Service, ServiceError
from everstep.client.function import DurableFunction

In = TypeVar("In")
Out = TypeVar("Out")
T = TypeVar("T")
Ts = TypeVarTuple("Ts")
Function: TypeAlias = DurableFunction[Never, object] | Callable[[Never], Awaitable[object]]
"""What an example may invoke besides its own handler."""

BEGINNING = datetime(2026, 3, 2, 9, 0, tzinfo=UTC)
"""Virtual time begins on a Monday morning."""
MOST_SHOWN = 1_000
"""Characters of a result."""


@dataclass(frozen=True)
class Answer:
    """What somebody does about a callback that they were told of.

    value: what they send; error: what they report instead. after: how long they take. heartbeat_every: how often they show
    meanwhile that they are at it.
    """

    value: object = None
    error: Exception | None = None
    after: timedelta = timedelta()
    heartbeat_every: timedelta | None = None


@dataclass(frozen=True)
class Played(Generic[Out]):
    """How an execution went. failure: None if it succeeded. took: from its start to its end, by the service's clock."""

    result: Out | None
    failure: ExecutionFailed | None
    history: Sequence[Mapping[str, object]]
    took: timedelta

    @property
    def operations(self) -> list[str]:
        """Kind and name of each, "Step reserve", in the order in which they began."""
        return [line for _, line in self.timed_operations]

    @property
    def timed_operations(self) -> list[tuple[timedelta, str]]:
        """The same, with how long after the start they began."""
        known: dict[object, tuple[timedelta, str]] = {}
        for event in self.history:
            if "SubType" in event and event["Id"] not in known:
                line = " ".join(str(event[member]) for member in ("SubType", "Name") if member in event)
                known[event["Id"]] = _between(self.history[0], event), line
        return list(known.values())


def run(
    handler: DurableHandler[In, Out], event: In, *, answers: Mapping[str, Answer] | None = None, functions: Sequence[Function] = ()
) -> None:
    """Run the handler and print what came of it. answers: by who gives them. functions: what it may invoke."""
    if "--real-time" in sys.argv:
        played = asyncio.run(_play(handler, event, answers or {}, functions, None))
    else:
        played = play(handler, event, answers=answers, functions=functions)
    if "--history" in sys.argv:
        for after, operation in played.timed_operations:
            print(f"{_roughly(after)!s:>20}  {operation}")
    failure = played.failure
    outcome = str(played.result) if failure is None else f"{failure.status}: {failure.error_type}: {failure.message}"
    print(outcome if len(outcome) <= MOST_SHOWN else f"{outcome[:MOST_SHOWN]}… ({len(outcome):,} characters)")
    print(f"(after {_roughly(played.took)})")


def play(
    handler: DurableHandler[In, Out], event: In, *, answers: Mapping[str, Answer] | None = None, functions: Sequence[Function] = ()
) -> Played[Out]:
    """Run the handler to the end of its execution, in virtual time."""
    with asyncio.Runner(loop_factory=VirtualLoop) as runner:
        return runner.run(_play(handler, event, answers or {}, functions, LoopClock(runner.get_loop())))


async def tell(whom: str, callback_id: str) -> None:
    """Let somebody know that a callback waits for them. A real program sends a mail or a request with the id in it."""
    _world.tell(whom, callback_id)


# -- the world around the handler ----------------------------------------------


class World:
    """Those who answer callbacks."""

    def __init__(self, service: Service, answers: Mapping[str, Answer], group: asyncio.TaskGroup) -> None:
        self._service, self._answers, self._group = service, answers, group
        self._busy: list[asyncio.Task[None]] = []

    def tell(self, whom: str, callback_id: str) -> None:
        answer = self._answers.get(whom)
        if answer is not None:
            self._busy.append(self._group.create_task(self._act(callback_id, answer), name=f"{whom} answers"))

    def end(self) -> None:
        for task in self._busy:
            task.cancel()

    async def _act(self, callback_id: str, answer: Answer) -> None:
        left = answer.after
        with suppress(ServiceError):  # they are late: nobody waits for them any more
            while answer.heartbeat_every is not None and left > answer.heartbeat_every:
                await asyncio.sleep(answer.heartbeat_every.total_seconds())
                await self._service.heartbeat_callback(callback_id)
                left -= answer.heartbeat_every
            await asyncio.sleep(left.total_seconds())
            if answer.error is not None:
                await self._service.fail_callback(callback_id, answer.error)
            else:
                await self._service.succeed_callback(callback_id, answer.value)


_world: World


async def _play(
    handler: DurableHandler[In, Out], event: In, answers: Mapping[str, Answer], functions: Sequence[Function], clock: LoopClock | None
) -> Played[Out]:
    """clock: None for the machine's."""
    global _world  # noqa: PLW0603  # there is one at a time, and steps have no other way to it
    result: Out | None = None
    failure: ExecutionFailed | None = None
    async with Service("memory://", clock=clock) as service, asyncio.TaskGroup() as group:
        _world = World(service, answers, group)
        service.register(handler)
        for function in functions:
            service.register(function)
        for durable in (handler, *functions):
            if isinstance(durable, DurableHandler):
                durable.clock = time.time if clock is None else clock.now
        execution = await service.start(handler, event)
        try:
            result = await execution.result()
        except ExecutionFailed as error:
            failure = error
        history = await service.history(execution.arn)
        _world.end()
    return Played(result, failure, history, _between(history[0], history[-1]))


def _between(earlier: Mapping[str, object], later: Mapping[str, object]) -> timedelta:
    """The time from one event of a history to another."""
    first, last = earlier["EventTimestamp"], later["EventTimestamp"]
    assert isinstance(first, int)
    assert isinstance(last, int)
    return timedelta(milliseconds=last - first)


def _roughly(time: timedelta) -> timedelta:
    return timedelta(seconds=round(time.total_seconds()))


# -- virtual time --------------------------------------------------------------


class LoopClock:
    """The service's clock by the time of an event loop: the host's, for handler code runs on one of its own."""

    def __init__(self, loop: asyncio.AbstractEventLoop) -> None:
        self._loop = loop

    def now(self) -> float:
        return BEGINNING.timestamp() + self._loop.time()

    def now_ms(self) -> int:
        return round(self.now() * 1000)

    async def sleep_until(self, at_ms: int) -> None:
        while (left_ms := at_ms - self.now_ms()) > 0:  # noqa: ASYNC110  # a rounded sleep may end a little early
            await asyncio.sleep(left_ms / 1000)


class VirtualLoop(asyncio.SelectorEventLoop):
    """Its time begins at 0, and jumps: when nothing is ready it is at once as late as the next timer.

    While a thread works, time passes as it really does.
    """

    def __init__(self) -> None:
        self._jumping = _JumpingSelector()
        super().__init__(self._jumping)

    def time(self) -> float:
        return self._jumping.now

    def run_in_executor(self, executor: Executor | None, func: Callable[[Unpack[Ts]], T], *args: *Ts) -> asyncio.Future[T]:
        self._jumping.threads += 1
        future = super().run_in_executor(executor, func, *args)
        future.add_done_callback(self._thread_ended)
        return future

    def _thread_ended(self, _: object) -> None:
        self._jumping.threads -= 1

    async def shutdown_default_executor(self, timeout: float | None = None) -> None:  # noqa: ASYNC109  # asyncio's own argument
        await super().shutdown_default_executor()  # without a limit, which would be over at once


class _JumpingSelector(selectors.SelectSelector):
    def __init__(self) -> None:
        super().__init__()
        self.now = 0.0
        self.threads = 0

    def select(self, timeout: float | None = None) -> list[tuple[selectors.SelectorKey, int]]:
        if timeout is None or timeout <= 0:
            return super().select(timeout)
        if self.threads:
            began = time.monotonic()
            ready = super().select(timeout)
            self.now += min(timeout, time.monotonic() - began)
            return ready
        ready = super().select(0)
        if not ready:
            self.now = math.nextafter(self.now + timeout, math.inf)  # after some months a sum may fall a little short of the timer
        return ready
