"""Calls that block a thread, made for an event loop that must go on.

Rule: a transport writes each call once, as a plain function, and hands it to `Blocking.run`. Where it runs is decided
there: on the loop's own thread if nothing else could run meanwhile, which costs nothing, else in a thread of its own. Only
who owns the loop knows which it is, and sets `alone`: in a Lambda function, the handler of the one invocation that runs
there. Where several executions share a loop, it stays as it is.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, TypeVar

if TYPE_CHECKING:
    from everstep.threads import Threads

T = TypeVar("T")


def never() -> bool:
    """Something else may always run meanwhile: what `Blocking` supposes until it is told better."""
    return False


class Blocking:
    """Where a transport's calls run.

    alone: asked before each call: could nothing else run on this thread while it is under way? Then it is made here and now.
    max_threads: how many other calls can be under way at once. A process that runs one execution at a time has one thread at most.
    """

    def __init__(self, max_threads: int = 8) -> None:
        self.alone: Callable[[], bool] = never
        self._max_threads = max_threads
        self._threads: Threads | None = None

    async def run(self, call: Callable[[], T]) -> T:
        """What `call` returns or raises. Cancelling the wait does not stop a call that has begun: its outcome is dropped."""
        if self.alone():
            return call()
        if self._threads is None:
            from everstep.threads import Threads

            self._threads = Threads(self._max_threads, "everstep-calls")
        return await self._threads.submit(call)

    def close(self) -> None:
        """Let the threads end, each with the call that it is making. The next call starts a new one."""
        if self._threads is not None:
            self._threads.shutdown()
