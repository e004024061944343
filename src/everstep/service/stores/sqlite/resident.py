"""A connection at home in a thread, and its errors in words that say what to do.

Rule: the connection is used by one call at a time: in its thread, or where it is asked, while nothing is to be done in its thread.
"""

from __future__ import annotations

import asyncio
import sqlite3
from collections.abc import Callable
from contextlib import suppress
from functools import partial
from pathlib import Path
from queue import SimpleQueue
from threading import Thread
from typing import Final, Generic, TypeVar

from everstep.service.stores.api import StoreError

T = TypeVar("T")
R = TypeVar("R")

ADVICE: Final = {
    "SQLITE_FULL": "the disk is full: free some space, and the service goes on by itself",
    "SQLITE_BUSY": "another program holds a lock on it: end that program's transaction",
    "SQLITE_IOERR": "reading or writing it failed: check the disk, its free space and quotas",
    "SQLITE_READONLY": "it cannot be written to: check its permissions and its directory's",
    "SQLITE_CANTOPEN": "check that its directory exists and can be written to",
    "SQLITE_NOTADB": "it is not a database: give the service a file of its own",
    "SQLITE_CORRUPT": "it is damaged: restore it from a backup",
}
PASSING: Final = frozenset({"SQLITE_FULL", "SQLITE_BUSY", "SQLITE_IOERR"})
"""What may be over by the next try, without anybody changing a setting."""


class Resident(Generic[T]):
    """Runs calls, one at a time, on what `build` makes of a connection to `path`.

    A thread of our own, as an executor's costs a tenth of a commit more.
    """

    def __init__(self, path: Path, connect: Callable[[], sqlite3.Connection], build: Callable[[sqlite3.Connection], T]) -> None:
        self._path, self._connect, self._build = path, connect, build
        self._jobs: SimpleQueue[Callable[[], None] | None] | None = None
        self._connection: sqlite3.Connection | None = None
        self._worker: T | None = None
        self._under_way = 0
        """Jobs that its thread was given, and of which we have not heard that they are done."""

    async def open(self) -> None:
        self._jobs, self._under_way = SimpleQueue(), 0
        # A daemon, so that a process that forgets to close its store can end. What is committed is safe either way.
        Thread(target=_work_through, args=(self._jobs,), name=f"everstep {self._path.name}", daemon=True).start()
        await self._in_thread(self._move_in)

    def _move_in(self) -> None:
        self._connection = self._connect()
        self._worker = self._build(self._connection)

    async def close(self) -> None:
        if self._jobs is not None:
            try:
                await self._in_thread(self._move_out)
            finally:
                self._jobs.put(None)
                self._jobs = None

    def _move_out(self) -> None:
        self._worker = None
        if self._connection is not None:
            self._connection.close()

    async def call(self, ask: Callable[[T], R]) -> R:
        return await self._in_thread(partial(self._ask, ask))

    @property
    def is_idle(self) -> bool:
        return self._worker is not None and not self._under_way

    def here(self, ask: Callable[[T], R]) -> R:
        """The same as `call`, on the caller's own thread. The resident must be idle."""
        assert self.is_idle
        try:
            return self._ask(ask)
        except sqlite3.Error as error:
            raise explained(self._path, error) from error

    def _ask(self, ask: Callable[[T], R]) -> R:
        assert self._worker is not None
        return ask(self._worker)

    def tell(self, ask: Callable[[T], None]) -> None:
        """The same as `call`, for what raises nothing and nobody waits for."""
        self._given(partial(self._ask, ask))

    async def _in_thread(self, function: Callable[[], R]) -> R:
        try:
            return await self._given(function)
        except sqlite3.Error as error:
            raise explained(self._path, error) from error

    def _given(self, function: Callable[[], R]) -> asyncio.Future[R]:
        """What will become of it, in the thread."""
        if self._jobs is None:
            raise StoreError(f"{self._path} is not open", is_retryable=False)
        loop = asyncio.get_running_loop()
        answer: asyncio.Future[R] = loop.create_future()

        def job() -> None:
            try:
                report = partial(self._give, answer, function())
            except BaseException as error:  # it is the caller's
                report = partial(self._fail, answer, error)
            with suppress(RuntimeError):  # the loop is closed: nobody waits any more
                loop.call_soon_threadsafe(report)

        self._under_way += 1
        self._jobs.put(job)
        return answer

    # These run on the loop, also if nobody waits for the answer any more.

    def _give(self, answer: asyncio.Future[R], value: R) -> None:
        self._under_way -= 1
        if not answer.done():
            answer.set_result(value)

    def _fail(self, answer: asyncio.Future[R], error: BaseException) -> None:
        self._under_way -= 1
        if not answer.done():
            answer.set_exception(error)


def _work_through(jobs: SimpleQueue[Callable[[], None] | None]) -> None:
    while (job := jobs.get()) is not None:
        job()


def explained(path: Path, error: sqlite3.Error) -> StoreError:
    name: str = getattr(error, "sqlite_errorname", "")  # only errors of SQLite itself have one
    kind = "_".join(name.split("_")[:2])  # SQLITE_IOERR_WRITE is a SQLITE_IOERR
    advice = ADVICE.get(kind)
    return StoreError(f"{path}: {error}" + (f" ({advice})" if advice else ""), is_retryable=kind in PASSING)
