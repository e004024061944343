"""`everstep.Service`: durable executions inside your own process, kept in a SQLite file or in memory."""

from __future__ import annotations

import random
import secrets
from collections.abc import Awaitable, Callable, Sequence
from contextlib import AbstractAsyncContextManager
from datetime import datetime
from types import TracebackType
from typing import Final, Self, TypeVar, overload

from everstep.client.function import DurableFunction
from everstep.durations import Duration, seconds_of
from everstep.errors import PayloadTooLarge, UsageError
from everstep.failures import describe
from everstep.protocol.ids import execution_id
from everstep.protocol.limits import EXECUTION_NAME_PATTERN, MAX_EXECUTION_TIMEOUT_S, MAX_RESULT_SYNC
from everstep.protocol.shapes import ErrorObject, ExecutionStatus
from everstep.serdes import serdes_for
from everstep.service.clock import Clock, WallClock
from everstep.service.deliveries import Webhook
from everstep.service.descriptions import ExecutionDescription, described, milliseconds
from everstep.service.direct import refusal
from everstep.service.engine import Engine
from everstep.service.executions import Command, UnknownExecution
from everstep.service.functions import Durable, Functions
from everstep.service.ids import random_id
from everstep.service.machine.callback import complete_callback, heartbeat_callback
from everstep.service.machine.execution import delete_execution, stop_execution
from everstep.service.machine.history import render_event
from everstep.service.machine.model import Execution, JsonObject, Outcome, Transition
from everstep.service.machine.pause import pause_execution, resume_execution
from everstep.service.machine.rejection import Rejected, callback_is_over
from everstep.service.machine.rules import RULES, Rules
from everstep.service.machine.sizes import text_bytes
from everstep.service.machine.state import State
from everstep.service.machine.tokens import parse_callback_id
from everstep.service.metering import Meter
from everstep.service.registration import DEFAULT_INVOCATION_TIMEOUT_S, DEFAULT_RETENTION_DAYS, entry_of
from everstep.service.started import StartedExecution
from everstep.service.stores.api import Filter, Position, Store
from everstep.service.stores.urls import store_at

In = TypeVar("In")
Out = TypeVar("Out")

MAX_INPUT: Final = MAX_RESULT_SYNC
"""Of an execution, in bytes. Source: Lambda API, Invoke."""
HISTORY_PAGE: Final = 1_000


class Service:
    """A durable execution service inside this process. Everything but `register` needs it to be entered: `async with`.

    store: `sqlite:///relative.db`, `sqlite:////absolute/path.db`, `memory://`, or a Store. A file has one service at a
        time; a second one, in whatever process, is refused with a StoreError. `postgresql://user@host/database`, with
        everstep[postgres], has as many as you like: they share the work, and take over from one that died.
    max_invocations: how many handlers run at a time; the others wait for their turn.
    grace: for how long running invocations may go on when the service is left. What is cut off then, or by a crash, goes
        on when a service with the same store is entered again.
    account, region: as they appear in ARNs.
    rules: quotas and retries. clock: the time, which tests move by hand.
    functions: instead of an empty list of one's own; it knows its account and region. meter: is told what happens.
    webhooks: who is told when executions begin and end.
    """

    def __init__(
        self,
        store: str | Store,
        *,
        max_invocations: int = 1_000,
        grace: Duration = 10,
        account: str = "123456789012",
        region: str = "us-east-1",
        rules: Rules = RULES,
        clock: Clock | None = None,
        functions: Functions | None = None,
        meter: Meter | None = None,
        webhooks: Sequence[Webhook] = (),
    ) -> None:
        if max_invocations < 1:
            raise UsageError(f"max_invocations is {max_invocations}; the least is 1")
        self._store = store_at(store) if isinstance(store, str) else store
        self._functions = functions or Functions(account=account, region=region, new_id=random_id)
        self._clock = clock or WallClock()
        self._rules, self._meter, self._webhooks = rules, meter, webhooks
        self._max_invocations = max_invocations
        self._grace_s = seconds_of(grace)
        self._engine: Engine | None = None
        self._running: AbstractAsyncContextManager[None] | None = None

    async def __aenter__(self) -> Self:
        if self._running is not None:
            raise UsageError("this service is entered already")
        engine = Engine(
            self._store,
            self._functions,
            self._clock,
            rules=self._rules,
            limit=self._max_invocations,
            new_id=random_id,
            new_secret=lambda: secrets.token_bytes(32),
            jitter=random.random,
            meter=self._meter,
            webhooks=self._webhooks,
        )
        running = engine.running(self._grace_s)
        await running.__aenter__()
        self._engine, self._running = engine, running
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> bool | None:
        assert self._running is not None
        try:  # until it is over, handlers that still run may use the service
            return await self._running.__aexit__(kind, error, traceback)
        finally:
            self._running = self._engine = None

    # -- functions

    @overload
    def register(
        self,
        function: DurableFunction[In, Out],
        *,
        name: str | None = None,
        execution_timeout: Duration = MAX_EXECUTION_TIMEOUT_S,
        invocation_timeout: Duration | None = DEFAULT_INVOCATION_TIMEOUT_S,
        retention_days: int = DEFAULT_RETENTION_DAYS,
    ) -> None: ...

    @overload
    def register(
        self, function: Callable[[In], Awaitable[object]], *, name: str | None = None, invocation_timeout: Duration | None = ...
    ) -> None: ...

    def register(
        self,
        function: DurableFunction[In, Out] | Callable[[In], Awaitable[object]],
        *,
        name: str | None = None,
        execution_timeout: Duration = MAX_EXECUTION_TIMEOUT_S,
        invocation_timeout: Duration | None = DEFAULT_INVOCATION_TIMEOUT_S,
        retention_days: int = DEFAULT_RETENTION_DAYS,
    ) -> None:
        """Let executions of a handler run here, or let handlers invoke a plain `async def function(event)` by its name.

        name: by which it is known; default: its own. execution_timeout: from start to end, waits included.
        invocation_timeout: of one call, after which it counts as failed; None: no limit. retention_days: for how long an
        execution can be looked at after its end. Executions of a function that is not registered wait until it is.
        """
        entry = entry_of(
            function,
            name=name,
            execution_timeout=execution_timeout,
            invocation_timeout=invocation_timeout,
            retention_days=retention_days,
        )
        self._functions.add(entry)
        if self._engine is not None:
            self._engine.registered(entry.name)

    # -- executions

    async def start(self, function: DurableFunction[In, Out], value: In, *, name: str | None = None) -> StartedExecution[Out]:
        """Start an execution; it is durable when this returns. A handler that is not registered is now, with the defaults.

        name: makes the start idempotent, 1 to 64 letters, digits, - and _. The same name and input again means the same
        execution, open or ended; a name that is taken by another input raises ExecutionAlreadyStarted.
        """
        entry = self._registered(function)
        if name is not None and not EXECUTION_NAME_PATTERN.fullmatch(name):
            raise UsageError(f"{name!r} cannot name an execution: 1 to 64 letters, digits, - and _")
        payload = function.encode_input(value)
        size = text_bytes(payload)
        if size > MAX_INPUT:
            raise PayloadTooLarge("the execution's input", size, MAX_INPUT, "Store it elsewhere and pass a reference.")
        new = self._functions.new_execution(entry, name=name, payload=payload, result_limit=MAX_RESULT_SYNC)
        execution = await self._entered().start(new)
        return self.execution(function, execution.arn)

    def execution(self, function: DurableFunction[In, Out], arn: str) -> StartedExecution[Out]:
        """An execution that was started before, as `start` returns it."""
        self._registered(function)
        return StartedExecution(arn, self._ended, function.decode_output)

    async def describe(self, arn: str) -> ExecutionDescription:
        """Raises ServiceError (ResourceNotFoundException) if there is no such execution (any more)."""
        return described(await self._read(arn))

    async def history(self, arn: str, *, include_data: bool = True) -> Sequence[JsonObject]:
        """All events, oldest first, in wire form with timestamps in milliseconds. include_data: with their payloads."""
        await self._read(arn)
        rendered: list[JsonObject] = []
        after: int | None = None
        while events := await self._store.events(execution_id(arn), limit=HISTORY_PAGE, after=after):
            state = await self._entered().executions.state(execution_id(arn))  # asked last, so that it knows all that events name
            for event in events:
                record = None if event.order is None else state.at(event.order)
                rendered.append(render_event(event, state.execution, record, with_data=include_data))
            after = events[-1].event_id
        return rendered

    async def list(
        self,
        *,
        function: str | None = None,
        name: str | None = None,
        status: ExecutionStatus | Sequence[ExecutionStatus] = (),
        started_after: datetime | None = None,
        started_before: datetime | None = None,
        limit: int = 100,
        oldest_first: bool = False,
        after: ExecutionDescription | None = None,
    ) -> Sequence[ExecutionDescription]:
        """Executions, those started last first, without their payloads. function: its name. after: the last one seen."""
        self._entered()
        where = Filter(
            function=function,
            name=name,
            statuses=[status] if isinstance(status, str) else status,
            started_after=None if started_after is None else milliseconds(started_after),
            started_before=None if started_before is None else milliseconds(started_before),
        )
        position = None if after is None else Position(milliseconds(after.started_at), execution_id(after.arn))
        found = await self._store.executions(where, limit=limit, oldest_first=oldest_first, after=position)
        return [described(execution) for execution in found]

    async def stop(self, arn: str, *, error: ErrorObject | None = None) -> None:
        """Close the execution as STOPPED, with that error. One that has ended stays as it is."""
        await self._change(arn, lambda state, now: stop_execution(state, error, now))

    async def pause(self, arn: str, *, reason: str | None = None, stops_timeout: bool = True) -> None:
        """Let no further invocation begin; what is waited for goes on. stops_timeout: the execution's timeout stands still."""
        await self._change(arn, lambda state, now: pause_execution(state, now, reason=reason, stops_timeout=stops_timeout))

    async def resume(self, arn: str, *, reason: str | None = None) -> None:
        await self._change(arn, lambda state, now: resume_execution(state, now, reason=reason))

    async def delete(self, arn: str) -> None:
        """Remove an execution that has ended. Its name is free once it is gone, a moment later."""
        await self._change(arn, delete_execution)

    async def fork(
        self,
        function: DurableFunction[In, Out],
        arn: str,
        operation: str,
        *,
        value: object = None,
        text: str | None = None,
        name: str | None = None,
    ) -> StartedExecution[Out]:
        """A new execution that begins where this one stood when the operation began; that, and what comes after it, is done anew.

        operation: by its id, or a name that no other has. value: instead, the operation has succeeded with it, written as JSON. text:
        the same, as it is recorded. name: of the new execution. Raises ServiceError (ResourceNotFoundException) if there is no
        such execution or operation, ExecutionAlreadyStarted if the name is taken.
        """
        if value is not None and text is not None:
            raise UsageError("fork takes a value or a text, not both")
        self._registered(function)
        source = await self._read(arn)
        result = text if value is None else serdes_for(object).serialize(value)
        try:
            forked = await self._entered().fork(source.id, operation, name=name, result=result)
        except Rejected as rejected:
            raise refusal(rejected) from None
        return self.execution(function, forked.arn)

    # -- callbacks

    async def succeed_callback(self, callback_id: str, value: object = None, *, text: str | None = None) -> None:
        """Complete a callback. value: written as JSON; None: no result. text: instead of a value, the result as it is to be read.

        A callback with `returns` reads JSON; one without gives the text. Raises ServiceError (CallbackTimeoutException) if it
        is completed already, timed out or unknown, SerializationError if the value cannot be written.
        """
        if value is not None and text is not None:
            raise UsageError("succeed_callback takes a value or a text, not both")
        result = text if value is None else serdes_for(object).serialize(value)
        await self._complete(callback_id, Outcome(status="SUCCEEDED", result=result))

    async def fail_callback(self, callback_id: str, error: ErrorObject | Exception | None = None) -> None:
        """Complete a callback with a failure; the handler's `await` raises CallbackFailed."""
        recorded = describe(error) if isinstance(error, Exception) else error
        await self._complete(callback_id, Outcome(status="FAILED", error=recorded))

    async def heartbeat_callback(self, callback_id: str) -> None:
        """Start the callback's heartbeat timeout anew, if it has one."""
        await self._on_callback(callback_id, lambda state, now: heartbeat_callback(state, callback_id, now))

    # -- inside

    @property
    def engine(self) -> Engine:
        """What runs the executions, for whoever serves them in another form. Raises UsageError if the service is not entered."""
        return self._entered()

    def _entered(self) -> Engine:
        if self._engine is None:
            raise UsageError("the service is not running: use it inside `async with Service(...) as service:`")
        return self._engine

    def _registered(self, function: DurableFunction[In, Out]) -> Durable:
        entry = self._functions.of(function)
        if entry is None:
            self.register(function)
            entry = self._functions.of(function)
            assert entry is not None
        return entry

    async def _ended(self, arn: str) -> Execution:
        try:
            return await self._entered().ended(execution_id(arn), arn=arn)
        except Rejected as rejected:
            raise refusal(rejected) from None

    async def _read(self, arn: str) -> Execution:
        try:
            execution = await self._entered().executions.read(execution_id(arn))
            if execution.arn != arn:
                raise UnknownExecution
        except Rejected as rejected:
            raise refusal(rejected) from None
        return execution

    async def _change(self, arn: str, command: Command) -> None:
        def on_this(state: State, now: int) -> Transition:
            if state.execution.arn != arn:
                raise UnknownExecution
            return command(state, now)

        try:
            await self._entered().executions.perform(execution_id(arn), on_this)
        except Rejected as rejected:
            raise refusal(rejected) from None

    async def _complete(self, callback_id: str, outcome: Outcome) -> None:
        await self._on_callback(callback_id, lambda state, now: complete_callback(state, callback_id, outcome, now))

    async def _on_callback(self, callback_id: str, command: Command) -> None:
        try:
            await self._entered().executions.perform(parse_callback_id(callback_id).execution_id, command)
        except UnknownExecution:
            raise refusal(callback_is_over()) from None
        except Rejected as rejected:
            raise refusal(rejected) from None
