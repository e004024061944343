"""What webhooks are owed, in the PostgreSQL store: each event is claimed by one instance at a time.

Rule: a claim is a time until which nobody else looks at the row, by the clocks of the instances. If it is lost, or ends too
early, an event is delivered twice, never not at all.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from typing import Final

from psycopg.rows import TupleRow

from everstep.service.machine.model import Notice
from everstep.service.stores.outbox import Backlog, Later, Owed
from everstep.service.stores.postgres.connections import Connections

# SKIP LOCKED: what another instance is just claiming is none of ours.
CLAIM: Final = """
WITH found AS (
    SELECT webhook, id, due_at FROM webhook_events
    WHERE webhook = %(webhook)b AND due_at <= %(now)b AND id <> ALL(%(besides)b::text[])
    ORDER BY due_at LIMIT %(limit)b FOR UPDATE SKIP LOCKED
)
UPDATE webhook_events e SET due_at = %(until)b FROM found WHERE e.webhook = found.webhook AND e.id = found.id
RETURNING found.due_at, e.id, e.body, e.at, e.attempts"""
SETTLE: Final = """
WITH gone AS (DELETE FROM webhook_events WHERE webhook = %(webhook)b AND id = ANY(%(gone)b::text[]))
UPDATE webhook_events e SET attempts = later.attempts, due_at = later.due_at
FROM unnest(%(ids)b::text[], %(attempts)b::bigint[], %(due)b::bigint[]) AS later(id, attempts, due_at)
WHERE e.webhook = %(webhook)b AND e.id = later.id"""


class PostgresOutbox:
    """An Outbox."""

    def __init__(self, connections: Connections) -> None:
        self._connections = connections

    async def claim(self, webhook: str, now: int, until: int, *, limit: int, besides: Collection[str]) -> Sequence[Owed]:
        rows = await self._rows(CLAIM, webhook=webhook, now=now, until=until, limit=limit, besides=list(besides))
        return [Owed(Notice(webhook, notice_id, body, at), attempts) for _, notice_id, body, at, attempts in sorted(rows)]

    async def next_due(self, webhook: str, *, besides: Collection[str]) -> int | None:
        [(due_at,)] = await self._rows(
            "SELECT min(due_at) FROM webhook_events WHERE webhook = %(webhook)b AND id <> ALL(%(besides)b::text[])",
            webhook=webhook,
            besides=list(besides),
        )
        return None if due_at is None else int(due_at)

    async def settle(self, webhook: str, gone: Sequence[str], later: Sequence[Later]) -> None:
        await self._rows(
            SETTLE,
            webhook=webhook,
            gone=list(gone),
            ids=[one.id for one in later],
            attempts=[one.attempts for one in later],
            due=[one.due_at for one in later],
        )

    async def expire(self, webhook: str, before: int) -> int:
        return await self._forget("webhook = %(webhook)b", webhook=webhook, before=before)

    async def forget_others(self, webhooks: Collection[str], before: int) -> int:
        return await self._forget("webhook <> ALL(%(webhooks)b::text[])", webhooks=list(webhooks), before=before)

    async def backlog(self) -> Mapping[str, Backlog]:
        rows = await self._rows("SELECT webhook, count(*), min(at) FROM webhook_events GROUP BY webhook")
        return {webhook: Backlog(count, oldest_at) for webhook, count, oldest_at in rows}

    async def _forget(self, condition: str, **values: object) -> int:
        query = f"WITH gone AS (DELETE FROM webhook_events WHERE {condition} AND at < %(before)b RETURNING id) SELECT count(*) FROM gone"
        [(count,)] = await self._rows(query, **values)
        return int(count)

    async def _rows(self, query: str, **values: object) -> list[TupleRow]:
        async with self._connections.sharing() as connection:
            cursor = connection.cursor(binary=True)
            await cursor.execute(query.encode(), values)
            return await cursor.fetchall() if cursor.description is not None else []
