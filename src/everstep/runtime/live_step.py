"""A step with work on this side: its attempts run on the host's loop, or in a thread for a plain function.

Rule: at most one attempt runs at a time, and what it came to is sent once. Handler code learns of it when the record comes
back, never before.
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Coroutine
from contextvars import Context
from functools import partial
from inspect import CO_COROUTINE, isawaitable, iscoroutinefunction
from random import random
from typing import TYPE_CHECKING, cast

from msgspec import Struct

from everstep.errors import PayloadTooLarge, ServiceError, StepInterrupted, StepTimeout, UsageError
from everstep.failures import describe
from everstep.operations.step import AwaitRetry, Interrupted, RunAttempt, Semantics, decide
from everstep.protocol.limits import MAX_OPERATION_PAYLOAD
from everstep.protocol.shapes import ErrorObject, Operation, OperationAction, OperationUpdate, StepOptions
from everstep.retry import Retry, RetryStrategy, next_delay
from everstep.runtime.engine import Engine
from everstep.runtime.spawn import spawn
from everstep.serdes import Serdes
from everstep.step_context import StepContext, current_step

if TYPE_CHECKING:
    from everstep.plugins.api import AttemptStartInfo, FunctionOutcome


class StepCall(Struct):
    """A step as it was called. timeout: seconds per attempt."""

    operation_id: str
    parent_id: str | None
    name: str | None
    body: Callable[..., object]
    arguments: tuple[object, ...]
    retry: Retry | RetryStrategy
    semantics: Semantics
    timeout: float | None
    serdes: Serdes[object]
    sub_type: str = "Step"


class _Written(Struct, frozen=True):
    """A body's result that has been written already, where that does not hold up the loop."""

    text: str


class LiveStep:
    """A step that is not finished."""

    __slots__ = ("_attempt", "_awaits_start", "_body", "_call", "_context", "_engine", "_reported", "_stopped")

    def __init__(self, engine: Engine, call: StepCall, context: Context) -> None:
        """context: the context variables that the body sees, a copy of the handler's."""
        self._engine = engine
        self._call = call
        self._context = context
        self._attempt = 0
        self._awaits_start = False
        self._body: asyncio.Future[object] | None = None
        self._stopped = False
        self._reported: AttemptStartInfo | None = None
        """The attempt whose start plugins were told of, and not its end."""

    def begin(self) -> None:
        """Do what the record calls for: run an attempt, or decide about one that was cut off."""
        engine, call = self._engine, self._call
        engine.enlist(call.operation_id, self)
        recorded = engine.journal.operations.get(call.operation_id)
        match decide(recorded, call.semantics):
            case RunAttempt(attempt=attempt, begin=begin):
                self._attempt = attempt
                if begin and call.semantics == "at_most_once":
                    self._awaits_start = True  # the body runs once START is recorded
                    self._send("START", urgent=True)
                    return
                if begin:
                    self._send("START", urgent=False)
                self._run()
            case Interrupted(attempt=attempt):
                self._attempt = attempt
                self._failed(StepInterrupted(f"attempt {attempt} of the step was interrupted before its outcome was recorded"))
            case AwaitRetry():
                assert recorded is not None
                engine.watch(recorded)

    def changed(self, record: Operation) -> None:
        """Go on when START is recorded, or when the next attempt is due."""
        if record.status == "READY":
            self._engine.begin_again(self._call.operation_id, self.begin)
        elif record.status == "STARTED" and self._awaits_start:
            self._awaits_start = False
            self._run()

    def cancel(self) -> None:
        """Stop the attempt that runs: an `async` body is cancelled, a thread is left to end by itself, unheard."""
        self._stopped = True
        self._report_end("CANCELLED")
        body = self._body
        if body is not None and not body.done():
            body.cancel()
            if not isinstance(body, asyncio.Task):
                self._engine.plain_bodies.come_back(body)
                self._engine.ended(body)

    # -- one attempt -----------------------------------------------------------

    def _run(self) -> None:
        call, engine = self._call, self._engine
        self._context.run(current_step.set, StepContext(self._attempt, call.operation_id, call.name, engine.arn))
        if engine.reporter is not None:
            self._reported = self._context.run(engine.reporter.attempt_started, call, self._attempt)
        is_async = _is_async(call.body)
        try:
            if call.timeout is not None or engine.texts.blocks:
                coroutine: object = self._call_body()
            elif is_async:
                coroutine = call.body(*self._arguments())
            elif not engine.may_block:
                self._await_thread(engine.plain_bodies.run(engine.host, partial(self._context.run, call.body, *self._arguments())))
                return
            else:
                answer = self._context.run(call.body, *self._arguments())
                if not isawaitable(answer):
                    self._settled(answer)
                    return
                coroutine = _awaited(answer)
        except Exception as error:  # of a plain body, or of arguments that do not fit an async one
            self._failed(error)
            return
        self._await(spawn(engine.host, cast("Coroutine[object, object, object]", coroutine), self._context))

    def _await(self, body: asyncio.Future[object]) -> None:
        self._body = body
        if body.done():
            self._ended(body)
        else:
            self._engine.running(body)
            body.add_done_callback(self._ended)

    def _in_thread(self, call: Callable[[], object]) -> asyncio.Future[object]:
        from everstep.threads import for_steps

        return self._engine.host.run_in_executor(for_steps, call)

    def _await_thread(self, body: asyncio.Future[object]) -> None:
        self._body = body
        self._engine.running(body)
        body.add_done_callback(self._thread_ended)

    def _thread_ended(self, body: asyncio.Future[object]) -> None:
        self._engine.plain_bodies.come_back(body)
        if not self._stopped and not body.cancelled() and body.exception() is None and isawaitable(answer := body.result()):
            self._await(spawn(self._engine.host, _awaited(answer), self._context))
            self._engine.ended(body)
        else:
            self._ended(body)

    def _arguments(self) -> tuple[object, ...]:
        return self._call.arguments

    async def _call_body(self) -> object:
        value = await self._in_time()
        if self._engine.texts.blocks:
            return await self._in_thread(lambda: _Written(self._written(value)))
        return value

    async def _in_time(self) -> object:
        if self._call.timeout is None:
            return await self._called()
        limit = asyncio.timeout(self._call.timeout)
        try:
            async with limit:
                return await self._called()
        except TimeoutError:
            if limit.expired():
                raise StepTimeout(f"the attempt took longer than {self._call.timeout:g} s") from None
            raise

    async def _called(self) -> object:
        call = self._call
        if _is_async(call.body):
            return await cast("Callable[..., Awaitable[object]]", call.body)(*self._arguments())
        answer = await self._in_thread(lambda: self._context.copy().run(call.body, *self._arguments()))
        return await cast("Awaitable[object]", answer) if isawaitable(answer) else answer

    def _ended(self, body: asyncio.Future[object]) -> None:
        self._body = None
        if not self._stopped:
            self._take(body)
        self._engine.ended(body)

    def _take(self, body: asyncio.Future[object]) -> None:
        """Send what the attempt came to."""
        if body.cancelled():
            self._failed(StepInterrupted("the body of the step was cancelled from within"))
            return
        error = body.exception()
        if isinstance(error, ServiceError) and self._engine.texts.blocks:
            self._engine.fail(error)
            return
        if isinstance(error, Exception):
            self._failed(error)
            return
        if error is not None:
            self._engine.fail(error)
            return
        self._settled(body.result())

    def _settled(self, value: object) -> None:
        """Send the body's result."""
        try:
            payload = value.text if isinstance(value, _Written) else self._written(value)
            size = len(payload) if payload.isascii() else len(payload.encode())
            if size > MAX_OPERATION_PAYLOAD:
                what = f'the result of step "{self._call.name}"' if self._call.name else "the result of a step"
                raise PayloadTooLarge(what, size, MAX_OPERATION_PAYLOAD, "Store it elsewhere in the step and return a reference to it.")
            self._returned(payload)
        except ServiceError as unreachable:  # a stage's store: the invocation is tried again, the step is not at fault
            self._engine.fail(unreachable)
        except Exception as refused:
            self._send("FAIL", error=describe(refused), urgent=True)

    def _written(self, value: object) -> str:
        return self._engine.texts.write(self._call.serdes.serialize(value), self._call.operation_id)

    def _returned(self, payload: str) -> None:
        """The attempt came to a result."""
        update = self._send("SUCCEED", payload=payload, urgent=True)
        if self._call.semantics == "at_least_once":
            self._engine.deliver_early(update)

    def _failed(self, error: Exception) -> None:
        try:
            delay = None if isinstance(error, UsageError) else next_delay(self._call.retry, error, self._attempt, random())
        except Exception as broken:  # the user's strategy failed: that is the step's failure now
            broken.__context__ = error
            error, delay = broken, None
        if delay is None:
            self._send("FAIL", error=describe(error), urgent=True)
        else:
            self._send("RETRY", error=describe(error), delay=delay, urgent=True)

    def _send(
        self,
        action: OperationAction,
        *,
        urgent: bool,
        payload: str | None = None,
        error: ErrorObject | None = None,
        delay: int | None = None,
    ) -> OperationUpdate:
        call = self._call
        if action != "START":
            self._report_end("SUCCEEDED" if error is None else "FAILED", error)
        update = OperationUpdate(
            id=call.operation_id,
            type="STEP",
            action=action,
            parent_id=call.parent_id,
            name=call.name,
            sub_type=call.sub_type,
            payload=payload,
            error=error,
            step_options=None if delay is None else StepOptions(next_attempt_delay_seconds=delay),
        )
        self._engine.send(update, urgent=urgent)
        return update

    def _report_end(self, outcome: FunctionOutcome, error: ErrorObject | None = None) -> None:
        start, self._reported = self._reported, None
        if start is not None and self._engine.reporter is not None:
            self._context.run(self._engine.reporter.attempt_ended, start, outcome, error)


async def _awaited(answer: Awaitable[object]) -> object:
    return await answer


def _is_async(body: Callable[..., object]) -> bool:
    code = getattr(body, "__code__", None)
    if code is not None:
        return bool(code.co_flags & CO_COROUTINE)
    return iscoroutinefunction(body) or iscoroutinefunction(getattr(body, "__call__", None))  # noqa: B004  # the bound method is looked at, not called
