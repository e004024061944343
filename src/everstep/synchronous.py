"""The context of a handler that is a plain function: the same operations, without `await`.

Rule: names, options and defaults are DurableContext's; each method waits for its operation and returns its value. The
bodies of child contexts, items and branches are plain functions of such a context, too. Steps may be either kind.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Coroutine, Iterable, Mapping, Sequence
from datetime import datetime
from functools import wraps
from random import Random
from types import TracebackType
from typing import TYPE_CHECKING, Generic, Self, TypeVar, TypeVarTuple, Unpack, cast, overload
from uuid import UUID

from everstep.durations import Duration
from everstep.errors import UsageError
from everstep.logging import DurableLogger
from everstep.operations.batch import BatchResult, divided
from everstep.operations.completion import Completion
from everstep.operations.naming import inferred_name
from everstep.operations.step import Semantics
from everstep.polling import Poll, PollStrategy
from everstep.protocol.limits import REPLAY_CHILDREN_ABOVE
from everstep.retry import Retry, RetryStrategy
from everstep.runtime.greenlets import in_greenlet, wait_here
from everstep.runtime.perform import Callback
from everstep.saga import Saga
from everstep.serdes import Serdes

if TYPE_CHECKING:
    from everstep.context import DurableContext, Nesting

S = TypeVar("S")
T = TypeVar("T")
Item = TypeVar("Item")
Ts = TypeVarTuple("Ts")


class SyncCallback(Generic[T]):
    """A callback that an outside system completes by `callback_id`."""

    def __init__(self, callback: Callback[T]) -> None:
        self.callback_id = callback.callback_id
        self._callback = callback

    def result(self) -> T:
        """The result that was sent. Raises CallbackFailed or CallbackTimeout."""
        return wait_here(self._callback.result())


class SyncContext:
    """The operations of a handler, a child context or a branch that is a plain function. Options: see DurableContext."""

    def __init__(self, context: DurableContext) -> None:
        self._context = context

    @property
    def execution_arn(self) -> str:
        """The ARN of the execution."""
        return self._context.execution_arn

    @property
    def is_replaying(self) -> bool:
        """Whether this code has run before: something recorded is still ahead."""
        return self._context.is_replaying

    @property
    def logger(self) -> DurableLogger:
        """A standard logger that is silent while the code is replayed; its records carry the execution and the operation."""
        return self._context.logger

    @property
    def lambda_context(self) -> object:
        """The context object that AWS Lambda hands to the invocation; None in other homes."""
        return self._context.lambda_context

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
    ) -> T: ...
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
    ) -> T: ...
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
    ) -> object:
        """Run `body(*args)` once, record its result, and never run it again after that."""
        run = self._context.step(
            body, *args, name=name, key=key, retry=retry, semantics=semantics, timeout=timeout, serdes=cast("Serdes[object]", serdes)
        )
        return wait_here(run)

    def wait(self, duration: Duration, *, name: str | None = None, key: str | None = None) -> None:
        """Let time pass without holding compute."""
        wait_here(self._context.wait(duration, name=name, key=key))

    def wait_until(self, when: datetime, *, name: str | None = None, key: str | None = None) -> None:
        """Wait until an instant."""
        wait_here(self._context.wait_until(when, name=name, key=key))

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
    ) -> S:
        """Call `check(state)` again and again until its state meets the condition."""
        run = self._context.wait_for_condition(check, initial_state, poll=poll, timeout=timeout, name=name, key=key, serdes=serdes)
        return wait_here(run)

    @overload
    def create_callback(
        self,
        *,
        name: str | None = None,
        key: str | None = None,
        timeout: Duration | None = None,
        heartbeat_timeout: Duration | None = None,
    ) -> SyncCallback[str | None]: ...
    @overload
    def create_callback(
        self,
        *,
        returns: type[T],
        name: str | None = None,
        key: str | None = None,
        timeout: Duration | None = None,
        heartbeat_timeout: Duration | None = None,
    ) -> SyncCallback[T]: ...
    def create_callback(
        self,
        *,
        returns: type[T] | None = None,
        name: str | None = None,
        key: str | None = None,
        timeout: Duration | None = None,
        heartbeat_timeout: Duration | None = None,
    ) -> SyncCallback[T] | SyncCallback[str | None]:
        """A callback with an id for an outside system, which completes it through the service's API."""
        run = self._context.create_callback(
            returns=cast("type[T]", returns), name=name, key=key, timeout=timeout, heartbeat_timeout=heartbeat_timeout
        )
        return SyncCallback(wait_here(run))

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
    ) -> str | None: ...
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
    ) -> T: ...
    def wait_for_callback(
        self,
        submitter: Callable[..., object],
        *args: object,
        returns: type[T] | None = None,
        name: str | None = None,
        key: str | None = None,
        timeout: Duration | None = None,
        heartbeat_timeout: Duration | None = None,
        retry: Retry | RetryStrategy | None = None,
    ) -> object:
        """Create a callback, hand its id to `submitter(callback_id, *args)` as a retried step, and wait for the result."""
        run = self._context.wait_for_callback(
            cast("Callable[[str, *tuple[object, ...]], object]", submitter),
            *args,
            returns=cast("type[T]", returns),
            name=name,
            key=key,
            timeout=timeout,
            heartbeat_timeout=heartbeat_timeout,
            retry=retry,
        )
        return wait_here(run)

    @overload
    def invoke(
        self,
        function_name: str,
        payload: object = None,
        *,
        name: str | None = None,
        key: str | None = None,
        tenant_id: str | None = None,
    ) -> object: ...
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
    ) -> T: ...
    def invoke(
        self,
        function_name: str,
        payload: object = None,
        *,
        returns: type[T] | None = None,
        name: str | None = None,
        key: str | None = None,
        tenant_id: str | None = None,
    ) -> object:
        """Invoke another function and wait for its result without holding compute."""
        run = self._context.invoke(function_name, payload, returns=cast("type[T]", returns), name=name, key=key, tenant_id=tenant_id)
        return wait_here(run)

    @overload
    def recurse(self, payload: object = None, *, name: str | None = None, key: str | None = None) -> object: ...
    @overload
    def recurse(self, payload: object = None, *, returns: type[T], name: str | None = None, key: str | None = None) -> T: ...
    def recurse(self, payload: object = None, *, returns: type[T] | None = None, name: str | None = None, key: str | None = None) -> object:
        """Invoke this function again, as an execution of its own with another input."""
        return wait_here(self._context.recurse(payload, returns=cast("type[T]", returns), name=name, key=key))

    def run_in_child_context(
        self,
        body: Callable[[SyncContext, Unpack[Ts]], T],
        *args: *Ts,
        name: str | None = None,
        key: str | None = None,
        serdes: Serdes[T] | None = None,
        virtual: bool = False,
    ) -> T:
        """Run `body(child, *args)` over a context of its own."""
        run = self._context.run_in_child_context(
            cast("Callable[[DurableContext, Unpack[Ts]], Coroutine[object, object, T]]", _on_engine(body)),
            *args,
            name=name if name is not None else inferred_name(body),
            key=key,
            serdes=cast("Serdes[T]", self._context.serdes_of(body)) if serdes is None else serdes,
            virtual=virtual,
        )
        return wait_here(run)

    def with_retry(
        self,
        body: Callable[[SyncContext, int, Unpack[Ts]], T],
        *args: *Ts,
        retry: Retry | RetryStrategy | None = None,
        name: str | None = None,
        key: str | None = None,
    ) -> T:
        """Run `body(child, attempt, *args)`, a block of operations, again when it fails, after a durable wait."""
        run = self._context.with_retry(
            cast("Callable[[DurableContext, int, Unpack[Ts]], Coroutine[object, object, T]]", _on_engine(body)),
            *args,
            retry=retry,
            name=name if name is not None else inferred_name(body),
            key=key,
        )
        return wait_here(run)

    def saga(self, *, compensate_on_cancellation: bool = True) -> SyncSaga:
        """A scope in which steps register how they are undone: `with ctx.saga() as saga: …; saga.compensate(undo, …)`."""
        return SyncSaga(self._context.saga(compensate_on_cancellation=compensate_on_cancellation))

    def map_batches(
        self,
        items: Iterable[Item],
        body: Callable[[SyncContext, Sequence[Item]], T],
        *,
        max_items: int = 100,
        max_bytes: int = REPLAY_CHILDREN_ABOVE,
        name: str | None = None,
        key: str | None = None,
        max_concurrency: int | None = None,
        completion: Completion | None = None,
    ) -> BatchResult[T]:
        """Run `body(child, batch)` for batches of items that together cover all of them, in order."""
        batches = divided(items, max_items=max_items, max_bytes=max_bytes)
        label = inferred_name(body) if name is None else name
        return self.map(batches, body, name=label or "map_batches", key=key, max_concurrency=max_concurrency, completion=completion)

    def map(
        self,
        items: Sequence[Item],
        body: Callable[[SyncContext, Item], T] | Callable[[SyncContext, Item, int], T],
        *,
        name: str | None = None,
        key: str | None = None,
        nesting: Nesting = "nested",
        max_concurrency: int | None = None,
        completion: Completion | None = None,
        item_name: Callable[[Item, int], str] | None = None,
        item_serdes: Serdes[T] | None = None,
    ) -> BatchResult[T]:
        """Run `body(child, item)` or `body(child, item, index)` for every item, concurrently, each in a context of its own."""
        run = self._context.map(
            items,
            cast("Callable[[DurableContext, Item], Awaitable[T]]", _on_engine(body)),
            name=name if name is not None else inferred_name(body),
            key=key,
            nesting=nesting,
            max_concurrency=max_concurrency,
            completion=completion,
            item_name=item_name,
            item_serdes=cast("Serdes[T]", self._context.serdes_of(body)) if item_serdes is None else item_serdes,
        )
        return wait_here(run)

    def parallel(
        self,
        branches: Sequence[Callable[[SyncContext], T]] | Mapping[str, Callable[[SyncContext], T]],
        *,
        name: str | None = None,
        key: str | None = None,
        nesting: Nesting = "nested",
        max_concurrency: int | None = None,
        completion: Completion | None = None,
        item_serdes: Serdes[T] | None = None,
    ) -> BatchResult[T]:
        """Run the branches concurrently, each in a context of its own. A mapping names them. Raises UsageError if one is no function."""
        from everstep.context import Branch

        given = branches.values() if isinstance(branches, Mapping) else branches
        names: list[str] = list(branches) if isinstance(branches, Mapping) else [f"parallel-branch-{i}" for i in range(len(branches))]
        run = self._context.parallel(
            [Branch(_on_engine(body), label, self._context.serdes_of(body)) for body, label in zip(given, names, strict=True)],
            name=name,
            key=key,
            nesting=nesting,
            max_concurrency=max_concurrency,
            completion=completion,
            item_serdes=item_serdes,
        )
        return wait_here(run)

    def now(self) -> datetime:
        """Durable time, UTC: the latest recorded time that this code has come to."""
        return self._context.now()

    def uuid4(self) -> UUID:
        """A UUID that looks random and is the same on every replay."""
        return self._context.uuid4()

    def random(self) -> Random:
        """A generator of random numbers that gives the same on every replay; not for secrets."""
        return self._context.random()

    def patched(self, change: str) -> bool:
        """Whether executions take the new path of a change in the code."""
        return self._context.patched(change)


class SyncSaga:
    """A saga of a plain-function handler. See Saga."""

    def __init__(self, saga: Saga) -> None:
        self._saga = saga

    def compensate(
        self,
        body: Callable[[Unpack[Ts]], object],
        *args: *Ts,
        name: str | None = None,
        retry: Retry | RetryStrategy | None = None,
    ) -> None:
        """Undo what was done: `body(*args)` runs as a step if the block fails."""
        self._saga.compensate(body, *args, name=name, retry=retry)

    def cleanup(
        self,
        body: Callable[[Unpack[Ts]], object],
        *args: *Ts,
        name: str | None = None,
        retry: Retry | RetryStrategy | None = None,
    ) -> None:
        """Tidy up: `body(*args)` runs as a step when the block ends, whether it succeeds or fails."""
        self._saga.cleanup(body, *args, name=name, retry=retry)

    def __enter__(self) -> Self:
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None) -> None:
        wait_here(self._saga.__aexit__(kind, error, traceback))


def _on_engine(body: Callable[..., T]) -> Callable[..., Awaitable[T]]:
    """The plain function as one of a DurableContext, to be awaited. Raises UsageError if it is no function."""
    if not callable(body):
        raise UsageError(f"{body!r} is not a function: a child context, an item or a branch is `def body(ctx, …)` here")

    @wraps(body)
    def run(context: DurableContext, *args: object) -> Awaitable[T]:
        return in_greenlet(body, SyncContext(context), *args)

    return run
