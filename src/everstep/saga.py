"""Sagas: steps that register how they are undone.

Rule: compensations and clean-ups run as durable steps, in reverse order of registration, at a logical end of the scope: a
failure, a cancellation (if wanted), a success. A suspension is no end: nothing runs then.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from types import TracebackType
from typing import TYPE_CHECKING, Self, TypeVarTuple, Unpack

from msgspec import Struct

from everstep.errors import SagaError
from everstep.retry import Retry, RetryStrategy

if TYPE_CHECKING:
    from everstep.context import DurableContext

Ts = TypeVarTuple("Ts")


class _Registered(Struct, frozen=True):
    body: Callable[..., object]
    arguments: tuple[object, ...]
    name: str | None
    retry: Retry | RetryStrategy | None
    only_on_failure: bool


class Saga:
    """`async with ctx.saga() as saga:` register `saga.compensate(undo, …)` after each step that has to be undone.

    If the block fails, what was registered runs in reverse order, and the failure goes on. If some of that fails too, the
    rest still runs, and SagaError says what became of it. If the block succeeds, only clean-ups run.
    """

    def __init__(self, ctx: DurableContext, *, compensate_on_cancellation: bool = True) -> None:
        self._ctx = ctx
        self._compensate_on_cancellation = compensate_on_cancellation
        self._registered: list[_Registered] = []

    def compensate(
        self,
        body: Callable[[Unpack[Ts]], object],
        *args: *Ts,
        name: str | None = None,
        retry: Retry | RetryStrategy | None = None,
    ) -> None:
        """Undo what was done: `body(*args)` runs as a step if the block fails. name, retry: of that step."""
        self._registered.append(_Registered(body, args, name, retry, only_on_failure=True))

    def cleanup(
        self,
        body: Callable[[Unpack[Ts]], object],
        *args: *Ts,
        name: str | None = None,
        retry: Retry | RetryStrategy | None = None,
    ) -> None:
        """Tidy up: `body(*args)` runs as a step when the block ends, whether it succeeds or fails."""
        self._registered.append(_Registered(body, args, name, retry, only_on_failure=False))

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None) -> None:
        if kind is not None and issubclass(kind, asyncio.CancelledError):
            undoes = self._compensate_on_cancellation
        elif kind is None or issubclass(kind, Exception):
            undoes = kind is not None
        else:
            return  # the execution leaves this process, or the process ends: no end of the saga
        failures: list[Exception] = []
        for registered in reversed(self._registered):
            if undoes or not registered.only_on_failure:
                try:
                    await self._ctx.step(registered.body, *registered.arguments, name=registered.name, retry=registered.retry)
                except Exception as failure:
                    failures.append(failure)
        if failures:
            raise SagaError(error, failures) from error
