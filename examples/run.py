"""Runs an example: embedded, in memory, and without sitting out its waits.

    python -m examples.wait.basic               hours and days pass in no time
    python -m examples.wait.basic --history     the same, and what was recorded of it
    python -m examples.wait.basic --real-time   they last as long as they last

Whoever answers a callback is played, too: an example tells them its id, and says what they will answer, and when.
"""

from __future__ import annotations

import asyncio
import sys
import time
from collections.abc import Awaitable, Callable, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass
from datetime import timedelta
from typing import Generic, Never, TypeAlias, TypeVar, TypeVarTuple

from everstep import DurableHandler, ExecutionFailed, Service, ServiceError
from everstep.client.function import DurableFunction
from everstep.testing.setup import BEGINNING
from everstep.testing.virtual import JumpingClock, run_virtually

In = TypeVar("In")
Out = TypeVar("Out")
T = TypeVar("T")
Ts = TypeVarTuple("Ts")
Function: TypeAlias = DurableFunction[Never, object] | Callable[[Never], Awaitable[object]]
"""What an example may invoke besides its own handler."""

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
    return run_virtually(_play(handler, event, answers or {}, functions, JumpingClock(BEGINNING)))


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
    handler: DurableHandler[In, Out], event: In, answers: Mapping[str, Answer], functions: Sequence[Function], clock: JumpingClock | None
) -> Played[Out]:
    """clock: None for the machine's."""
    global _world  # noqa: PLW0603  # there is one at a time, and steps have no other way to it
    result: Out | None = None
    failure: ExecutionFailed | None = None
    if clock is not None:
        clock.run_on(asyncio.get_running_loop())
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
