"""Calls that block a thread, made for an event loop that must go on.

Rule: a transport writes each call once, as a plain function, and hands it to `Blocking.run`. Where it runs is decided
there: on the loop's own thread if nothing else could run meanwhile, which costs nothing, else in a worker thread, which
costs about 40 µs. Only who owns the loop knows which it is, and sets `alone`: in a Lambda function, the handler of the one
invocation that runs there. Where several executions share a loop, it stays as it is.
"""

from __future__ import annotations

from collections.abc import Callable
from contextlib import suppress
from functools import partial
from queue import SimpleQueue
from threading import Lock, Thread
from typing import TYPE_CHECKING, TypeVar

if TYPE_CHECKING:
    import asyncio

T = TypeVar("T")


def never() -> bool:
    """Something else may always run meanwhile: what `Blocking` supposes until it is told better."""
    return False


class Blocking:
    """Where a transport's calls run.

    alone: asked before each call: could nothing else run on this thread while it is under way? Then it is made here and now.
    max_threads: how many other calls can be under way at once. A thread is started when all those before it are busy, so a
    process that runs one execution at a time never has more than one.
    """

    def __init__(self, max_threads: int = 8) -> None:
        self.alone: Callable[[], bool] = never
        self._max_threads = max_threads
        self._forget_threads()

    async def run(self, call: Callable[[], T]) -> T:
        """What `call` returns or raises. Cancelling the wait does not stop a call that has begun: its outcome is dropped."""
        if self.alone():
            return call()
        import asyncio  # whoever awaits this has it loaded by now

        loop = asyncio.get_running_loop()
        future: asyncio.Future[T] = loop.create_future()
        self._start_thread_if_busy()
        self._jobs.put(partial(_perform, call, future, loop, self._load))
        return await future

    def close(self) -> None:
        """Let the threads end, each with the call that it is making. The next call starts a new one."""
        for _ in self._threads:
            self._jobs.put(None)
        self._forget_threads()

    def __del__(self) -> None:
        self.close()

    def _forget_threads(self) -> None:
        self._threads: list[Thread] = []
        self._jobs: SimpleQueue[Callable[[], None] | None] = SimpleQueue()
        self._load = _Load()

    def _start_thread_if_busy(self) -> None:
        if self._threads and not self._threads[0].is_alive():  # this process was forked, and threads stay with the parent
            self._forget_threads()
        if self._load.add() > len(self._threads) < self._max_threads:
            # A daemon: a call that hangs in a dead network must not hold up the end of the process.
            thread = Thread(target=_work, args=(self._jobs,), name="everstep-calls", daemon=True)
            self._threads.append(thread)
            thread.start()


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


def _work(jobs: SimpleQueue[Callable[[], None] | None]) -> None:
    # It knows the queue and not its Blocking, so that one which nobody uses any more can go, and end its threads.
    while (job := jobs.get()) is not None:
        job()
        del job  # an idle thread must not keep a result alive


def _perform(call: Callable[[], T], future: asyncio.Future[T], loop: asyncio.AbstractEventLoop, load: _Load) -> None:
    try:
        result = call()
    except BaseException as error:  # it belongs to whoever waits, not to this thread
        settle = partial(_fail, future, error)
    else:
        settle = partial(_succeed, future, result)
    load.remove()  # before the loop learns of it, or its next call would find this thread busy
    with suppress(RuntimeError):  # the loop was closed: nobody waits any more
        loop.call_soon_threadsafe(settle)


def _succeed(future: asyncio.Future[T], result: T) -> None:
    if not future.done():
        future.set_result(result)


def _fail(future: asyncio.Future[T], error: BaseException) -> None:
    if not future.done():
        future.set_exception(error)
