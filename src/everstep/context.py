"""What a handler does durably: one short method per operation.

Rule: an operation takes its id when its method is *called*; the work begins when it is awaited. A context may only be used
by the code that it was given to (and by tasks which that code creates).
"""

from __future__ import annotations

import asyncio
import inspect
from collections.abc import Awaitable, Callable, Coroutine, Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Generic, TypeVar, TypeVarTuple, Unpack, cast, overload

from everstep.durations import Duration, seconds_of
from everstep.errors import UsageError
from everstep.operations.batch import BatchKind, BatchResult
from everstep.operations.callback import callback_error_kind, callback_options
from everstep.operations.completion import Completion
from everstep.operations.invoke import invoke_options, invoke_payload
from everstep.operations.naming import checked_sub_type, given_name, inferred_name
from everstep.operations.step import Semantics, checked_semantics
from everstep.operations.wait import wait_seconds
from everstep.protocol.shapes import OperationUpdate
from everstep.retry import DEFAULT_RETRY, Retry, RetryStrategy
from everstep.runtime import perform
from everstep.runtime.batch import Batch, BranchCall
from everstep.runtime.child import Body, ContextCall, run_child
from everstep.runtime.live_step import StepCall
from everstep.runtime.loop import DurableTask
from everstep.runtime.perform import Callback
from everstep.runtime.scope import Node, Scope, home_scope
from everstep.serdes import PLAIN, Serdes, result_serdes, serdes_for

if TYPE_CHECKING:
    from everstep.runtime.engine import Engine

T = TypeVar("T")
Item = TypeVar("Item")
Ts = TypeVarTuple("Ts")


@dataclass(frozen=True, slots=True)
class Branch(Generic[T]):
    """A branch of a parallel, with a name of its own."""

    body: Callable[[DurableContext], Awaitable[T]]
    name: str


class DurableContext:
    """The operations of a handler, a child context or a branch.

    Every method returns a coroutine: await it, or give it to `asyncio.gather`, a TaskGroup, `asyncio.create_task`.
    name: of the operation, 1 to 256 printable ASCII characters; where there is a function, its name is the default.
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
        body: Callable[[Unpack[Ts]], Coroutine[object, object, T]],
        *args: *Ts,
        name: str | None = None,
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
        inferred = name is None
        label = inferred_name(body) if name is None else given_name(name)
        operation_id = scope.next_operation_id()
        parent_id = self._node.operation_id
        if operation_id in self._engine.journal.operations:
            self._engine.recorded(
                operation_id, operation_type="STEP", sub_type="Step", name=label, parent_id=parent_id, name_is_inferred=inferred
            )
        call = StepCall(
            operation_id,
            parent_id,
            label,
            body,
            args,
            DEFAULT_RETRY if retry is None else retry,
            semantics if semantics == "at_least_once" else checked_semantics(semantics),
            None if timeout is None else _positive("timeout", timeout),
            result_serdes(body) if serdes is None else cast("Serdes[object]", serdes),
        )
        return perform.step(self._engine, call)

    # -- time ------------------------------------------------------------------

    def wait(self, duration: Duration, *, name: str | None = None) -> Coroutine[object, object, None]:
        """Let time pass without holding compute: a timedelta or seconds, rounded up to whole seconds.

        Cancelling the awaiting task cancels the wait at the service. Raises UsageError outside [1 second, 366 days].
        """
        scope = self._enter()
        seconds = wait_seconds(duration)
        label = None if name is None else given_name(name)
        return perform.wait(self._engine, self._named(scope, "WAIT", "Wait", label), self._node.operation_id, label, seconds)

    # -- callbacks and invokes -------------------------------------------------

    @overload
    def create_callback(
        self, *, name: str | None = None, timeout: Duration | None = None, heartbeat_timeout: Duration | None = None
    ) -> Coroutine[object, object, Callback[str | None]]: ...
    @overload
    def create_callback(
        self,
        *,
        returns: type[T],
        name: str | None = None,
        timeout: Duration | None = None,
        heartbeat_timeout: Duration | None = None,
    ) -> Coroutine[object, object, Callback[T]]: ...
    @overload
    def create_callback(
        self,
        *,
        serdes: Serdes[T],
        name: str | None = None,
        timeout: Duration | None = None,
        heartbeat_timeout: Duration | None = None,
    ) -> Coroutine[object, object, Callback[T]]: ...
    def create_callback(
        self,
        *,
        returns: type[T] | None = None,
        serdes: Serdes[T] | None = None,
        name: str | None = None,
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
        operation_id = self._named(scope, "CALLBACK", "Callback", label)
        reader = serdes if serdes is not None else None if returns is None else cast("Serdes[T]", serdes_for(returns))
        return perform.create_callback(self._engine, operation_id, self._node.operation_id, label, options, reader)

    @overload
    def wait_for_callback(
        self,
        submitter: Callable[[str, Unpack[Ts]], object],
        *args: *Ts,
        name: str | None = None,
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
        inferred = name is None
        label = inferred_name(submitter) if name is None else given_name(name)
        call = self._context_call(scope, "WaitForCallback", label, inferred, PLAIN)
        call.error = callback_error_kind
        strategy = DEFAULT_RETRY if retry is None else retry
        reader = cast("Serdes[object] | None", serdes) if returns is None else serdes_for(returns)
        child = home_scope(call.operation_id, self._node)
        return perform.wait_for_callback(self._engine, call, child, submitter, args, options, strategy, reader)

    @overload
    def invoke(
        self, function_name: str, payload: object = None, *, name: str | None = None, tenant_id: str | None = None
    ) -> Coroutine[object, object, object]: ...
    @overload
    def invoke(
        self, function_name: str, payload: object = None, *, returns: type[T], name: str | None = None, tenant_id: str | None = None
    ) -> Coroutine[object, object, T]: ...
    def invoke(
        self,
        function_name: str,
        payload: object = None,
        *,
        returns: type[T] | None = None,
        name: str | None = None,
        tenant_id: str | None = None,
    ) -> Coroutine[object, object, object]:
        """Invoke another function and wait for its result without holding compute.

        function_name: a name or ARN; a durable function's needs a qualifier (`name:$LATEST`). payload: written as JSON.
        returns: the type that the result is read as; default: JSON's own types. Raises InvokeError.
        """
        scope = self._enter()
        options = invoke_options(function_name, tenant_id)
        label = None if name is None else given_name(name)
        text = invoke_payload(payload)
        operation_id = self._named(scope, "CHAINED_INVOKE", "ChainedInvoke", label)
        update = OperationUpdate(
            id=operation_id,
            type="CHAINED_INVOKE",
            sub_type="ChainedInvoke",
            action="START",
            name=label,
            parent_id=self._node.operation_id,
            payload=text,
            chained_invoke_options=options,
        )
        return perform.invoke(self._engine, update, PLAIN if returns is None else serdes_for(returns))

    # -- child contexts, map, parallel -----------------------------------------

    def run_in_child_context(
        self,
        body: Callable[[DurableContext, Unpack[Ts]], Awaitable[T]],
        *args: *Ts,
        name: str | None = None,
        serdes: Serdes[T] | None = None,
        sub_type: str = "RunInChildContext",
    ) -> Coroutine[object, object, T]:
        """Run `body(child, *args)` over a context of its own; its result is recorded, and its operations count as one.

        Raises ChildContextError (also an instance of the original exception class, where that is imported) if the body fails.
        """
        scope = self._enter()
        inferred = name is None
        label = inferred_name(body) if name is None else given_name(name)
        reader = result_serdes(body) if serdes is None else cast("Serdes[object]", serdes)
        call = self._context_call(scope, checked_sub_type(sub_type), label, inferred, reader)
        child = home_scope(call.operation_id, self._node)
        run = run_child(self._engine, call, child, self._on_context(body, args))
        return cast("Coroutine[object, object, T]", run)

    @overload
    def map(
        self,
        items: Sequence[Item],
        body: Callable[[DurableContext, Item], Awaitable[T]],
        *,
        name: str | None = None,
        max_concurrency: int | None = None,
        completion: Completion | None = None,
        item_serdes: Serdes[T] | None = None,
    ) -> Coroutine[object, object, BatchResult[T]]: ...
    @overload
    def map(
        self,
        items: Sequence[Item],
        body: Callable[[DurableContext, Item, int], Awaitable[T]],
        *,
        name: str | None = None,
        max_concurrency: int | None = None,
        completion: Completion | None = None,
        item_serdes: Serdes[T] | None = None,
    ) -> Coroutine[object, object, BatchResult[T]]: ...
    def map(
        self,
        items: Sequence[Item],
        body: Callable[..., Awaitable[T]],
        *,
        name: str | None = None,
        max_concurrency: int | None = None,
        completion: Completion | None = None,
        item_serdes: Serdes[T] | None = None,
    ) -> Coroutine[object, object, BatchResult[T]]:
        """Run `body(child, item)` or `body(child, item, index)` for every item, concurrently, each in a context of its own.

        max_concurrency: how many may be under way; default: all. completion: default: the first failure ends the batch.
        Failures of items do not raise: look at the result, or call its `throw_if_error()`.
        """
        scope = self._enter()
        with_index = takes_index(body)
        reader = result_serdes(body) if item_serdes is None else cast("Serdes[object]", item_serdes)
        branches = [
            BranchCall(f"map-item-{index}", self._on_context(body, (item, index) if with_index else (item,)), reader)
            for index, item in enumerate(items)
        ]
        inferred = name is None
        label = inferred_name(body) if name is None else given_name(name)
        run = self._batch(scope, "Map", label, inferred, branches, max_concurrency, completion or Completion())
        return cast("Coroutine[object, object, BatchResult[T]]", run)

    def parallel(
        self,
        branches: Sequence[Callable[[DurableContext], Awaitable[T]] | Branch[T]] | Mapping[str, Callable[[DurableContext], Awaitable[T]]],
        *,
        name: str | None = None,
        max_concurrency: int | None = None,
        completion: Completion | None = None,
        item_serdes: Serdes[T] | None = None,
    ) -> Coroutine[object, object, BatchResult[T]]:
        """Run the branches concurrently, each in a context of its own.

        branches: functions of a context, `Branch`es that have a name, or a mapping of names to functions.
        max_concurrency, completion and failures: see `map`; the default completion tolerates no failure.
        """
        scope = self._enter()
        given = [Branch(body, label) for label, body in branches.items()] if isinstance(branches, Mapping) else branches
        calls: list[BranchCall] = []
        for index, branch in enumerate(given):
            body, label = (branch.body, given_name(branch.name)) if isinstance(branch, Branch) else (branch, None)
            reader = result_serdes(body) if item_serdes is None else cast("Serdes[object]", item_serdes)
            calls.append(BranchCall(label or f"parallel-branch-{index}", self._on_context(body, ()), reader))
        label = None if name is None else given_name(name)
        run = self._batch(scope, "Parallel", label, False, calls, max_concurrency, completion or Completion.all_successful())
        return cast("Coroutine[object, object, BatchResult[T]]", run)

    # -- within ----------------------------------------------------------------

    def _enter(self) -> Scope:
        """The scope of the calling code. Raises UsageError if this context is not that code's to use."""
        try:
            task = asyncio.current_task()
        except RuntimeError:
            task = None
        if self._engine.dropped:
            raise GeneratorExit
        if not isinstance(task, DurableTask) or task.get_loop() is not self._engine.loop:
            raise UsageError(
                "an operation was called outside the handler's own code: inside a step's body, in another thread or event loop, or in "
                "a callback. Steps can't hold operations: call them from the handler, or make the step a child context."
            )
        scope = task.scope
        if scope.node is not self._node:
            if self._node.is_cancelled or scope.node.is_cancelled:
                raise asyncio.CancelledError
            raise UsageError(
                "an operation was called on another context than the one the code runs in: use the context that the child context's "
                "or branch's function was given, and none of a context that has ended"
            )
        if self._node.is_cancelled:
            raise asyncio.CancelledError
        return scope

    def _on_context(self, body: Callable[..., Awaitable[object]], arguments: tuple[object, ...]) -> Body:
        """The body, to be run with a context made for its node."""
        engine = self._engine
        return lambda node: body(DurableContext(engine, node), *arguments)

    def _named(self, scope: Scope, operation_type: str, sub_type: str, name: str | None, *, inferred: bool = False) -> str:
        """The id of the operation being called, checked against what is recorded under it."""
        operation_id = scope.next_operation_id()
        self._engine.recorded(
            operation_id,
            operation_type=operation_type,
            sub_type=sub_type,
            name=name,
            parent_id=self._node.operation_id,
            name_is_inferred=inferred,
        )
        return operation_id

    def _context_call(self, scope: Scope, sub_type: str, name: str | None, inferred: bool, serdes: Serdes[object]) -> ContextCall:
        operation_id = self._named(scope, "CONTEXT", sub_type, name, inferred=inferred)
        return ContextCall(operation_id, self._node.operation_id, name, sub_type, serdes)

    def _batch(
        self,
        scope: Scope,
        kind: BatchKind,
        name: str | None,
        inferred: bool,
        branches: Sequence[BranchCall],
        max_concurrency: int | None,
        completion: Completion,
    ) -> Coroutine[object, object, BatchResult[object]]:
        if max_concurrency is not None and max_concurrency < 1:
            raise UsageError(f"max_concurrency is {max_concurrency}; the least is 1, and None means no limit")
        completion.check_total(len(branches))
        call = self._context_call(scope, kind, name, inferred, PLAIN)
        batch = Batch(self._engine, kind, call, self._node, branches, max_concurrency=max_concurrency, completion=completion)
        return batch.run()


def takes_index(body: Callable[..., object]) -> bool:
    """Whether a map's body takes the index besides the context and the item."""
    parameters = [
        parameter
        for parameter in inspect.signature(body).parameters.values()
        if parameter.kind in (parameter.POSITIONAL_ONLY, parameter.POSITIONAL_OR_KEYWORD, parameter.VAR_POSITIONAL)
        and parameter.default is parameter.empty
    ]
    return len(parameters) >= 3


def _positive(what: str, duration: Duration) -> float:
    seconds = seconds_of(duration)
    if not seconds > 0:
        raise UsageError(f"{what} is {duration!r}; it must be more than zero")
    return seconds
