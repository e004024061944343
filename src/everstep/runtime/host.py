"""The event loop of a Lambda process: one per thread, kept between invocations.

Rule: it is made with the first invocation and closed when the process ends, for clients and step bodies may hold what is
bound to it (connections) from one invocation to the next.
"""

from __future__ import annotations

import asyncio
import atexit
import threading

_of_thread = threading.local()


def host_loop() -> asyncio.AbstractEventLoop:
    """This thread's loop."""
    loop: asyncio.AbstractEventLoop | None = getattr(_of_thread, "loop", None)
    if loop is None or loop.is_closed():
        loop = _of_thread.loop = asyncio.new_event_loop()
        atexit.register(loop.close)
    return loop
