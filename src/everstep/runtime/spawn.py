"""Start a task on the host's loop, at once where Python can."""

from __future__ import annotations

import asyncio
import sys
from collections.abc import Coroutine
from contextvars import Context
from typing import TypeVar

T = TypeVar("T")

if sys.version_info >= (3, 12):

    def spawn(host: asyncio.AbstractEventLoop, coroutine: Coroutine[object, object, T], context: Context | None = None) -> asyncio.Task[T]:
        """A task that has run to its first suspension, or to its end, when this returns. Called from the running host loop."""
        return asyncio.Task(coroutine, loop=host, context=context, eager_start=True)

else:

    def spawn(host: asyncio.AbstractEventLoop, coroutine: Coroutine[object, object, T], context: Context | None = None) -> asyncio.Task[T]:
        """A task that begins with the host loop's next turn: this Python has no eager tasks."""
        return host.create_task(coroutine, context=context)
