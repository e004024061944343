"""The PostgreSQL store as the service sees it: one database, any number of services."""

from __future__ import annotations

import secrets
from collections.abc import AsyncGenerator, Collection, Mapping, Sequence
from contextlib import AbstractAsyncContextManager
from typing import Final

from everstep.errors import UsageError
from everstep.service.machine.model import Event, Execution, Record
from everstep.service.machine.waiting import Waiting
from everstep.service.stores.api import Due, Filter, Position, Snapshot, StoreError, Tally, Write
from everstep.service.stores.inspection import Inspection
from everstep.service.stores.postgres.connections import Connections
from everstep.service.stores.postgres.holdings import Holdings
from everstep.service.stores.postgres.inspection import inspecting
from everstep.service.stores.postgres.news import channel_prefix, listening
from everstep.service.stores.postgres.outbox import PostgresOutbox
from everstep.service.stores.postgres.ownership import Ownership, Renewed
from everstep.service.stores.postgres.reader import Reader
from everstep.service.stores.postgres.writer import Writer
from everstep.service.stores.shared import News

DEFAULT_SCHEMA: Final = "everstep"
DEFAULT_LEASE_S: Final = 10.0
"""How long the others wait for an instance that says nothing. It renews its lease three times in that time."""
LEAST_LEASE_S: Final = 0.1


class PostgresStore:
    """A SharedStore in the PostgreSQL database at `url`, as libpq reads it (missing parts come from PGHOST, PGPASSWORD, …).

    schema: holds the tables, and nothing else; it is created if need be. lease_s: after which an instance that says
    nothing counts as dead, and others take over what it was doing. Give all instances the same.
    """

    def __init__(self, url: str, *, schema: str = DEFAULT_SCHEMA, lease_s: float = DEFAULT_LEASE_S) -> None:
        if lease_s < LEAST_LEASE_S:
            raise UsageError(f"lease is {lease_s}; the least is {LEAST_LEASE_S} seconds")
        self._lease_s = lease_s
        self._connections = Connections(url, schema)
        self._prefix = channel_prefix(schema)
        self._reader = Reader(self._connections)
        self.outbox = PostgresOutbox(self._connections)
        self._owned = Holdings()
        self._others = 0
        self._tells_ends = False
        self._is_open = False
        self._become_an_instance()

    def _become_an_instance(self) -> None:
        """Each time it is opened it is another one: what was left to the last one is not its own."""
        self.instance = secrets.token_hex(8)
        self._writer = Writer(self._connections, self.instance, self._prefix)
        self._ownership = Ownership(self._connections, self.instance, self._prefix, self._lease_s)
        self._owned.clear()

    async def open(self) -> None:
        self._become_an_instance()
        try:
            await self._connections.open()
            self._heard(await self._ownership.join())
        except BaseException:
            self._connections.close()
            raise
        self._is_open = True

    async def close(self) -> None:
        if not self._is_open:
            return
        self._is_open = False
        try:
            await self._ownership.leave()
        except StoreError:
            pass  # the lease runs out by itself
        finally:
            self._connections.close()

    def inspecting(self) -> AbstractAsyncContextManager[Inspection]:
        return inspecting(self._connections)

    async def commit(self, writes: Sequence[Write]) -> Sequence[bool]:
        asked = self._owned.asked()
        taken, answers = await self._writer.commit(writes, tell_ends=self.tells_ends)
        self._owned.add(answer.id for answer in answers if answer.owner == self.instance)
        self._owned.remove((answer.id for answer in answers if answer.owner != self.instance), asked)
        return taken

    async def delete(self, execution_ids: Sequence[str]) -> None:
        await self._writer.delete(execution_ids)
        self._owned.remove(execution_ids, self._owned.asked())

    async def load(self, execution_id: str) -> Snapshot | None:
        return await self._reader.load(execution_id)

    async def find(self, function: str, name: str) -> Execution | None:
        return await self._reader.find(function, name)

    async def executions(
        self, where: Filter, *, limit: int, oldest_first: bool = False, after: Position | None = None
    ) -> Sequence[Execution]:
        return await self._reader.executions(where, limit=limit, oldest_first=oldest_first, after=after)

    async def waiting(self, execution_ids: Sequence[str], what: Waiting) -> Mapping[str, Record]:
        return await self._reader.waiting(execution_ids, what)

    async def events(self, execution_id: str, *, limit: int, newest_first: bool = False, after: int | None = None) -> Sequence[Event]:
        return await self._reader.events(execution_id, limit=limit, newest_first=newest_first, after=after)

    async def due(self, *, after: Due | None = None, limit: int) -> Sequence[Due]:
        return await self._reader.due(after=after, limit=limit)

    async def count_open(self) -> int:
        return await self._reader.count_open()

    async def tally(self) -> Sequence[Tally]:
        return await self._reader.tally()

    async def to_recover(self) -> Sequence[str]:
        return await self._reader.to_recover()

    # -- as one of several

    @property
    def lease_s(self) -> float:
        return self._lease_s

    @property
    def is_alone(self) -> bool:
        return not self._others

    @property
    def tells_ends(self) -> bool:
        """Whether another service waits for the end of something, as far as this one has heard."""
        return self._tells_ends

    def owns(self, execution_id: str) -> bool:
        return execution_id in self._owned

    async def renew(self) -> bool:
        renewed = await self._ownership.renew()
        self._heard(renewed)
        return renewed.was_alive

    def _heard(self, renewed: Renewed) -> None:
        self._others, self._tells_ends = renewed.others, renewed.hear_ends

    async def hear_ends(self, *, wanted: bool) -> None:
        await self._ownership.hear_ends(wanted=wanted)

    async def claim(self, now: int, functions: Collection[str], *, limit: int) -> Sequence[str]:
        claimed = await self._ownership.claim(now, functions, limit=limit)
        self._owned.add(claimed)
        return claimed

    async def take_over(self, functions: Collection[str], *, limit: int) -> Sequence[str]:
        taken = await self._ownership.take_over(functions, limit=limit)
        self._owned.add(taken)
        return taken

    async def give_back(self, execution_ids: Collection[str]) -> None:
        self._owned.remove(execution_ids, self._owned.asked())
        await self._ownership.give_back(execution_ids)
        await self.owned(execution_ids)

    async def owned(self, among: Collection[str] | None = None) -> Sequence[str]:
        asked = self._owned.asked()
        owned = await self._ownership.owned(among)
        known = self._owned.all if among is None else among
        self._owned.remove(set(known).difference(owned), asked)
        self._owned.add(owned)
        return owned

    async def next_due(self, after: int) -> int | None:
        return await self._ownership.next_due(after)

    async def revision(self, execution_id: str) -> int | None:
        return await self._reader.revision(execution_id)

    async def revisions(self, execution_ids: Collection[str]) -> Mapping[str, int]:
        return await self._reader.revisions(execution_ids)

    async def still_open(self, execution_ids: Collection[str]) -> Collection[str]:
        return await self._ownership.still_open(execution_ids)

    def news(self) -> AbstractAsyncContextManager[AsyncGenerator[News]]:
        return listening(self._connections, self.instance, self._prefix)
