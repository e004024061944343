"""Threads for functions that block, so that an event loop goes on meanwhile.

Rule: a few threads are started as they are needed; more, up to the limit, only when a call has waited for a millisecond. Where
calls are short, what is asked for together is done by one thread, one call after the other, for each is over sooner than another
thread would be awake; until they turn out to take longer than that. A loop is woken once for all that has ended meanwhile: when
no call waits any more, or after a millisecond.
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
_WORTH_A_THREAD_S = 0.0001
"""What calls have to take for others not to wait for them."""

_Job: TypeAlias = "tuple[Callable[[], object], asyncio.Future[object], _Inbox]"
_Look: TypeAlias = "Callable[[_Inbox, int, float], None]"
"""Told how many calls ended, in how many seconds."""


class Threads(Executor):
    """An executor for `loop.run_in_executor`, and for nothing else: its futures are asyncio's, and `submit` needs a running loop.

    A call can't be stopped. Its threads are daemons: one that hangs does not hold up the end of the process.
    """

    def __init__(self, limit: int, name: str, *, are_short: bool = False) -> None:
        """limit: of threads. name: of each of them. are_short: whether most calls are over at once."""
        self._limit = limit
        self._are_short = are_short
        self._name = name
        self._inbox: _Inbox | None = None
        self._begin()

    def submit(self, call: Callable[P, T], /, *args: P.args, **kwargs: P.kwargs) -> asyncio.Future[T]:  # type: ignore[override]  # see above
        """What `call` returns or raises. Cancelling it does not stop a call that has begun: its outcome is dropped."""
        loop = asyncio.get_running_loop()
        if self._threads and not self._threads[0].is_alive():  # this process was forked, and threads stay with the parent
            self._begin()
        inbox = self._inbox
        if inbox is None or inbox.loop is not loop:
            inbox = self._inbox = _Inbox(loop, self._work)
        future: asyncio.Future[object] = loop.create_future()
        work = self._work
        work.jobs.append((partial(call, *args, **kwargs) if args or kwargs else call, future, inbox))
        if (work.awake == 0 or work.are_spread) and work.awake < min(self._limit, max(_AT_ONCE, len(self._threads))):
            self._wake(1)
        elif not inbox.is_watched:
            inbox.watch(self._look)
        return cast("asyncio.Future[T]", future)

    def shutdown(self, wait: bool = True, *, cancel_futures: bool = False) -> None:
        """Let the threads end, each with its call; none is waited for. The next call starts a new one."""
        self._end()
        self._begin()

    def __del__(self) -> None:
        self._end()

    def _end(self) -> None:
        for _ in self._threads:
            self._work.wakes.put(False)

    def _begin(self) -> None:
        self._threads: list[Thread] = []
        self._work = _Work(self._are_short)
        self._inbox = None

    def _wake(self, count: int) -> None:
        """Have so many threads more look for calls."""
        work = self._work
        for _ in range(count):
            if work.rise() > len(self._threads):
                # They know the work and not its owner, so that one which nobody uses any more can go, and end its threads.
                thread = Thread(target=_perform_all, args=(work,), name=self._name, daemon=True)
                self._threads.append(thread)
                thread.start()
            work.wakes.put(True)

    def _look(self, inbox: _Inbox, made: int, elapsed: float) -> None:
        """Give what has waited all the while threads of its own, unless it was one of many short ones."""
        work = self._work
        waiting = min(len(work.jobs), self._limit - work.awake)
        if waiting <= 0:
            return
        if work.awake and not work.are_spread and made * _WORTH_A_THREAD_S > elapsed:
            inbox.watch(self._look)
        else:
            work.are_spread = True
            self._wake(waiting)


class _Inbox:
    """What has ended for one loop, until that looks. is_watched: it will before long, while calls wait."""

    def __init__(self, loop: asyncio.AbstractEventLoop, work: _Work) -> None:
        self.loop = loop
        self.is_watched = False
        self._work = work
        self._ended: deque[tuple[asyncio.Future[object], object, BaseException | None]] = deque()
        self._is_woken = False
        self._next_look: asyncio.Handle | None = None

    def watch(self, look: _Look) -> None:
        """Empty this after a while, and look. It begins when the loop comes to rest: as long as that runs, threads get on slowly."""
        self.is_watched = True
        self._next_look = self.loop.call_soon(self._look_later, look)

    def _look_later(self, look: _Look) -> None:
        self._next_look = self.loop.call_later(_PATIENCE_S, self._look, look, self.loop.time(), self._work.made)

    def _look(self, look: _Look, since: float, made: int) -> None:
        self._end_watch()
        self.empty()
        look(self, self._work.made - made, self.loop.time() - since)

    def _end_watch(self) -> None:
        self.is_watched = False
        if self._next_look is not None:
            self._next_look.cancel()
            self._next_look = None

    def put(self, future: asyncio.Future[object], result: object, error: BaseException | None, *, more_follows: bool) -> None:
        """Called in the threads. more_follows: the loop need not be woken, if it will look anyway."""
        self._ended.append((future, result, error))
        if not (more_follows and self.is_watched):
            self.wake()

    def wake(self) -> None:
        """Called in the threads: have the loop look at once."""
        if not self._is_woken:
            self._is_woken = True
            with suppress(RuntimeError):  # the loop was closed: nobody waits any more
                self.loop.call_soon_threadsafe(self.empty)

    def empty(self) -> None:
        """Called by the loop."""
        self._is_woken = False  # first, or what ends from now on would wait for ever
        if not self._work.jobs:
            self._end_watch()
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


class _Work:
    """What owner and threads share: the calls that wait, and who looks for them.

    wakes: True for each thread that is to look, False for each that is to end. are_spread: each call gets a thread at once, if there
    is one. awake: how many threads look for calls, make one, or have been told to. made: how many calls have ended (roughly, where
    several threads count).
    """

    def __init__(self, are_short: bool) -> None:
        self.jobs: deque[_Job] = deque()
        self.wakes: SimpleQueue[bool] = SimpleQueue()
        self.are_short = are_short
        self.are_spread = not are_short
        self.awake = 0
        self.made = 0
        self._lock = Lock()

    def rise(self) -> int:
        with self._lock:
            self.awake += 1
            return self.awake

    def rest(self) -> None:
        with self._lock:
            self.awake -= 1


def _perform_all(work: _Work) -> None:
    while work.wakes.get():
        if not _perform_waiting(work) and work.are_short:  # woken for nothing
            work.are_spread = False


def _perform_waiting(work: _Work) -> int:
    """Make calls until none waits; how many it were. One that comes in the moment in which none seems to is found by `_look`."""
    made = 0
    inbox: _Inbox | None = None
    while True:
        try:
            call, future, inbox = work.jobs.popleft()
        except IndexError:
            work.rest()
            if inbox is not None:
                inbox.wake()
            return made
        made += 1
        result, failure = None, None
        try:
            result = call()
        except BaseException as error:  # it belongs to whoever waits, not to this thread
            failure = error
        work.made += 1
        if not work.jobs:
            work.rest()  # before the loop learns of it, or its next call would find this thread busy
            inbox.put(future, result, failure, more_follows=False)
            return made
        inbox.put(future, result, failure, more_follows=not work.are_spread)


for_steps = Threads(64, "everstep-steps", are_short=True)
"""Where the bodies of steps that are plain functions run."""
