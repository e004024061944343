"""What a handler does durably: one short method per operation.

Rule: an operation takes its id when its method is *called*; the work begins when it is awaited. A context may only be used
by the code that it was given to (and by tasks which that code creates).
"""

from __future__ import annotations

import asyncio
import inspect
from collections.abc import Awaitable, Callable, Coroutine, Iterable, Mapping, Sequence
from datetime import UTC, datetime
from hashlib import blake2b
from random import Random
from typing import TYPE_CHECKING, Generic, Literal, TypeAlias, TypeVar, TypeVarTuple, Unpack, cast, overload
from uuid import UUID

from msgspec import Struct

from everstep.durations import Duration, positive_seconds
from everstep.errors import UsageError
from everstep.logging import DurableLogger, handler_logger
from everstep.operations.batch import BatchKind, BatchResult, TupleResult, divided
from everstep.operations.callback import callback_error_kind, callback_options
from everstep.operations.combination import Combinator, Decision, Selected, Settled, none_succeeded, value_of
from everstep.operations.completion import Completion
from everstep.operations.invoke import invoke_options, invoke_payload
from everstep.operations.naming import checked_sub_type, given_name, inferred_name
from everstep.operations.step import Semantics, checked_semantics
from everstep.operations.wait import wait_seconds
from everstep.polling import Poll, PollStrategy
from everstep.protocol.limits import MAX_NAME, REPLAY_CHILDREN_ABOVE
from everstep.protocol.shapes import TERMINAL, OperationUpdate
from everstep.retry import DEFAULT_RETRY, Retry, RetryStrategy
from everstep.runtime import perform
from everstep.runtime.batch import Batch, BranchCall
from everstep.runtime.child import Body, ContextCall, run_child, run_virtual
from everstep.runtime.combine import combine
from everstep.runtime.live_step import StepCall
from everstep.runtime.loop import DurableTask
from everstep.runtime.perform import Callback
from everstep.runtime.scope import Node, Scope, home_scope
from everstep.saga import Saga
from everstep.serdes import PLAIN, Serdes, result_serdes, serdes_for

if TYPE_CHECKING:
    from everstep.runtime.engine import Engine

S = TypeVar("S")
T = TypeVar("T")
T_co = TypeVar("T_co", covariant=True)
T1 = TypeVar("T1")
T2 = TypeVar("T2")
T3 = TypeVar("T3")
T4 = TypeVar("T4")
Item = TypeVar("Item")
Ts = TypeVarTuple("Ts")


class Branch(Struct, Generic[T_co], frozen=True):
    """A branch of a parallel, with a name of its own. serdes: of its result; default: JSON by its return annotation."""

    body: Callable[[DurableContext], Awaitable[T_co]]
    name: str
    serdes: Serdes[object] | None = None


BranchOf: TypeAlias = "Callable[[DurableContext], Awaitable[T]] | Branch[T]"
Nesting: TypeAlias = Literal["nested", "flat"]
"""Whether each item of a batch is recorded as a context of its own."""


class DurableContext:
    """The operations of a handler, a child context or a branch.

    Every method returns a coroutine: await it, or give it to `asyncio.gather`, a TaskGroup, `asyncio.create_task`.
    name: of the operation, 1 to 256 printable ASCII characters; where there is a function, its name is the default.
    key: identifies the operation within its context instead of its place, so that operations may be inserted or moved around
    it while executions run. Each key once per context.
    """

    __slots__ = ("_engine", "_node")

    def __init__(self, engine: Engine, node: Node) -> None:
        self._engine = engine
        self._node = node

    @property
    def execution_arn(self) -> str:
        """The ARN of the execution."""
        return self._engine.arn

    # -- steps -----------------------------------------------------------------

    @overload
    def step(
        self,
        body: Callable[[Unpack[Ts]], Awaitable[T]],
        *args: *Ts,
        name: str | None = None,
        key: str | None = None,
        retry: Retry | RetryStrategy | None = None,
        semantics: Semantics = "at_least_once",
        timeout: Duration | None = None,
        serdes: Serdes[T] | None = None,
    ) -> Coroutine[object, object, T]: ...
    @overload
    def step(
        self,
        body: Callable[[Unpack[Ts]], T],
        *args: *Ts,
        name: str | None = None,
        key: str | None = None,
        retry: Retry | RetryStrategy | None = None,
        semantics: Semantics = "at_least_once",
        timeout: Duration | None = None,
        serdes: Serdes[T] | None = None,
    ) -> Coroutine[object, object, T]: ...
    def step(
        self,
        body: Callable[..., object],
        *args: object,
        name: str | None = None,
        key: str | None = None,
        retry: Retry | RetryStrategy | None = None,
        semantics: Semantics = "at_least_once",
        timeout: Duration | None = None,
        serdes: Serdes[T] | None = None,
    ) -> Coroutine[object, object, object]:
        """Run `body(*args)` once, record its result, and never run it again after that.

        body: an `async def` function, run on the ordinary event loop, or a plain function, run in a thread.
        retry: when a failed attempt is tried again; default: 6 attempts, 5 s doubling to 60 s, full jitter. `Retry.none()`
            for one attempt. A function (error, attempt) -> delay or None is a strategy of your own.
        semantics: "at_least_once" runs an interrupted attempt again; "at_most_once" counts it as failed with StepInterrupted.
        timeout: of each attempt; a plain function can't be stopped, its result is then ignored.
        serdes: writes and reads the result; default: JSON, read as the body's return annotation.
        Raises StepError (also an instance of the original exception class, where that is imported) when no attempt is left.
        """
        scope = self._enter()
        label = inferred_name(body) if name is None else given_name(name)
        engine = self._engine
        operation_id = self._identify(scope, "STEP", "Step", label, key, inferred=name is None)
        own_serdes = engine.serdes_of(result_serdes(body)) if serdes is None else cast("Serdes[object]", serdes)
        if semantics != "at_least_once":
            checked_semantics(semantics)
        timeout_s = None if timeout is None else positive_seconds("timeout", timeout)
        record = engine.journal.operations.get(operation_id)
        if record is not None and record.status in TERMINAL:
            return engine.called(operation_id, perform.recorded_step(engine, record, own_serdes, semantics))
        call = StepCall(
            operation_id,
            self._node.parent_id,
            label,
            body,
            args,
            DEFAULT_RETRY if retry is None else retry,
            semantics,
            timeout_s,
            own_serdes,
        )
        return engine.called(operation_id, perform.step(engine, call))

    def wait_for_condition(
        self,
        check: Callable[[S], Awaitable[S]] | Callable[[S], S],
        initial_state: S,
        *,
        poll: Poll[S] | PollStrategy[S],
        timeout: Duration | None = None,
        name: str | None = None,
        key: str | None = None,
        serdes: Serdes[S] | None = None,
    ) -> Coroutine[object, object, S]:
        """Call `check(state)` again and again until its state meets the condition; no compute is held in between.

        check: like a step's body; gets the state that it came to the last time, at first `initial_state`, and returns the next.
        poll: when the condition is met and how often to look; `Poll(until=…)`, or a function (state, poll) -> delay or None.
        timeout: from the first poll to the last, which is then. Returns the state that met the condition. Raises WaitForConditionError when
        polls or time are used up, or when a check fails.
        """
        scope = self._enter()
        label = inferred_name(check) if name is None else given_name(name)
        operation_id = self._identify(scope, "STEP", "WaitForCondition", label, key, inferred=name is None)
        call = StepCall(
            operation_id,
            self._node.parent_id,
            label,
            check,
            (initial_state,),
            DEFAULT_RETRY,
            "at_least_once",
            None,
            self.serdes_of(check) if serdes is None else cast("Serdes[object]", serdes),
            "WaitForCondition",
        )
        within_s = None if timeout is None else positive_seconds("timeout", timeout)
        run = perform.condition(self._engine, call, cast("Poll[object] | PollStrategy[object]", poll), within_s)
        return cast("Coroutine[object, object, S]", self._engine.called(operation_id, run))

    # -- time ------------------------------------------------------------------

    def wait(self, duration: Duration, *, name: str | None = None, key: str | None = None) -> Coroutine[object, object, None]:
        """Let time pass without holding compute: a timedelta or seconds, rounded up to whole seconds.

        Cancelling the awaiting task cancels the wait at the service. Raises UsageError outside [1 second, 366 days].
        """
        scope = self._enter()
        seconds = wait_seconds(duration)
        label = None if name is None else given_name(name)
        operation_id = self._identify(scope, "WAIT", "Wait", label, key)
        run = perform.wait(self._engine, operation_id, self._node.parent_id, label, seconds)
        return self._engine.called(operation_id, run)

    def wait_until(self, when: datetime, *, name: str | None = None, key: str | None = None) -> Coroutine[object, object, None]:
        """Wait until an instant; not at all if durable time is past it. when: aware. Raises UsageError if it is naive."""
        scope = self._enter()
        if when.tzinfo is None:
            raise UsageError(f"wait_until({when!r}): the instant is ambiguous; give it a time zone, datetime(…, tzinfo=UTC)")
        label = None if name is None else given_name(name)
        operation_id = self._identify(scope, "WAIT", "Wait", label, key)
        run = perform.wait_until(self._engine, operation_id, self._node.parent_id, label, when.timestamp())
        return self._engine.called(operation_id, run)

    # -- callbacks and invokes -------------------------------------------------

    @overload
    def create_callback(
        self,
        *,
        name: str | None = None,
        key: str | None = None,
        timeout: Duration | None = None,
        heartbeat_timeout: Duration | None = None,
    ) -> Coroutine[object, object, Callback[str | None]]: ...
    @overload
    def create_callback(
        self,
        *,
        returns: type[T],
        name: str | None = None,
        key: str | None = None,
        timeout: Duration | None = None,
        heartbeat_timeout: Duration | None = None,
    ) -> Coroutine[object, object, Callback[T]]: ...
    @overload
    def create_callback(
        self,
        *,
        serdes: Serdes[T],
        name: str | None = None,
        key: str | None = None,
        timeout: Duration | None = None,
        heartbeat_timeout: Duration | None = None,
    ) -> Coroutine[object, object, Callback[T]]: ...
    def create_callback(
        self,
        *,
        returns: type[T] | None = None,
        serdes: Serdes[T] | None = None,
        name: str | None = None,
        key: str | None = None,
        timeout: Duration | None = None,
        heartbeat_timeout: Duration | None = None,
    ) -> Coroutine[object, object, Callback[T] | Callback[str | None]]:
        """A callback with an id for an outside system, which completes it through the service's API.

        returns: the type that the sent JSON is read as; serdes: reads it another way. Without either, awaiting the callback
        gives the text as it was sent, or None if nothing was sent. timeout: how long to wait for the result;
        heartbeat_timeout: how long between two heartbeats. Default: no limit.
        """
        scope = self._enter()
        options = callback_options(timeout, heartbeat_timeout)
        label = None if name is None else given_name(name)
        operation_id = self._identify(scope, "CALLBACK", "Callback", label, key)
        reader = serdes if serdes is not None else None if returns is None else cast("Serdes[T]", serdes_for(returns))
        run = perform.create_callback(self._engine, operation_id, self._node.parent_id, label, options, reader)
        return self._engine.called(operation_id, run)

    @overload
    def wait_for_callback(
        self,
        submitter: Callable[[str, Unpack[Ts]], object],
        *args: *Ts,
        name: str | None = None,
        key: str | None = None,
        timeout: Duration | None = None,
        heartbeat_timeout: Duration | None = None,
        retry: Retry | RetryStrategy | None = None,
    ) -> Coroutine[object, object, str | None]: ...
    @overload
    def wait_for_callback(
        self,
        submitter: Callable[[str, Unpack[Ts]], object],
        *args: *Ts,
        returns: type[T],
        name: str | None = None,
        key: str | None = None,
        timeout: Duration | None = None,
        heartbeat_timeout: Duration | None = None,
        retry: Retry | RetryStrategy | None = None,
    ) -> Coroutine[object, object, T]: ...
    @overload
    def wait_for_callback(
        self,
        submitter: Callable[[str, Unpack[Ts]], object],
        *args: *Ts,
        serdes: Serdes[T],
        name: str | None = None,
        key: str | None = None,
        timeout: Duration | None = None,
        heartbeat_timeout: Duration | None = None,
        retry: Retry | RetryStrategy | None = None,
    ) -> Coroutine[object, object, T]: ...
    def wait_for_callback(
        self,
        submitter: Callable[..., object],
        *args: object,
        returns: type[T] | None = None,
        serdes: Serdes[T] | None = None,
        name: str | None = None,
        key: str | None = None,
        timeout: Duration | None = None,
        heartbeat_timeout: Duration | None = None,
        retry: Retry | RetryStrategy | None = None,
    ) -> Coroutine[object, object, object]:
        """Create a callback, hand its id to `submitter(callback_id, *args)` as a retried step, and wait for the result.

        returns, serdes, timeout, heartbeat_timeout: see `create_callback`. retry: of the submitter, see `step`. The name is
        the submitter's if none is given. Raises CallbackFailed, CallbackTimeout, or CallbackSubmitterError when the submitter
        has failed for good.
        """
        scope = self._enter()
        options = callback_options(timeout, heartbeat_timeout)
        label = inferred_name(submitter) if name is None else given_name(name)
        call = self._context_call(scope, "WaitForCallback", label, key, PLAIN, inferred=name is None)
        call.error = callback_error_kind
        strategy = DEFAULT_RETRY if retry is None else retry
        reader = cast("Serdes[object] | None", serdes) if returns is None else serdes_for(returns)
        child = home_scope(call.operation_id, self._node)
        run = perform.wait_for_callback(self._engine, call, child, submitter, args, options, strategy, reader)
        return self._engine.called(call.operation_id, run)

    @overload
    def invoke(
        self,
        function_name: str,
        payload: object = None,
        *,
        name: str | None = None,
        key: str | None = None,
        tenant_id: str | None = None,
    ) -> Coroutine[object, object, object]: ...
    @overload
    def invoke(
        self,
        function_name: str,
        payload: object = None,
        *,
        returns: type[T],
        name: str | None = None,
        key: str | None = None,
        tenant_id: str | None = None,
    ) -> Coroutine[object, object, T]: ...
    @overload
    def invoke(
        self,
        function_name: str,
        payload: object = None,
        *,
        serdes: Serdes[T],
        name: str | None = None,
        key: str | None = None,
        tenant_id: str | None = None,
    ) -> Coroutine[object, object, T]: ...
    def invoke(
        self,
        function_name: str,
        payload: object = None,
        *,
        returns: type[T] | None = None,
        serdes: Serdes[T] | None = None,
        name: str | None = None,
        key: str | None = None,
        tenant_id: str | None = None,
    ) -> Coroutine[object, object, object]:
        """Invoke another function and wait for its result without holding compute.

        function_name: a name or ARN; a durable function's needs a qualifier (`name:$LATEST`). payload: written as JSON.
        returns: the type that the result is read as; serdes: reads it another way; default: JSON's own types. tenant_id: of the
        invocation, for functions that isolate tenants. Raises InvokeError.
        """
        scope = self._enter()
        options = invoke_options(function_name, tenant_id)
        label = None if name is None else given_name(name)
        text = invoke_payload(payload)
        operation_id = self._identify(scope, "CHAINED_INVOKE", "ChainedInvoke", label, key)
        update = OperationUpdate(
            id=operation_id,
            type="CHAINED_INVOKE",
            sub_type="ChainedInvoke",
            action="START",
            name=label,
            parent_id=self._node.parent_id,
            payload=text,
            chained_invoke_options=options,
        )
        reader = cast("Serdes[object]", serdes or PLAIN) if returns is None else serdes_for(returns)
        return self._engine.called(operation_id, perform.invoke(self._engine, update, reader))

    @overload
    def recurse(self, payload: object = None, *, name: str | None = None, key: str | None = None) -> Coroutine[object, object, object]: ...
    @overload
    def recurse(
        self, payload: object = None, *, returns: type[T], name: str | None = None, key: str | None = None
    ) -> Coroutine[object, object, T]: ...
    def recurse(
        self, payload: object = None, *, returns: type[T] | None = None, name: str | None = None, key: str | None = None
    ) -> Coroutine[object, object, object]:
        """Invoke this function again, in the version that runs, as an execution of its own with another input.

        That keeps long loops short: each round has a history of its own. returns: see `invoke`. Raises InvokeError.
        """
        itself = self._engine.arn.split("/durable-execution/")[0]
        return self.invoke(itself, payload, returns=cast("type[T]", returns), name=name, key=key)

    # -- child contexts, map, parallel -----------------------------------------

    def run_in_child_context(
        self,
        body: Callable[[DurableContext, Unpack[Ts]], Awaitable[T]],
        *args: *Ts,
        name: str | None = None,
        key: str | None = None,
        serdes: Serdes[T] | None = None,
        sub_type: str = "RunInChildContext",
        virtual: bool = False,
    ) -> Coroutine[object, object, T]:
        """Run `body(child, *args)` over a context of its own; its result is recorded, and its operations count as one.

        virtual: the context itself is not recorded, which saves an operation: its body runs again on every replay, over its
        own operations, and a failure is raised as it is.
        Raises ChildContextError (also an instance of the original exception class, where that is imported) if the body fails.
        """
        scope = self._enter()
        label = inferred_name(body) if name is None else given_name(name)
        reader = self.serdes_of(body) if serdes is None else cast("Serdes[object]", serdes)
        if virtual:
            inside = home_scope(self._unrecorded(scope, key), self._node, is_virtual=True)
            run = run_virtual(self._engine, inside, self._on_context(body, args), reader)
            return cast("Coroutine[object, object, T]", self._engine.called(inside.prefix, run))
        call = self._context_call(scope, checked_sub_type(sub_type), label, key, reader, inferred=name is None)
        inside = home_scope(call.operation_id, self._node)
        run = run_child(self._engine, call, inside, self._on_context(body, args))
        return cast("Coroutine[object, object, T]", self._engine.called(call.operation_id, run))

    def with_retry(
        self,
        body: Callable[[DurableContext, int, Unpack[Ts]], Awaitable[T]],
        *args: *Ts,
        retry: Retry | RetryStrategy | None = None,
        name: str | None = None,
        key: str | None = None,
    ) -> Coroutine[object, object, T]:
        """Run `body(child, attempt, *args)`, a block of operations, again when it fails, after a durable wait.

        retry: see `step`; attempts count from 1. Each attempt is a child context of its own inside one for the whole. Raises
        ChildContextError when no attempt is left.
        """
        label = inferred_name(body) if name is None else given_name(name)
        strategy = DEFAULT_RETRY if retry is None else retry
        reader = cast("Serdes[T]", self.serdes_of(body))

        async def attempts(whole: DurableContext) -> T:
            def attempt(number: int) -> Coroutine[object, object, T]:
                return whole.run_in_child_context(body, number, *args, name=f"attempt-{number}")

            async def pause(seconds: int, reason: str) -> None:
                await whole.wait(seconds, name=reason)

            return await perform.with_retry(whole._node, attempt, pause, strategy, label)

        return self.run_in_child_context(attempts, name=label or "with_retry", key=key, serdes=reader)

    @overload
    def map(
        self,
        items: Sequence[Item],
        body: Callable[[DurableContext, Item], Awaitable[T]],
        *,
        name: str | None = None,
        key: str | None = None,
        nesting: Nesting = "nested",
        max_concurrency: int | None = None,
        completion: Completion | None = None,
        item_name: Callable[[Item, int], str] | None = None,
        item_serdes: Serdes[T] | None = None,
        serdes: Serdes[BatchResult[T]] | None = None,
    ) -> Coroutine[object, object, BatchResult[T]]: ...
    @overload
    def map(
        self,
        items: Sequence[Item],
        body: Callable[[DurableContext, Item, int], Awaitable[T]],
        *,
        name: str | None = None,
        key: str | None = None,
        nesting: Nesting = "nested",
        max_concurrency: int | None = None,
        completion: Completion | None = None,
        item_name: Callable[[Item, int], str] | None = None,
        item_serdes: Serdes[T] | None = None,
        serdes: Serdes[BatchResult[T]] | None = None,
    ) -> Coroutine[object, object, BatchResult[T]]: ...
    def map(
        self,
        items: Sequence[Item],
        body: Callable[..., Awaitable[T]],
        *,
        name: str | None = None,
        key: str | None = None,
        nesting: Nesting = "nested",
        max_concurrency: int | None = None,
        completion: Completion | None = None,
        item_name: Callable[[Item, int], str] | None = None,
        item_serdes: Serdes[T] | None = None,
        serdes: Serdes[BatchResult[T]] | None = None,
    ) -> Coroutine[object, object, BatchResult[T]]:
        """Run `body(child, item)` or `body(child, item, index)` for every item, concurrently, each in a context of its own.

        max_concurrency: how many may be under way; default: all. completion: default: the first failure ends the batch.
        nesting: "flat" records no context per item, which saves an operation each. item_name: (item, index) to the name of
        the item's context; default: map-item-<index>. item_serdes: of each result; serdes: of the whole result.
        Failures of items do not raise: look at the result, or call its `throw_if_error()`.
        """
        scope = self._enter()
        with_index = takes_index(body)
        reader = self.serdes_of(body) if item_serdes is None else cast("Serdes[object]", item_serdes)
        branches = [
            BranchCall(
                f"map-item-{index}" if item_name is None else given_name(item_name(item, index)),
                self._on_context(body, (item, index) if with_index else (item,)),
                reader,
            )
            for index, item in enumerate(items)
        ]
        label = inferred_name(body) if name is None else given_name(name)
        call = self._context_call(scope, "Map", label, key, cast("Serdes[object]", serdes or PLAIN), inferred=name is None)
        run = self._batch(call, "Map", branches, nesting, max_concurrency, completion or Completion(), whole=serdes is not None)
        return cast("Coroutine[object, object, BatchResult[T]]", run)

    def map_batches(
        self,
        items: Iterable[Item],
        body: Callable[[DurableContext, Sequence[Item]], Awaitable[T]],
        *,
        max_items: int = 100,
        max_bytes: int = REPLAY_CHILDREN_ABOVE,
        name: str | None = None,
        key: str | None = None,
        max_concurrency: int | None = None,
        completion: Completion | None = None,
    ) -> Coroutine[object, object, BatchResult[T]]:
        """Run `body(child, batch)` for batches of items that together cover all of them, in order: fewer contexts than items.

        max_items, max_bytes: of a batch; bytes are of the items as JSON, and an item above the limit gets a batch of its own.
        Else as `map`; the result has an item per batch.
        """
        batches = divided(items, max_items=max_items, max_bytes=max_bytes)
        label = inferred_name(body) if name is None else name
        return self.map(batches, body, name=label or "map_batches", key=key, max_concurrency=max_concurrency, completion=completion)

    @overload
    def parallel(
        self,
        branches: tuple[BranchOf[T1], BranchOf[T2]],
        *,
        name: str | None = None,
        key: str | None = None,
        nesting: Nesting = "nested",
        max_concurrency: int | None = None,
        completion: Completion | None = None,
    ) -> Coroutine[object, object, TupleResult[T1, T2]]: ...
    @overload
    def parallel(
        self,
        branches: tuple[BranchOf[T1], BranchOf[T2], BranchOf[T3]],
        *,
        name: str | None = None,
        key: str | None = None,
        nesting: Nesting = "nested",
        max_concurrency: int | None = None,
        completion: Completion | None = None,
    ) -> Coroutine[object, object, TupleResult[T1, T2, T3]]: ...
    @overload
    def parallel(
        self,
        branches: tuple[BranchOf[T1], BranchOf[T2], BranchOf[T3], BranchOf[T4]],
        *,
        name: str | None = None,
        key: str | None = None,
        nesting: Nesting = "nested",
        max_concurrency: int | None = None,
        completion: Completion | None = None,
    ) -> Coroutine[object, object, TupleResult[T1, T2, T3, T4]]: ...
    @overload
    def parallel(
        self,
        branches: Sequence[BranchOf[T]] | Mapping[str, Callable[[DurableContext], Awaitable[T]]],
        *,
        name: str | None = None,
        key: str | None = None,
        nesting: Nesting = "nested",
        max_concurrency: int | None = None,
        completion: Completion | None = None,
        item_serdes: Serdes[T] | None = None,
        serdes: Serdes[BatchResult[T]] | None = None,
    ) -> Coroutine[object, object, BatchResult[T]]: ...
    def parallel(
        self,
        branches: Sequence[BranchOf[object]] | Mapping[str, Callable[[DurableContext], Awaitable[object]]],
        *,
        name: str | None = None,
        key: str | None = None,
        nesting: Nesting = "nested",
        max_concurrency: int | None = None,
        completion: Completion | None = None,
        item_serdes: Serdes[T] | None = None,
        serdes: Serdes[BatchResult[T]] | None = None,
    ) -> Coroutine[object, object, object]:
        """Run the branches concurrently, each in a context of its own.

        branches: functions of a context, `Branch`es that have a name, or a mapping of names to functions. A tuple of up to four
        gives a result whose `values()` has their types. Else as `map`; the default completion tolerates no failure.
        """
        scope = self._enter()
        given = [Branch(body, label) for label, body in branches.items()] if isinstance(branches, Mapping) else branches
        calls = [self._branch_call(index, branch, cast("Serdes[object] | None", item_serdes)) for index, branch in enumerate(given)]
        call = self._context_call(
            scope, "Parallel", None if name is None else given_name(name), key, cast("Serdes[object]", serdes or PLAIN)
        )
        completed = completion or Completion.all_successful()
        return self._batch(call, "Parallel", calls, nesting, max_concurrency, completed, whole=serdes is not None)

    # -- combinators -----------------------------------------------------------

    @overload
    def all(self, first: Awaitable[T1], /, *, name: str | None = None, key: str | None = None) -> Coroutine[object, object, tuple[T1]]: ...
    @overload
    def all(
        self, first: Awaitable[T1], second: Awaitable[T2], /, *, name: str | None = None, key: str | None = None
    ) -> Coroutine[object, object, tuple[T1, T2]]: ...
    @overload
    def all(
        self,
        first: Awaitable[T1],
        second: Awaitable[T2],
        third: Awaitable[T3],
        /,
        *,
        name: str | None = None,
        key: str | None = None,
    ) -> Coroutine[object, object, tuple[T1, T2, T3]]: ...
    @overload
    def all(
        self,
        first: Awaitable[T1],
        second: Awaitable[T2],
        third: Awaitable[T3],
        fourth: Awaitable[T4],
        /,
        *,
        name: str | None = None,
        key: str | None = None,
    ) -> Coroutine[object, object, tuple[T1, T2, T3, T4]]: ...
    @overload
    def all(
        self, *awaitables: Awaitable[T], name: str | None = None, key: str | None = None
    ) -> Coroutine[object, object, tuple[T, ...]]: ...
    def all(
        self, *awaitables: Awaitable[object], name: str | None = None, key: str | None = None
    ) -> Coroutine[object, object, tuple[object, ...]]:
        """All values, in the order of the members; the first failure ends it and is raised. What still runs then is cancelled."""

        async def run() -> tuple[object, ...]:
            _, settled = await combined
            return tuple(value_of(member) for member in settled)

        combined = self._combine("All", awaitables, name, key)
        return run()

    def any(self, *awaitables: Awaitable[T], name: str | None = None, key: str | None = None) -> Coroutine[object, object, T]:
        """The value of the first member that succeeds; the others are cancelled. Raises NoneSucceeded, with all their errors."""

        async def run() -> T:
            decision, settled = await combined
            if decision.winner is None:
                raise none_succeeded([member.error for member in settled if member.error is not None])
            return cast("T", value_of(settled[0]))

        combined = self._combine("Any", awaitables, name, key)
        return run()

    def race(self, *awaitables: Awaitable[T], name: str | None = None, key: str | None = None) -> Coroutine[object, object, T]:
        """The value, or the error, of the first member that ends; the others are cancelled. Raises UsageError without members."""
        if not awaitables:
            raise UsageError("race() needs members: a race of none would never end")

        async def run() -> T:
            _, settled = await combined
            return cast("T", value_of(settled[0]))

        combined = self._combine("Race", awaitables, name, key)
        return run()

    def all_settled(
        self, *awaitables: Awaitable[T], name: str | None = None, key: str | None = None
    ) -> Coroutine[object, object, list[Settled[T]]]:
        """How every member ended, in the order of the members; it does not raise for them."""

        async def run() -> list[Settled[T]]:
            _, settled = await combined
            return cast("list[Settled[T]]", settled)

        combined = self._combine("AllSettled", awaitables, name, key)
        return run()

    def select(
        self, members: Mapping[str, Awaitable[T]], *, name: str | None = None, key: str | None = None
    ) -> Coroutine[object, object, Selected[T]]:
        """The name and value of the member that ends first; the others are cancelled. Raises its error if it failed."""
        if not members:
            raise UsageError("select() needs members: none of none would ever end")
        names = list(members)

        async def run() -> Selected[T]:
            decision, settled = await combined
            assert decision.winner is not None
            return Selected(names[decision.winner], cast("T", value_of(settled[0])))

        combined = self._combine("Select", tuple(members.values()), name, key)
        return run()

    def saga(self, *, compensate_on_cancellation: bool = True) -> Saga:
        """A scope in which steps register how they are undone: `async with ctx.saga() as saga: …; saga.compensate(undo, …)`."""
        return Saga(self, compensate_on_cancellation=compensate_on_cancellation)

    # -- replay-safe values ----------------------------------------------------

    def now(self) -> datetime:
        """Durable time, UTC: the latest recorded time that this code has come to. Not an operation; the same on every replay."""
        return datetime.fromtimestamp(self._engine.durable_time, UTC)

    def uuid4(self) -> UUID:
        """A UUID that looks random and is the same on every replay. Not an operation."""
        return UUID(bytes=self._draw(16), version=4)

    def random(self) -> Random:
        """A generator of random numbers that gives the same on every replay. Not an operation; not for secrets."""
        return Random(self._draw(16))

    @property
    def is_replaying(self) -> bool:
        """Whether this code has run before: something recorded is still ahead."""
        return self._engine.is_replaying

    @property
    def logger(self) -> DurableLogger:
        """A standard logger that is silent while the code is replayed; its records carry the execution and the operation."""
        return DurableLogger(handler_logger(), self._engine, self._node.parent_id)

    @property
    def lambda_context(self) -> object:
        """The context object that AWS Lambda hands to the invocation; None in other homes."""
        return self._engine.lambda_context

    def patched(self, change: str) -> bool:
        """Whether executions take the new path of a change in the code: `if ctx.patched("use-new-bank"): … else: …`.

        New executions do, and those that had not come to this point yet; that is recorded. Those that were past it keep the
        old path, on every replay. change: a name, unique in the handler.
        """
        scope = self._enter()
        operation_id = scope.next_operation_id(f"patch {change}")
        return self._engine.patched(operation_id, self._node.parent_id, given_name(change))

    def serdes_of(self, body: Callable[..., object]) -> Serdes[object]:
        """The serdes of what `body` returns, by its return annotation, as this handler is configured."""
        return self._engine.serdes_of(result_serdes(body))

    # -- within ----------------------------------------------------------------

    def _enter(self) -> Scope:
        """The scope of the calling code. Raises UsageError if this context is not that code's to use."""
        try:
            task = asyncio.current_task()
        except RuntimeError:
            task = None
        if self._engine.loop.is_closed():
            self._engine.loop.end_if_closed()
            return Scope(self._node, self._node.prefix)
        if isinstance(task, DurableTask) and task.scope.node is self._node:  # then it is a task of this engine's
            if self._node.is_cancelled:
                self._engine.refuse_cancelled()
            return task.scope
        if not isinstance(task, DurableTask) or task.get_loop() is not self._engine.loop:
            raise UsageError(
                "an operation was called outside the handler's own code: inside a step's body, in another thread or event loop, or in "
                "a callback. Steps can't hold operations: call them from the handler, or make the step a child context."
            )
        if self._node.is_cancelled or task.scope.node.is_cancelled:
            self._engine.refuse_cancelled()
            return task.scope
        raise UsageError(
            "an operation was called on another context than the one the code runs in: use the context that the child context's "
            "or branch's function was given, and none of a context that has ended"
        )

    def _on_context(self, body: Callable[..., Awaitable[object]], arguments: tuple[object, ...]) -> Body:
        """The body, to be run with a context made for its node. Raises UsageError if it is none."""
        if not callable(body):
            raise UsageError(f"{body!r} is not a function: a child context, an item or a branch is `async def body(ctx, …)`")
        engine = self._engine
        return lambda node: body(DurableContext(engine, node), *arguments)

    def _identify(
        self, scope: Scope, operation_type: str, sub_type: str, name: str | None, key: str | None, *, inferred: bool = False
    ) -> str:
        """The id of the operation being called, checked against what is recorded under it."""
        operation_id = scope.next_operation_id() if key is None else self._unrecorded(scope, key)
        self._engine.recorded(
            operation_id,
            operation_type=operation_type,
            sub_type=sub_type,
            name=name,
            parent_id=self._node.parent_id,
            name_is_inferred=inferred,
        )
        return operation_id

    def _unrecorded(self, scope: Scope, key: str | None) -> str:
        """The next id, or that of a key. Raises UsageError if the key was used before in this context."""
        if key is not None:
            if not 1 <= len(key) <= MAX_NAME:
                raise UsageError(f"an operation's key is {key[:80]!r} ({len(key)} characters); it must have 1 to {MAX_NAME}")
            if key in self._node.keys:
                raise UsageError(f"the key {key!r} is used twice in one context; keys tell operations apart, so each needs its own")
            self._node.keys.add(key)
        return scope.next_operation_id(key)

    def _context_call(
        self, scope: Scope, sub_type: str, name: str | None, key: str | None, serdes: Serdes[object], *, inferred: bool = False
    ) -> ContextCall:
        operation_id = self._identify(scope, "CONTEXT", sub_type, name, key, inferred=inferred)
        return ContextCall(operation_id, self._node.parent_id, name, sub_type, serdes)

    def _batch(
        self,
        call: ContextCall,
        kind: BatchKind,
        branches: Sequence[BranchCall],
        nesting: Nesting,
        max_concurrency: int | None,
        completion: Completion,
        *,
        whole: bool,
    ) -> Coroutine[object, object, BatchResult[object]]:
        if max_concurrency is not None and max_concurrency < 1:
            raise UsageError(f"max_concurrency is {max_concurrency}; the least is 1, and None means no limit")
        if nesting not in ("nested", "flat"):
            raise UsageError(f'nesting is {nesting!r}; it must be "nested" or "flat"')
        completion.check_total(len(branches))
        batch = Batch(
            self._engine,
            kind,
            call,
            self._node,
            branches,
            max_concurrency=max_concurrency,
            completion=completion,
            is_flat=nesting == "flat",
            has_own_serdes=whole,
        )
        return self._engine.called(call.operation_id, batch.run())

    def _branch_call(self, index: int, branch: BranchOf[object], serdes: Serdes[object] | None) -> BranchCall:
        if isinstance(branch, Branch):
            name, body, serdes = given_name(branch.name), branch.body, branch.serdes or serdes
        else:
            name, body = f"parallel-branch-{index}", branch
        return BranchCall(name, self._on_context(body, ()), serdes or self.serdes_of(body))

    def _combine(
        self, combinator: Combinator, members: Sequence[Awaitable[object]], name: str | None, key: str | None
    ) -> Coroutine[object, object, tuple[Decision, list[Settled[object]]]]:
        scope = self._enter()
        call = self._context_call(scope, combinator, None if name is None else given_name(name), key, PLAIN)
        return self._engine.called(call.operation_id, combine(self._engine, scope, call, combinator, members))

    def _draw(self, size: int) -> bytes:
        """Bytes that depend on the execution and on how often this code has drawn."""
        scope = self._enter()
        scope.draws += 1
        return blake2b(f"{self._engine.arn} {scope.prefix} draw {scope.draws}".encode(), digest_size=size).digest()


def takes_index(body: Callable[..., object]) -> bool:
    """Whether a map's body takes the index besides the context and the item."""
    parameters = [
        parameter
        for parameter in inspect.signature(body).parameters.values()
        if parameter.kind in (parameter.POSITIONAL_ONLY, parameter.POSITIONAL_OR_KEYWORD, parameter.VAR_POSITIONAL)
        and parameter.default is parameter.empty
    ]
    return len(parameters) >= 3
