"""The SQLite store as the service sees it: one file, owned by one service, written in one thread and read in another.

Commits are made on the loop's own thread while the disk is quick. See ADR 17.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from contextlib import AbstractAsyncContextManager, AsyncExitStack
from pathlib import Path
from typing import Final

from everstep.service.machine.model import Event, Execution, Record
from everstep.service.machine.waiting import Waiting
from everstep.service.stores.api import Due, Filter, Position, Snapshot, Tally, Write
from everstep.service.stores.inspection import Inspection
from everstep.service.stores.sqlite.inspection import inspecting
from everstep.service.stores.sqlite.outbox import SqliteOutbox
from everstep.service.stores.sqlite.ownership import Ownership
from everstep.service.stores.sqlite.reader import Reader
from everstep.service.stores.sqlite.resident import Resident
from everstep.service.stores.sqlite.schema import Synchronous, connect_for_reading, connect_for_writing
from everstep.service.stores.sqlite.writer import Writer

MOST_HERE: Final = 64
"""Writes that are committed on the loop's own thread at a time: more would hold it up for long, however quick the disk is."""


class SqliteStore:
    """A Store in the file `path`, which one service at a time may use.

    synchronous: "FULL": what was acknowledged survives a power cut. "NORMAL": it survives the end of the process in
    any way, but the last moments before a power cut may be lost; commits are then several times faster.
    """

    def __init__(self, path: Path, *, synchronous: Synchronous = "FULL") -> None:
        self._path, self._ownership = path, Ownership(path)
        self.writer = Resident(path, lambda: connect_for_writing(path, synchronous), Writer)
        self._reader = Resident(path, lambda: connect_for_reading(path), Reader)
        self.outbox = SqliteOutbox(self.writer, self._reader)
        self._closing = AsyncExitStack()

    async def open(self) -> None:
        async with AsyncExitStack() as opened:
            self._ownership.acquire()
            opened.callback(self._ownership.release)
            opened.push_async_callback(self.writer.close)
            await self.writer.open()
            opened.push_async_callback(self._reader.close)
            await self._reader.open()
            self._closing = opened.pop_all()

    async def close(self) -> None:
        await self._closing.aclose()

    def inspecting(self) -> AbstractAsyncContextManager[Inspection]:
        return inspecting(self._path)

    async def commit(self, writes: Sequence[Write]) -> Sequence[bool]:
        taken: Sequence[bool] | None = None
        if len(writes) <= MOST_HERE and self.writer.is_idle:
            taken = self.writer.here(lambda writer: writer.commit_briefly(writes))
        if taken is None:
            taken = await self.writer.call(lambda writer: writer.commit(writes))
        if self.writer.is_idle and self.writer.here(lambda writer: writer.is_log_long):
            self.writer.tell(lambda writer: writer.move_log())  # while whoever waited for this goes on
        return taken

    async def delete(self, execution_ids: Sequence[str]) -> None:
        await self.writer.call(lambda writer: writer.delete(execution_ids))

    async def load(self, execution_id: str) -> Snapshot | None:
        return await self._reader.call(lambda reader: reader.load(execution_id))

    async def find(self, function: str, name: str) -> Execution | None:
        return await self._reader.call(lambda reader: reader.find(function, name))

    async def executions(
        self, where: Filter, *, limit: int, oldest_first: bool = False, after: Position | None = None
    ) -> Sequence[Execution]:
        return await self._reader.call(lambda reader: reader.executions(where, limit=limit, oldest_first=oldest_first, after=after))

    async def waiting(self, execution_ids: Sequence[str], what: Waiting) -> Mapping[str, Record]:
        return await self._reader.call(lambda reader: reader.waiting(execution_ids, what))

    async def events(self, execution_id: str, *, limit: int, newest_first: bool = False, after: int | None = None) -> Sequence[Event]:
        return await self._reader.call(lambda reader: reader.events(execution_id, limit=limit, newest_first=newest_first, after=after))

    async def due(self, *, after: Due | None = None, limit: int) -> Sequence[Due]:
        return await self._reader.call(lambda reader: reader.due(after=after, limit=limit))

    async def count_open(self) -> int:
        return await self._reader.call(lambda reader: reader.count_open())

    async def tally(self) -> Sequence[Tally]:
        return await self._reader.call(lambda reader: reader.tally())

    async def to_recover(self) -> Sequence[str]:
        return await self._reader.call(lambda reader: reader.to_recover())
