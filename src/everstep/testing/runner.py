"""The runner for `def` tests: executions in virtual time, to their end or step by step."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Coroutine, Sequence
from datetime import datetime
from pathlib import Path
from types import TracebackType
from typing import Generic, Protocol, Self, TypeVar, overload

from everstep.context import DurableContext
from everstep.durations import Duration, seconds_of
from everstep.errors import UsageError
from everstep.handler import DurableHandler
from everstep.histories.verification import Verdict
from everstep.protocol.limits import MAX_EXECUTION_TIMEOUT_S
from everstep.protocol.shapes import ErrorObject
from everstep.service.machine.rules import RULES, Rules
from everstep.service.registration import DEFAULT_INVOCATION_TIMEOUT_S
from everstep.synchronous import SyncContext
from everstep.testing.answers import IGNORED, OpenCallback, answer
from everstep.testing.exploring import Exploration, Explorer
from everstep.testing.faults import Fault
from everstep.testing.records import RecordedExecution
from everstep.testing.setup import BEGINNING, Handler, Invokable, Setup, Trial
from everstep.testing.verifying import verify_files
from everstep.testing.virtual import VirtualRunner

In = TypeVar("In")
Out = TypeVar("Out")
T = TypeVar("T")


class _Wait(Protocol):
    """Runs a coroutine to its end."""

    def __call__(self, work: Coroutine[object, object, T], /) -> T: ...


class BaseRunner:
    """What a runner is told before it runs anything.

    begin: when virtual time begins. warm: suspended executions stay in memory and continue; else each resume replays.
    check_replay: replay each execution that has ended once more; Nondeterministic is raised if that comes to something else.
    rules: the service's quotas and retries.
    """

    def __init__(self, *, begin: datetime = BEGINNING, warm: bool = False, check_replay: bool = True, rules: Rules = RULES) -> None:
        self._setup = Setup(begin=begin, is_warm=warm, checks_replay=check_replay, rules=rules)

    def register(
        self,
        function: Invokable,
        *,
        name: str | None = None,
        execution_timeout: Duration = MAX_EXECUTION_TIMEOUT_S,
        invocation_timeout: Duration | None = DEFAULT_INVOCATION_TIMEOUT_S,
    ) -> None:
        """Let handlers invoke this by its name: a durable handler, or a plain `async def function(event)`.

        name: instead of its own; one that is taken is replaced. execution_timeout: from start to end, waits included.
        invocation_timeout: of one call; None: no limit. The handler under test is registered only to give it such limits.
        """
        self._setup.register(function, name=name, execution_timeout=execution_timeout, invocation_timeout=invocation_timeout)

    def on_callback(
        self,
        name: str,
        *,
        returns: object = None,
        text: str | None = None,
        raises: Exception | ErrorObject | None = None,
        after: Duration = 0,
        heartbeat_every: Duration | None = None,
    ) -> None:
        """Have callbacks of this name answered, from now on.

        returns: a value, written as JSON; text: the result as it is to be read; raises: a failure. after: how long that takes.
        heartbeat_every: how often heartbeats are sent until then.
        """
        self._setup.answers[name] = answer(returns, text, raises, after, heartbeat_every)

    def ignore_callback(self, name: str) -> None:
        """Nobody answers callbacks of this name: they time out, or the execution does."""
        self._setup.answers[name] = IGNORED

    def _explorer(
        self, handler: Handler[In, Out], event: In, before_each: Callable[[], object] | None, observe: Callable[[], object] | None
    ) -> Explorer[Out]:
        return Explorer(lambda faults: self._setup.begin(handler, event, name=None, faults=faults), before_each, observe)


class Runner(BaseRunner):
    """Runs handlers in virtual time: waits, retries and timeouts take none. For tests that are plain functions.

    Can be used as a context manager, which closes its event loop; so does forgetting it.
    """

    def __init__(self, *, begin: datetime = BEGINNING, warm: bool = False, check_replay: bool = True, rules: Rules = RULES) -> None:
        super().__init__(begin=begin, warm=warm, check_replay=check_replay, rules=rules)
        self._loop = VirtualRunner()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None) -> None:
        self.close()

    def close(self) -> None:
        self._loop.close()

    @overload
    def run(
        self, handler: DurableHandler[In, Out], event: In, *, name: str | None = None, faults: Sequence[Fault] = ()
    ) -> RecordedExecution[Out]: ...
    @overload
    def run(
        self,
        handler: Callable[[In, DurableContext], Coroutine[object, object, Out]],
        event: In,
        *,
        name: str | None = None,
        faults: Sequence[Fault] = (),
    ) -> RecordedExecution[Out]: ...
    @overload
    def run(
        self, handler: Callable[[In, SyncContext], Out], event: In, *, name: str | None = None, faults: Sequence[Fault] = ()
    ) -> RecordedExecution[Out]: ...
    def run(self, handler: Handler[In, Out], event: In, *, name: str | None = None, faults: Sequence[Fault] = ()) -> RecordedExecution[Out]:
        """Run the handler to the end of its execution. name: the execution's. faults: what goes wrong on the way."""
        trial = self._setup.begin(handler, event, name=name, faults=faults)
        return self._wait_for(trial.finish())

    @overload
    def explore_crashes(
        self,
        handler: DurableHandler[In, Out],
        event: In,
        *,
        pairs: bool = False,
        before_each: Callable[[], object] | None = None,
        observe: Callable[[], object] | None = None,
    ) -> Exploration[Out]: ...
    @overload
    def explore_crashes(
        self,
        handler: Callable[[In, DurableContext], Coroutine[object, object, Out]],
        event: In,
        *,
        pairs: bool = False,
        before_each: Callable[[], object] | None = None,
        observe: Callable[[], object] | None = None,
    ) -> Exploration[Out]: ...
    @overload
    def explore_crashes(
        self,
        handler: Callable[[In, SyncContext], Out],
        event: In,
        *,
        pairs: bool = False,
        before_each: Callable[[], object] | None = None,
        observe: Callable[[], object] | None = None,
    ) -> Exploration[Out]: ...
    def explore_crashes(
        self,
        handler: Handler[In, Out],
        event: In,
        *,
        pairs: bool = False,
        before_each: Callable[[], object] | None = None,
        observe: Callable[[], object] | None = None,
    ) -> Exploration[Out]:
        """Run the handler with a crash at every possible point. Raises OutcomeChanged at the first that makes a difference.

        pairs: also with a second crash, at every point after the first. before_each: called before each run, to put the world
        outside back to where it was. observe: called after each, for what else has to be the same.
        """
        return self._wait_for(self._explorer(handler, event, before_each, observe).explore(pairs=pairs))

    @overload
    def start(
        self, handler: DurableHandler[In, Out], event: In, *, name: str | None = None, faults: Sequence[Fault] = ()
    ) -> OpenExecution[Out]: ...
    @overload
    def start(
        self,
        handler: Callable[[In, DurableContext], Coroutine[object, object, Out]],
        event: In,
        *,
        name: str | None = None,
        faults: Sequence[Fault] = (),
    ) -> OpenExecution[Out]: ...
    @overload
    def start(
        self, handler: Callable[[In, SyncContext], Out], event: In, *, name: str | None = None, faults: Sequence[Fault] = ()
    ) -> OpenExecution[Out]: ...
    def start(self, handler: Handler[In, Out], event: In, *, name: str | None = None, faults: Sequence[Fault] = ()) -> OpenExecution[Out]:
        """Run the handler as far as it comes without time passing, and let the test go on from there."""
        trial = self._setup.begin(handler, event, name=name, faults=faults)
        self._wait_for(trial.settle())
        return OpenExecution(trial, self._wait_for)

    def verify(self, handler: DurableHandler[In, Out], *histories: str | Path) -> list[Verdict]:
        """Replay exported histories against the handler, without running anything. Raises AssertionError if it can't go on with one.

        histories: files, and directories that stand for the .json files below them.
        """
        return self._wait_for(verify_files(handler, histories))

    def _wait_for(self, work: Coroutine[object, object, T]) -> T:
        try:
            asyncio.get_running_loop()
        except RuntimeError:
            return self._loop.run(work)
        work.close()
        raise UsageError("a Runner was used inside a running event loop: in `async def` tests use AsyncRunner, and await its methods")


class OpenExecution(Generic[Out]):
    """An execution that goes on as the test says. Virtual time passes only in its methods."""

    def __init__(self, trial: Trial[Out], wait_for: _Wait) -> None:
        self._trial, self._wait_for = trial, wait_for

    def until_callback(self, name: str | None = None) -> OpenCallback:
        """Go on until this callback, or any, waits for an answer. Raises LookupError if the execution ends without."""
        return self._wait_for(self._trial.until_callback(name))

    def advance(self, duration: Duration) -> None:
        """Go on for so long, in virtual time."""
        self._wait_for(self._trial.advance(seconds_of(duration)))

    def finish(self) -> RecordedExecution[Out]:
        """Go on to the end."""
        return self._wait_for(self._trial.finish())

    def stop(self, error: ErrorObject | None = None) -> None:
        """Close the execution as STOPPED."""
        self._trial.stop(error)

    def record(self) -> RecordedExecution[Out]:
        """What is recorded so far."""
        return self._trial.record()
