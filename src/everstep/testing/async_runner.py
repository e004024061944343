"""The runner for `async def` tests: executions on the test's own event loop.

Rule: durable time is virtual here as well, for the service's clock jumps whenever nothing runs. What step bodies await
(their own sleeps, sockets, fixtures of the test) is real.
"""

from __future__ import annotations

from collections.abc import Callable, Coroutine, Sequence
from pathlib import Path
from typing import Generic, TypeVar, overload

from everstep.context import DurableContext
from everstep.durations import Duration, seconds_of
from everstep.handler import DurableHandler
from everstep.histories.verification import Verdict
from everstep.protocol.shapes import ErrorObject
from everstep.synchronous import SyncContext
from everstep.testing.answers import OpenCallback
from everstep.testing.exploring import Exploration
from everstep.testing.faults import Fault
from everstep.testing.records import RecordedExecution
from everstep.testing.runner import BaseRunner
from everstep.testing.setup import Handler, Trial
from everstep.testing.verifying import verify_files

In = TypeVar("In")
Out = TypeVar("Out")


class AsyncRunner(BaseRunner):
    """A Runner whose methods are awaited, for tests that are coroutines. See `Runner` for what they do."""

    @overload
    async def run(
        self, handler: DurableHandler[In, Out], event: In, *, name: str | None = None, faults: Sequence[Fault] = ()
    ) -> RecordedExecution[Out]: ...
    @overload
    async def run(
        self,
        handler: Callable[[In, DurableContext], Coroutine[object, object, Out]],
        event: In,
        *,
        name: str | None = None,
        faults: Sequence[Fault] = (),
    ) -> RecordedExecution[Out]: ...
    @overload
    async def run(
        self, handler: Callable[[In, SyncContext], Out], event: In, *, name: str | None = None, faults: Sequence[Fault] = ()
    ) -> RecordedExecution[Out]: ...
    async def run(
        self, handler: Handler[In, Out], event: In, *, name: str | None = None, faults: Sequence[Fault] = ()
    ) -> RecordedExecution[Out]:
        """Run the handler to the end of its execution."""
        return await self._setup.begin(handler, event, name=name, faults=faults).finish()

    @overload
    async def explore_crashes(
        self,
        handler: DurableHandler[In, Out],
        event: In,
        *,
        pairs: bool = False,
        before_each: Callable[[], object] | None = None,
        observe: Callable[[], object] | None = None,
    ) -> Exploration[Out]: ...
    @overload
    async def explore_crashes(
        self,
        handler: Callable[[In, DurableContext], Coroutine[object, object, Out]],
        event: In,
        *,
        pairs: bool = False,
        before_each: Callable[[], object] | None = None,
        observe: Callable[[], object] | None = None,
    ) -> Exploration[Out]: ...
    @overload
    async def explore_crashes(
        self,
        handler: Callable[[In, SyncContext], Out],
        event: In,
        *,
        pairs: bool = False,
        before_each: Callable[[], object] | None = None,
        observe: Callable[[], object] | None = None,
    ) -> Exploration[Out]: ...
    async def explore_crashes(
        self,
        handler: Handler[In, Out],
        event: In,
        *,
        pairs: bool = False,
        before_each: Callable[[], object] | None = None,
        observe: Callable[[], object] | None = None,
    ) -> Exploration[Out]:
        """Run the handler with a crash at every possible point. See `Runner.explore_crashes`."""
        return await self._explorer(handler, event, before_each, observe).explore(pairs=pairs)

    @overload
    async def start(
        self, handler: DurableHandler[In, Out], event: In, *, name: str | None = None, faults: Sequence[Fault] = ()
    ) -> AsyncOpenExecution[Out]: ...
    @overload
    async def start(
        self,
        handler: Callable[[In, DurableContext], Coroutine[object, object, Out]],
        event: In,
        *,
        name: str | None = None,
        faults: Sequence[Fault] = (),
    ) -> AsyncOpenExecution[Out]: ...
    @overload
    async def start(
        self, handler: Callable[[In, SyncContext], Out], event: In, *, name: str | None = None, faults: Sequence[Fault] = ()
    ) -> AsyncOpenExecution[Out]: ...
    async def start(
        self, handler: Handler[In, Out], event: In, *, name: str | None = None, faults: Sequence[Fault] = ()
    ) -> AsyncOpenExecution[Out]:
        """Run the handler as far as it comes without time passing, and let the test go on from there."""
        trial = self._setup.begin(handler, event, name=name, faults=faults)
        await trial.settle()
        return AsyncOpenExecution(trial)

    async def verify(self, handler: DurableHandler[In, Out], *histories: str | Path) -> list[Verdict]:
        """Replay exported histories against the handler. See `Runner.verify`."""
        return await verify_files(handler, histories)


class AsyncOpenExecution(Generic[Out]):
    """An execution that goes on as the test says. See `OpenExecution`."""

    def __init__(self, trial: Trial[Out]) -> None:
        self._trial = trial

    async def until_callback(self, name: str | None = None) -> OpenCallback:
        """Go on until this callback, or any, waits for an answer. Raises LookupError if the execution ends without."""
        return await self._trial.until_callback(name)

    async def advance(self, duration: Duration) -> None:
        """Go on for so long, in virtual time."""
        await self._trial.advance(seconds_of(duration))

    async def finish(self) -> RecordedExecution[Out]:
        """Go on to the end."""
        return await self._trial.finish()

    def stop(self, error: ErrorObject | None = None) -> None:
        """Close the execution as STOPPED."""
        self._trial.stop(error)

    def record(self) -> RecordedExecution[Out]:
        """What is recorded so far."""
        return self._trial.record()
