"""Calls handlers: every execution that is owed an invocation gets one, in the order in which they asked, so many at a time.

Rule: an invocation is recorded as begun before the handler is called, and its end is recorded whatever happens to it;
only if this process ends first is it left open, and is then lost, which the next start makes good.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Callable, Collection, Iterator, Mapping
from functools import partial

from msgspec import json

from everstep.client.api import DurableClient
from everstep.client.function import Invocation
from everstep.errors import ServiceError
from everstep.failures import describe
from everstep.protocol.shapes import ErrorObject, InvocationOutput, Operation
from everstep.service.clock import RETRY_MS, Clock
from everstep.service.committer import Handed
from everstep.service.executions import Command, Executions, UnknownExecution
from everstep.service.functions import Durable, FunctionError, Functions
from everstep.service.log_context import about
from everstep.service.machine.invocation import Begun, begin_invocation, invocation_failed, invocation_succeeded
from everstep.service.machine.model import Transition
from everstep.service.machine.rules import Rules
from everstep.service.machine.state import State
from everstep.service.machine.upkeep import fire_timers
from everstep.service.metering import Meter

log = logging.getLogger("everstep.service")


class Operations(Mapping[str, Operation]):
    """The operations of a live state, as a handler reads them."""

    __slots__ = ("_records",)

    def __init__(self, state: State) -> None:
        self._records = state.records

    def __getitem__(self, operation_id: str) -> Operation:
        return self._records[operation_id].operation

    def __iter__(self) -> Iterator[str]:
        return iter(self._records)

    def __len__(self) -> int:
        return len(self._records)


class Invoker:
    """Calls the handlers in `functions`. new_secret, jitter: randomness. limit: how many invocations run at a time."""

    def __init__(
        self,
        executions: Executions,
        functions: Functions,
        client: DurableClient,
        clock: Clock,
        *,
        rules: Rules,
        limit: int,
        new_id: Callable[[], str],
        new_secret: Callable[[], bytes],
        jitter: Callable[[], float],
        meter: Meter | None = None,
    ) -> None:
        self._executions, self._functions, self._client, self._clock = executions, functions, client, clock
        self._meter = meter
        self._rules, self._limit = rules, limit
        self._new_id, self._new_secret, self._jitter = new_id, new_secret, jitter
        self.withheld: set[str] = set()
        """Executions that are not to be invoked, however often it is asked for."""
        self.on_room: Callable[[], None] = lambda: None
        """Called when an invocation has left."""
        self._owed: dict[str, None] = {}  # a queue without duplicates
        self._running: dict[str, asyncio.Task[None]] = {}
        self._strangers: dict[str, dict[str, None]] = {}
        self._group: asyncio.TaskGroup | None = None

    def start(self, group: asyncio.TaskGroup) -> None:
        """From now on, run invocations in `group`."""
        self._group = group

    def owe(self, execution_id: str) -> None:
        """The execution has to be invoked. Said more than once, it is invoked once."""
        self._owed[execution_id] = None
        self._pump()

    def registered(self, function: str) -> None:
        """The function can be called now: executions that waited for it go on."""
        self._owed.update(self._strangers.pop(function, {}))
        self._pump()

    async def idle(self, execution_id: str) -> None:
        """Returns when no invocation of the execution runs."""
        while (task := self._running.get(execution_id)) is not None:
            await asyncio.wait([task])

    @property
    def room(self) -> int:
        """How many more invocations may begin or queue. The queue may be a quarter as long as what runs, so that nobody idles."""
        return self._limit + self._limit // 4 - len(self._running) - len(self._owed)

    def stop(self) -> None:
        """Begin nothing any more: what is owed is owed still at the next start."""
        self._group = None

    @property
    def tasks(self) -> Collection[asyncio.Task[None]]:
        """The invocations that run now."""
        return self._running.values()

    def _pump(self) -> None:
        if self._group is None:
            return
        later: list[str] = []
        while self._owed and len(self._running) < self._limit:
            execution_id = next(iter(self._owed))
            del self._owed[execution_id]
            if execution_id in self.withheld:
                continue
            if execution_id in self._running:  # its end is recorded, but it is not off the stage yet
                later.append(execution_id)
                continue
            beginning = _Beginning(self._new_id(), self._new_secret())
            begins = self._serve(execution_id, beginning, self._submitted(execution_id, beginning))
            task = self._group.create_task(begins, name=f"invocation of {execution_id}")
            self._running[execution_id] = task
            task.add_done_callback(partial(self._left, execution_id))
        self._owed.update(dict.fromkeys(later))

    def _submitted(self, execution_id: str, beginning: _Beginning) -> Handed | None:
        """Begin the invocation at once, in the commit of what it follows, if the execution is in memory and its function is here."""
        execution = self._executions.live(execution_id)
        if execution is None or self._functions.durable(execution.function, execution.version) is None:
            return None
        submitted = self._executions.submit(execution_id, beginning)
        return None if submitted is None else submitted[1]

    async def _serve(self, execution_id: str, beginning: _Beginning, begun: Handed | None) -> None:
        try:
            await self._invoke(execution_id, beginning, begun)
        except UnknownExecution:
            pass
        except ServiceError as error:
            log.warning("execution %s could not be invoked, trying again: %s", execution_id, error)
            await self._clock.sleep_until(self._clock.now_ms() + RETRY_MS)
            self._owed[execution_id] = None
        except Exception:
            log.exception("execution %s cannot be invoked; it is left alone until the service starts again", execution_id)

    def _left(self, execution_id: str, _: asyncio.Task[None]) -> None:
        """A callback, for a task that is cancelled before its first turn runs no code of its own."""
        del self._running[execution_id]
        self._pump()
        self.on_room()

    async def _invoke(self, execution_id: str, beginning: _Beginning, begun: Handed | None) -> None:
        async with self._executions.using(execution_id) as state:
            entry = self._functions.durable(state.execution.function, state.execution.version)
            if entry is None:
                self._wait_for(state.execution.function, execution_id)
                return
            if begun is None or not await begun:
                await self._executions.perform(execution_id, beginning)
            if beginning.begun is None:
                await self._executions.perform(execution_id, fire_timers)  # it may have timed out while it waited for its turn
                return
            self._owed.pop(execution_id, None)  # whatever has asked for an invocation until now, this is it
            if self._meter is not None:
                self._meter.began(state.execution.function, beginning.waited_ms / 1000)
            invocation = invocation_of(beginning.begun, entry.invocation_timeout_s)
            execution = state.execution
            with about({"function": execution.function, "executionArn": execution.arn, "requestId": invocation.request_id}):
                await self._report(execution_id, invocation.request_id, await self._call(entry, invocation))

    def _wait_for(self, function: str, execution_id: str) -> None:
        if function not in self._strangers:
            log.warning("executions of the function %r wait until it is registered", function)
        self._strangers.setdefault(function, {})[execution_id] = None

    async def _call(self, entry: Durable, invocation: Invocation) -> Command:
        """Run the handler; returns the command that records how that went."""
        request_id = invocation.request_id
        patience = asyncio.timeout(entry.invocation_timeout_s)  # in real time, whatever the clock says: for code that really runs
        try:
            async with patience:
                output = await entry.function.invoke(invocation, self._client)
        except Exception as error:
            if patience.expired():
                failure = _timed_out(request_id, entry.invocation_timeout_s)
            else:
                failure = error.error if isinstance(error, FunctionError) else describe(error)
            return lambda state, now: invocation_failed(state, request_id, failure, now, jitter=self._jitter(), rules=self._rules)
        accepted = _readable(output)
        return lambda state, now: invocation_succeeded(state, request_id, accepted, now, rules=self._rules)

    async def _report(self, execution_id: str, request_id: str, command: Command) -> None:
        while True:
            try:
                await self._executions.perform(execution_id, command)
            except UnknownExecution:
                return
            except ServiceError as error:
                log.warning("the end of an invocation of %s could not be recorded, trying again: %s", execution_id, error)
                await self._clock.sleep_until(self._clock.now_ms() + RETRY_MS)
            except UnicodeError as error:
                command = _unrecordable(request_id, error)
            else:
                return


class _Beginning:
    """The command that begins an invocation, and what came of it."""

    def __init__(self, request_id: str, secret: bytes) -> None:
        self._request_id, self._secret = request_id, secret
        self.begun: Begun | None = None
        self.waited_ms = 0
        """Since it was owed."""

    def __call__(self, state: State, now: int) -> Transition:
        self.waited_ms = now - (state.execution.invoke_at or now)
        self.begun = begin_invocation(state, self._request_id, self._secret, now)
        return self.begun.transition if self.begun is not None else Transition(execution=state.execution)


def invocation_of(begun: Begun, timeout_s: float | None) -> Invocation:
    """What the function is called with."""
    state = begun.state
    return Invocation(
        arn=state.execution.arn,
        checkpoint_token=begun.token,
        request_id=begun.invocation.request_id,
        operations=Operations(state),
        updated_operation_ids=begun.updated,
        deadline=None if timeout_s is None else begun.invocation.started_at + int(timeout_s * 1000),
        invoked_as=state.execution.terms.invoked_as,
        tenant_id=state.execution.terms.tenant_id,
        trace_header=state.execution.terms.trace_header,
    )


def _unrecordable(request_id: str, error: UnicodeError) -> Command:
    """The command for an outcome with text that no store can hold, such as an undecodable file name."""
    failure = ErrorObject(error_type="InvalidParameterValueException", error_message=f"the outcome cannot be recorded: {error}")
    output = InvocationOutput(status="FAILED", error=failure)
    return lambda state, now: invocation_succeeded(state, request_id, output, now)


def _timed_out(request_id: str, timeout_s: float | None) -> ErrorObject:
    return ErrorObject(error_type="Sandbox.Timedout", error_message=f"{request_id} Task timed out after {timeout_s:.2f} seconds")


def _is_one(value: object, kind: type) -> bool:
    """Whether an optional member is what its type says: a function may have broken that."""
    return value is None or isinstance(value, kind)


def _readable(output: object) -> InvocationOutput | str:
    """The output as the machine reads it: an InvocationOutput, or else the text that a function over HTTP would have answered."""
    if isinstance(output, InvocationOutput) and _is_one(output.result, str) and _is_one(output.error, ErrorObject):
        return output
    try:
        return json.encode(output).decode()
    except (TypeError, ValueError, UnicodeError):
        return ""
