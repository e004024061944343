"""Threads for functions that block, so that an event loop goes on meanwhile.

Rule: a few threads are started as they are needed; more, up to the limit, only when a call has waited for a millisecond, since
most are over sooner. A loop is woken once for all that has ended meanwhile: to wake it for each would cost ten times as much.
"""

from __future__ import annotations

import asyncio
from collections import deque
from collections.abc import Callable
from concurrent.futures import Executor
from contextlib import suppress
from functools import partial
from queue import SimpleQueue
from threading import Lock, Thread
from typing import ParamSpec, TypeAlias, TypeVar, cast

T = TypeVar("T")
P = ParamSpec("P")

_AT_ONCE = 4
_PATIENCE_S = 0.001

_Job: TypeAlias = "tuple[Callable[[], object], asyncio.Future[object], _Inbox]"


class Threads(Executor):
    """An executor for `loop.run_in_executor`, and for nothing else: its futures are asyncio's, and `submit` needs a running loop.

    A call can't be stopped. Its threads are daemons: one that hangs does not hold up the end of the process.
    """

    def __init__(self, limit: int, name: str) -> None:
        """limit: of threads. name: of each of them."""
        self._limit = limit
        self._name = name
        self._inbox: _Inbox | None = None
        self._begin()

    def submit(self, call: Callable[P, T], /, *args: P.args, **kwargs: P.kwargs) -> asyncio.Future[T]:  # type: ignore[override]  # see above
        """What `call` returns or raises. Cancelling it does not stop a call that has begun: its outcome is dropped."""
        loop = asyncio.get_running_loop()
        inbox = self._inbox
        if inbox is None or inbox.loop is not loop:
            inbox = self._inbox = _Inbox(loop)
        if self._threads and not self._threads[0].is_alive():  # this process was forked, and threads stay with the parent
            self._begin()
        future: asyncio.Future[object] = loop.create_future()
        self._jobs.put((partial(call, *args, **kwargs), future, inbox))
        if self._load.add() > len(self._threads) < self._limit:
            if len(self._threads) < _AT_ONCE:
                self._start(1)
            elif not inbox.is_watched:
                inbox.is_watched = True
                loop.call_later(_PATIENCE_S, self._start_more, inbox)
        return cast("asyncio.Future[T]", future)

    def shutdown(self, wait: bool = True, *, cancel_futures: bool = False) -> None:
        """Let the threads end, each with its call; none is waited for. The next call starts a new one."""
        self._end()
        self._begin()

    def __del__(self) -> None:
        self._end()

    def _end(self) -> None:
        for _ in self._threads:
            self._jobs.put(None)

    def _begin(self) -> None:
        self._threads: list[Thread] = []
        self._jobs: SimpleQueue[_Job | None] = SimpleQueue()
        self._load = _Load()

    def _start(self, count: int) -> None:
        for _ in range(count):
            # They know the queue and not its owner, so that one which nobody uses any more can go, and end its threads.
            thread = Thread(target=_work, args=(self._jobs, self._load), name=self._name, daemon=True)
            self._threads.append(thread)
            thread.start()

    def _start_more(self, inbox: _Inbox) -> None:
        inbox.is_watched = False
        self._start(min(self._jobs.qsize(), self._limit - len(self._threads)))


class _Inbox:
    """What has ended for one loop, until that looks."""

    def __init__(self, loop: asyncio.AbstractEventLoop) -> None:
        self.loop = loop
        self.is_watched = False
        self._ended: deque[tuple[asyncio.Future[object], object, BaseException | None]] = deque()
        self._is_woken = False

    def put(self, future: asyncio.Future[object], result: object, error: BaseException | None) -> None:
        """Called in the threads."""
        self._ended.append((future, result, error))
        if not self._is_woken:
            self._is_woken = True
            with suppress(RuntimeError):  # the loop was closed: nobody waits any more
                self.loop.call_soon_threadsafe(self._empty)

    def _empty(self) -> None:
        self._is_woken = False  # first, or what ends from now on would wait for ever
        while self._ended:
            future, result, error = self._ended.popleft()
            if future.done():
                continue
            if error is None:
                future.set_result(result)
            elif isinstance(error, StopIteration):  # which no future takes: to raise it in a coroutine would mean something else
                stopped = RuntimeError("a function raised StopIteration")
                stopped.__cause__ = error
                future.set_exception(stopped)
            else:
                future.set_exception(error)


class _Load:
    """How many calls are queued or under way, counted from both sides."""

    def __init__(self) -> None:
        self._count = 0
        self._lock = Lock()

    def add(self) -> int:
        with self._lock:
            self._count += 1
            return self._count

    def remove(self) -> None:
        with self._lock:
            self._count -= 1


def _work(jobs: SimpleQueue[_Job | None], load: _Load) -> None:
    while (job := jobs.get()) is not None:
        _perform(job, load)
        del job  # an idle thread must not keep a result alive


def _perform(job: _Job, load: _Load) -> None:
    call, future, inbox = job
    result, failure = None, None
    try:
        result = call()
    except BaseException as error:  # it belongs to whoever waits, not to this thread
        failure = error
    load.remove()  # before the loop learns of it, or its next call would find this thread busy
    inbox.put(future, result, failure)


for_steps = Threads(64, "everstep-steps")
"""Where the bodies of steps that are plain functions run."""
