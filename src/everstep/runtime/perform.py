"""What the operations of a context do once they are awaited.

Rule: each looks at what is recorded, lets the engine begin the live work when its turn comes, and makes the value or the
error from the record alone.
"""

from __future__ import annotations

import asyncio
import contextvars
import math
from collections.abc import Awaitable, Callable, Generator
from random import random
from typing import Generic, TypeVar, cast

from everstep.errors import OperationError, StepError, UsageError, WaitForConditionError
from everstep.failures import restore
from everstep.operations.callback import callback_failure, submitter_failure
from everstep.operations.invoke import invoke_failure
from everstep.operations.step import Semantics
from everstep.polling import Poll, PollStrategy
from everstep.protocol.limits import MAX_DELAY_S, MAX_NAME
from everstep.protocol.shapes import TERMINAL, CallbackOptions, Operation, OperationUpdate, WaitOptions
from everstep.retry import Retry, RetryStrategy, next_delay
from everstep.runtime.child import ContextCall, run_child
from everstep.runtime.engine import Engine
from everstep.runtime.live_condition import LiveCondition
from everstep.runtime.live_step import LiveStep, StepCall
from everstep.runtime.scope import Node, Scope
from everstep.serdes import Serdes, result_serdes

T = TypeVar("T")


class Callback(Generic[T]):
    """A callback that an outside system completes by `callback_id`. Await it, or `result()`, for what that system sent."""

    def __init__(self, engine: Engine, operation_id: str, callback_id: str, serdes: Serdes[T] | None) -> None:
        self.callback_id = callback_id
        self._engine = engine
        self._operation_id = operation_id
        self._serdes = serdes

    async def result(self) -> T:
        """The result that was sent. Raises CallbackFailed or CallbackTimeout."""
        recorded = await self._engine.outcome(self._operation_id, None)
        if recorded.status != "SUCCEEDED":
            raise callback_failure(recorded)
        text = recorded.callback_details.result if recorded.callback_details else None
        if text is None or self._serdes is None:
            return cast("T", text)
        return self._serdes.deserialize(text)

    def __await__(self) -> Generator[object, None, T]:
        return self.result().__await__()


async def recorded_step(engine: Engine, record: Operation, serdes: Serdes[object], semantics: Semantics) -> object:
    """A step whose end is recorded already: what a replay consists of."""
    engine.unawaited.pop(record.id, None)
    is_early = record.status == "SUCCEEDED" and semantics == "at_least_once"
    if not engine.passes(record, is_early=is_early):
        await engine.outcome(record.id, None, is_early=is_early)
    return step_value(engine, record, serdes, StepError)


async def step(engine: Engine, call: StepCall) -> object:
    engine.unawaited.pop(call.operation_id, None)
    recorded = engine.journal.operations.get(call.operation_id)
    if recorded is not None and recorded.status in TERMINAL:
        return await recorded_step(engine, recorded, call.serdes, call.semantics)
    live = LiveStep(engine, call, contextvars.copy_context())
    recorded = await engine.outcome(call.operation_id, live.begin)
    return step_value(engine, recorded, call.serdes, StepError)


def step_value(engine: Engine, recorded: Operation, serdes: Serdes[object], error: type[OperationError]) -> object:
    """The recorded result. Raises the recorded error, as `error`."""
    details = recorded.step_details
    if recorded.status == "SUCCEEDED":
        text = details.result if details is not None else None
        if text is None:
            return None
        return serdes.deserialize(engine.texts.read(text, recorded.id) if text[:1] == "{" else text)
    raise restore(details.error if details is not None else None, error)


async def condition(engine: Engine, call: StepCall, strategy: Poll[object] | PollStrategy[object], within_s: float | None) -> object:
    engine.unawaited.pop(call.operation_id, None)
    recorded = engine.journal.operations.get(call.operation_id)
    if recorded is not None and recorded.end_timestamp is not None:
        recorded = await engine.outcome(call.operation_id, None)
    else:
        live = LiveCondition(engine, call, contextvars.copy_context(), strategy, within_s)
        recorded = await engine.outcome(call.operation_id, live.begin)
    return step_value(engine, recorded, call.serdes, WaitForConditionError)


async def wait_until(engine: Engine, operation_id: str, parent_id: str | None, name: str | None, when_s: float) -> None:
    """when_s: seconds since the epoch."""
    engine.unawaited.pop(operation_id, None)
    if operation_id not in engine.journal.operations and when_s <= engine.durable_time:
        return
    seconds = min(max(1, math.ceil(when_s - engine.clock())), MAX_DELAY_S)
    await wait(engine, operation_id, parent_id, name, seconds)


async def with_retry(
    node: Node,
    attempt: Callable[[int], Awaitable[T]],
    pause: Callable[[int, str], Awaitable[None]],
    retry: Retry | RetryStrategy,
    name: str | None,
) -> T:
    """attempt: runs the block, given the attempt's number. pause: waits so many seconds, under a name."""
    number = 1
    while True:
        try:
            return await attempt(number)
        except UsageError:
            raise
        except Exception as error:
            delay = next_delay(retry, error, number, random())
            if delay is None or node.is_cancelled:
                raise
        await pause(delay, f"{name or 'retry'}-backoff-{number}"[-MAX_NAME:])
        number += 1


async def wait(engine: Engine, operation_id: str, parent_id: str | None, name: str | None, seconds: int) -> None:
    engine.unawaited.pop(operation_id, None)
    start = OperationUpdate(
        id=operation_id,
        type="WAIT",
        sub_type="Wait",
        action="START",
        parent_id=parent_id,
        name=name,
        wait_options=WaitOptions(wait_seconds=seconds),
    )
    try:
        await engine.outcome(operation_id, lambda: engine.start(start))
    except asyncio.CancelledError:
        engine.cancel_wait(operation_id)
        raise


async def create_callback(
    engine: Engine, operation_id: str, parent_id: str | None, name: str | None, options: CallbackOptions | None, serdes: Serdes[T] | None
) -> Callback[T]:
    engine.unawaited.pop(operation_id, None)
    start = OperationUpdate(
        id=operation_id,
        type="CALLBACK",
        sub_type="Callback",
        action="START",
        parent_id=parent_id,
        name=name,
        callback_options=options,
    )
    recorded = await engine.begun(start)
    callback_id = recorded.callback_details.callback_id if recorded.callback_details else None
    assert callback_id is not None, "the service gives every callback an id"
    return Callback(engine, operation_id, callback_id, serdes)


async def wait_for_callback(
    engine: Engine,
    call: ContextCall,
    scope: Scope,
    submitter: Callable[..., object],
    args: tuple[object, ...],
    options: CallbackOptions | None,
    retry: Retry | RetryStrategy,
    serdes: Serdes[object] | None,
) -> object:
    engine.unawaited.pop(call.operation_id, None)

    async def body(node: Node) -> str | None:
        prefix = f"{call.name} " if call.name else ""
        name = f"{prefix}create callback id"[:MAX_NAME]
        callback_id = scope.next_operation_id()
        engine.recorded(
            callback_id, operation_type="CALLBACK", sub_type="Callback", name=name, parent_id=node.parent_id, name_is_inferred=False
        )
        callback: Callback[str | None] = await create_callback(engine, callback_id, node.parent_id, name, options, None)
        name = f"{prefix}submitter"[:MAX_NAME]
        step_id = scope.next_operation_id()
        engine.recorded(step_id, operation_type="STEP", sub_type="Step", name=name, parent_id=node.parent_id, name_is_inferred=False)
        submission = StepCall(
            step_id,
            node.parent_id,
            name,
            submitter,
            (callback.callback_id, *args),
            retry,
            "at_least_once",
            None,
            engine.serdes_of(result_serdes(submitter)),
        )
        try:
            await step(engine, submission)
        except StepError as error:
            raise submitter_failure(error) from None
        return await callback.result()

    text = await run_child(engine, call, scope, body)
    return text if text is None or serdes is None else serdes.deserialize(cast("str", text))


async def invoke(engine: Engine, start: OperationUpdate, serdes: Serdes[object]) -> object:
    engine.unawaited.pop(start.id, None)
    recorded = await engine.outcome(start.id, lambda: engine.start(start))
    if recorded.status != "SUCCEEDED":
        raise invoke_failure(recorded)
    text = recorded.chained_invoke_details.result if recorded.chained_invoke_details else None
    return None if not text else serdes.deserialize(text)
