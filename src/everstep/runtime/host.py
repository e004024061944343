"""The event loop of a Lambda process: one per thread, kept between invocations.

Rule: it is made with the first invocation and closed when the process ends, for clients and step bodies may hold what is
bound to it (connections) from one invocation to the next.
"""

from __future__ import annotations

import asyncio
import atexit
import threading
from collections.abc import Coroutine
from typing import TypeVar

T = TypeVar("T")

_of_thread = threading.local()


def host_loop() -> asyncio.AbstractEventLoop:
    """This thread's loop."""
    loop: asyncio.AbstractEventLoop | None = getattr(_of_thread, "loop", None)
    if loop is None or loop.is_closed():
        loop = _of_thread.loop = asyncio.new_event_loop()
        atexit.register(loop.close)
    return loop


def run_here(coroutine: Coroutine[object, object, T]) -> T:
    """What the coroutine comes to on this thread's loop, which stops in that turn: `run_until_complete` takes one more."""
    loop = host_loop()
    task = loop.create_task(_stopping(loop, coroutine))
    try:
        loop.run_forever()
    except BaseException:
        if task.done() and not task.cancelled():
            task.exception()  # looked at, so that asyncio does not report it
        raise
    return task.result()


async def _stopping(loop: asyncio.AbstractEventLoop, coroutine: Coroutine[object, object, T]) -> T:
    try:
        return await coroutine
    finally:
        loop.stop()
