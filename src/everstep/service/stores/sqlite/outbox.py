"""What webhooks are owed, in the SQLite store. Only one service has the file, so that nothing has to be noted of what is claimed."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from sqlite3 import Connection
from typing import Any

from everstep.service.machine.model import Notice
from everstep.service.stores.outbox import Backlog, Later, Owed
from everstep.service.stores.sqlite.reader import Reader
from everstep.service.stores.sqlite.resident import Resident
from everstep.service.stores.sqlite.schema import transaction
from everstep.service.stores.sqlite.writer import Writer


class SqliteOutbox:
    """An Outbox."""

    def __init__(self, writer: Resident[Writer], reader: Resident[Reader]) -> None:
        self._writer, self._reader = writer, reader

    async def claim(self, webhook: str, now: int, until: int, *, limit: int, besides: Collection[str]) -> Sequence[Owed]:
        rows = await self._rows(
            "SELECT id, body, at, attempts FROM webhook_events "
            f"WHERE webhook = ? AND due_at <= ? AND id NOT IN ({_places(besides)}) ORDER BY due_at LIMIT ?",
            webhook,
            now,
            *besides,
            limit,
        )
        return [Owed(Notice(webhook, notice_id, body, at), attempts) for notice_id, body, at, attempts in rows]

    async def next_due(self, webhook: str, *, besides: Collection[str]) -> int | None:
        found = await self._rows(
            f"SELECT min(due_at) FROM webhook_events WHERE webhook = ? AND id NOT IN ({_places(besides)})", webhook, *besides
        )
        due_at: int | None = found[0][0]
        return due_at

    async def settle(self, webhook: str, gone: Sequence[str], later: Sequence[Later]) -> None:
        def settled(writer: Writer) -> None:
            with transaction(writer.connection):
                writer.connection.executemany("DELETE FROM webhook_events WHERE webhook = ? AND id = ?", [(webhook, one) for one in gone])
                writer.connection.executemany(
                    "UPDATE webhook_events SET attempts = ?, due_at = ? WHERE webhook = ? AND id = ?",
                    [(one.attempts, one.due_at, webhook, one.id) for one in later],
                )

        await self._writer.call(settled)

    async def expire(self, webhook: str, before: int) -> int:
        return await self._delete("webhook = ? AND at < ?", webhook, before)

    async def forget_others(self, webhooks: Collection[str], before: int) -> int:
        return await self._delete(f"webhook NOT IN ({_places(webhooks)}) AND at < ?", *webhooks, before)

    async def backlog(self) -> Mapping[str, Backlog]:
        rows = await self._rows("SELECT webhook, count(*), min(at) FROM webhook_events GROUP BY webhook")
        return {webhook: Backlog(count, oldest_at) for webhook, count, oldest_at in rows}

    async def _rows(self, query: str, *values: str | int) -> list[Any]:
        return await self._reader.call(lambda reader: reader.connection.execute(query, values).fetchall())

    async def _delete(self, condition: str, *values: str | int) -> int:
        def deleted(writer: Writer) -> int:
            return _deleted(writer.connection, condition, values)

        return await self._writer.call(deleted)


def _deleted(connection: Connection, condition: str, values: Sequence[str | int]) -> int:
    with transaction(connection):
        return connection.execute(f"DELETE FROM webhook_events WHERE {condition}", values).rowcount


def _places(values: Collection[str]) -> str:
    return ", ".join("?" * len(values))
