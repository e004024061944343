"""An event loop whose time jumps, and the clock of a service that runs on any loop and jumps as well.

Rule: time never jumps while something really happens: a thread that works, a socket that is read. Between invocations the
clock jumps by itself, whatever loop it runs on.
"""

from __future__ import annotations

import asyncio
import math
import selectors
import time
import weakref
from collections.abc import Callable, Coroutine
from concurrent.futures import Executor
from datetime import datetime
from typing import TypeVar, TypeVarTuple, Unpack

T = TypeVar("T")
Ts = TypeVarTuple("Ts")

_OWN_FILES = 1
"""The loop's own pipe, by which threads wake it."""


class _JumpingSelector(selectors.DefaultSelector):
    """A selector that need not wait where nothing but time is waited for. now: how long it was told to wait, in all."""

    def __init__(self) -> None:
        super().__init__()
        self.now = 0.0
        self.threads = 0

    def select(self, timeout: float | None = None) -> list[tuple[selectors.SelectorKey, int]]:
        if timeout is None or timeout <= 0:
            return super().select(timeout)
        if self.threads or len(self.get_map()) > _OWN_FILES:
            began = time.monotonic()
            ready = super().select(timeout)
            self.now += min(timeout, time.monotonic() - began)
            return ready
        ready = super().select(0)
        if not ready:
            self.now = math.nextafter(self.now + timeout, math.inf)  # after some months a sum may fall a little short of the timer
        return ready


class VirtualLoop(asyncio.SelectorEventLoop):
    """Its time begins at 0, and jumps: when nothing is ready it is at once as late as the next timer.

    While a thread works or a socket is open, time passes as it really does.
    """

    def __init__(self) -> None:
        self._jumping = _JumpingSelector()
        super().__init__(self._jumping)

    def time(self) -> float:
        return self._jumping.now

    def run_in_executor(self, executor: Executor | None, func: Callable[[Unpack[Ts]], T], *args: *Ts) -> asyncio.Future[T]:
        self._jumping.threads += 1
        future = super().run_in_executor(executor, func, *args)
        future.add_done_callback(self._thread_ended)
        return future

    def _thread_ended(self, _: object) -> None:
        self._jumping.threads -= 1

    async def shutdown_default_executor(self, timeout: float | None = None) -> None:  # noqa: ASYNC109  # asyncio's own argument
        await super().shutdown_default_executor()  # without a limit, which would be over at once


def run_virtually(main: Coroutine[object, object, T]) -> T:
    """`asyncio.run` in virtual time."""
    with asyncio.Runner(loop_factory=VirtualLoop) as runner:
        return runner.run(main)


class VirtualRunner:
    """Runs coroutines one after the other on a virtual loop, which is made when it is first needed."""

    def __init__(self) -> None:
        self._loop: VirtualLoop | None = None

    def run(self, main: Coroutine[object, object, T]) -> T:
        """Raises RuntimeError inside a running event loop."""
        if self._loop is None:
            self._loop = VirtualLoop()
            weakref.finalize(self, self._loop.close)  # quietly: a runner that nobody closed lived as long as its test
        return self._loop.run_until_complete(main)

    def close(self) -> None:
        """Wait for threads, and close the loop."""
        if self._loop is not None:
            self._loop.run_until_complete(self._loop.shutdown_asyncgens())
            self._loop.run_until_complete(self._loop.shutdown_default_executor())
            self._loop.close()
            self._loop = None


class JumpingClock:
    """The time as the service under test knows it: that of the loop, from `begin` on, and whatever was jumped over.

    It is a clock for `everstep.Service` as well, on a virtual loop.
    """

    def __init__(self, begin: datetime) -> None:
        self._offset_s = begin.timestamp()
        self._loop: asyncio.AbstractEventLoop | None = None

    def run_on(self, loop: asyncio.AbstractEventLoop) -> None:
        """From now on, time passes with that of this loop."""
        now = self.now()
        self._loop = loop
        self._offset_s = now - loop.time()

    def stop(self) -> None:
        """Let no time pass until `run_on`."""
        self._offset_s = self.now()
        self._loop = None

    def now(self) -> float:
        """Seconds since the epoch."""
        return self._offset_s + (self._loop.time() if self._loop is not None else 0.0)

    def now_ms(self) -> int:
        return round(self.now() * 1000)

    async def sleep_until(self, at_ms: int) -> None:
        """Returns once `now_ms() >= at_ms`, never before."""
        while (left_ms := at_ms - self.now_ms()) > 0:  # noqa: ASYNC110  # a rounded sleep may end a little early
            await asyncio.sleep(left_ms / 1000)

    def jump_to(self, at_ms: int) -> None:
        """Let the time be this, unless it is later already."""
        self._offset_s += max(0.0, at_ms / 1000 - self.now())
