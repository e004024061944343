"""A server inside a command: the same as `everstep server`, on a free port of this machine, while the command goes on.

Rule: it runs in a thread of its own, with its own event loop, so that the command may block, and be interrupted, as any program.
"""

from __future__ import annotations

import asyncio
import threading
from collections.abc import Generator, Sequence
from concurrent.futures import Future
from contextlib import contextmanager

from everstep.server.catalog import Function
from everstep.server.serving import serving

GRACE_S = 2.0
"""For invocations that run when the command ends."""


@contextmanager
def serving_here(store: str, functions: Sequence[Function]) -> Generator[str]:
    """Serve until the end of the block. Yields the URL. Raises as `serving` does."""
    started: Future[tuple[str, asyncio.AbstractEventLoop, asyncio.Event]] = Future()

    async def serve() -> None:
        stop = asyncio.Event()
        async with serving(store, functions, allow_unqualified=True, grace_s=GRACE_S) as server:
            started.set_result((server.url, asyncio.get_running_loop(), stop))
            await stop.wait()

    def run() -> None:
        try:
            asyncio.run(serve())
        except BaseException as error:
            if started.done():
                raise
            started.set_exception(error)

    thread = threading.Thread(target=run, name="everstep-server")
    thread.start()
    url, loop, stop = started.result()
    try:
        yield url
    finally:
        loop.call_soon_threadsafe(stop.set)
        thread.join()
