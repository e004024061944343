"""Start a task on the host's loop, at once where Python can; and run what may not run inside one."""

from __future__ import annotations

import asyncio
import sys
from collections.abc import Callable, Coroutine
from contextvars import Context
from typing import TypeVar, TypeVarTuple, Unpack

T = TypeVar("T")
Ts = TypeVarTuple("Ts")

if sys.version_info >= (3, 12):
    from asyncio.tasks import _swap_current_task

    def spawn(host: asyncio.AbstractEventLoop, coroutine: Coroutine[object, object, T], context: Context | None = None) -> asyncio.Task[T]:
        """A task that has run to its first suspension, or to its end, when this returns. Called from the running host loop."""
        return asyncio.Task(coroutine, loop=host, context=context, eager_start=True)

    def outside_tasks(host: asyncio.AbstractEventLoop, call: Callable[[Unpack[Ts]], object], *args: *Ts) -> None:
        """Make a call as a callback of the host's loop would, from within one of its tasks: other tasks may be run in it."""
        task = _swap_current_task(host, None)
        try:
            call(*args)
        finally:
            _swap_current_task(host, task)

else:

    def spawn(host: asyncio.AbstractEventLoop, coroutine: Coroutine[object, object, T], context: Context | None = None) -> asyncio.Task[T]:
        """A task that begins with the host loop's next turn: this Python has no eager tasks."""
        return host.create_task(coroutine, context=context)

    def outside_tasks(host: asyncio.AbstractEventLoop, call: Callable[[Unpack[Ts]], object], *args: *Ts) -> None:
        """Make a call: this Python lets another loop's tasks run in a task."""
        call(*args)
