"""Who owns which execution, in the database: claims, leases, and taking over from the dead. See ADR 6.

Rule: the lease is the owner's, one row however much it owns; the database's clock decides when it has run out.
"""

from __future__ import annotations

from collections.abc import Collection, Sequence
from typing import Final, NamedTuple

from psycopg.rows import TupleRow

from everstep.service.stores.postgres.chains import NEVER
from everstep.service.stores.postgres.connections import Connections
from everstep.service.stores.postgres.news import MEMBERS_CHANGED, WORK_LEFT
from everstep.service.stores.postgres.processes import is_gone, this_process

IS_OPEN: Final = "status IN ('RUNNING', 'PAUSING', 'PAUSED')"
IS_DEAD: Final = "NOT EXISTS (SELECT FROM instances i WHERE i.id = owner AND i.lease_until > now())"
FORGET_DEAD: Final = "DELETE FROM instances WHERE lease_until < now() - interval '1 day'"

# SKIP LOCKED: what another instance is just claiming, or writing, is none of ours.
CLAIM: Final = """
WITH found AS (
    SELECT number FROM executions
    WHERE owner IS NULL AND due_at <= %(now)b AND (COALESCE(owed_at, %(never)b) > %(now)b OR function = ANY(%(functions)b::text[]))
    ORDER BY due_at, number LIMIT %(limit)b FOR UPDATE SKIP LOCKED
)
UPDATE executions e SET owner = %(me)b FROM found WHERE e.number = found.number RETURNING e.due_at, e.number, e.id"""
TAKE_OVER: Final = f"""
WITH found AS (
    SELECT number FROM executions
    WHERE owner IS NOT NULL AND owner <> %(me)b AND (function = ANY(%(functions)b::text[]) OR NOT {IS_OPEN}) AND {IS_DEAD}
    ORDER BY number LIMIT %(limit)b FOR UPDATE SKIP LOCKED
)
UPDATE executions e SET owner = %(me)b FROM found WHERE e.number = found.number RETURNING e.number, e.id"""
RENEW: Final = """
WITH others AS (SELECT count(*) AS count, bool_or(hears_ends) AS hear FROM instances WHERE id <> %(me)b AND lease_until > now()),
before AS (SELECT lease_until > now() AS was_alive FROM instances WHERE id = %(me)b)
INSERT INTO instances (id, lease_until, process, hears_ends)
VALUES (%(me)b, now() + make_interval(secs => %(lease_s)b), NULLIF(%(process)b::text, ''), %(hears_ends)b)
ON CONFLICT (id) DO UPDATE SET lease_until = excluded.lease_until, hears_ends = excluded.hears_ends
RETURNING (SELECT was_alive FROM before), (SELECT count FROM others), (SELECT hear FROM others)"""


class Renewed(NamedTuple):
    """was_alive: whether the lease was still running. others: how many other instances there are. hear_ends: whether one wants to."""

    was_alive: bool
    others: int
    hear_ends: bool


class Ownership:
    """Of the instance `me`. prefix: of the channels on which instances hear of each other, see news.py."""

    def __init__(self, connections: Connections, me: str, prefix: str, lease_s: float) -> None:
        self._connections, self._me, self._prefix, self._lease_s = connections, me, prefix, lease_s
        self._process = this_process() or ""
        self._hears_ends = False

    async def renew(self) -> Renewed:
        [(was_alive, others, hear_ends)] = await self._rows(
            RENEW, me=self._me, lease_s=float(self._lease_s), process=self._process, hears_ends=self._hears_ends
        )
        return Renewed(bool(was_alive), others, bool(hear_ends))

    async def join(self) -> Renewed:
        """Become one of the instances."""
        renewed = await self.renew()
        await self._rows(FORGET_DEAD)
        await self._tell_all(MEMBERS_CHANGED)
        return renewed

    async def hear_ends(self, *, wanted: bool) -> None:
        self._hears_ends = wanted
        await self._rows("UPDATE instances SET hears_ends = %(wanted)b WHERE id = %(me)b", me=self._me, wanted=wanted)
        await self._tell_all(MEMBERS_CHANGED)

    async def leave(self) -> None:
        """Be dead to the others at once."""
        await self._rows("DELETE FROM instances WHERE id = %(me)b", me=self._me)
        await self._tell_all(MEMBERS_CHANGED)

    async def claim(self, now: int, functions: Collection[str], *, limit: int) -> Sequence[str]:
        rows = await self._rows(CLAIM, me=self._me, now=now, never=NEVER, functions=list(functions), limit=limit)
        return [execution_id for *_, execution_id in sorted(rows)]

    async def take_over(self, functions: Collection[str], *, limit: int) -> Sequence[str]:
        await self._bury()
        rows = await self._rows(TAKE_OVER, me=self._me, functions=list(functions), limit=limit)
        return [execution_id for *_, execution_id in sorted(rows)]

    async def _bury(self) -> None:
        """End the leases of instances of this machine whose processes are gone, without waiting for them."""
        others = await self._rows("SELECT id, process FROM instances WHERE id <> %(me)b AND process IS NOT NULL", me=self._me)
        if gone := [instance for instance, process in others if is_gone(process)]:
            await self._rows("DELETE FROM instances WHERE id = ANY(%(gone)b::text[])", gone=gone)
            await self._tell_all(MEMBERS_CHANGED)

    async def give_back(self, execution_ids: Collection[str]) -> None:
        # Locked in the order in which commits lock. What has begun since we decided so stays ours: without an owner, nobody would
        # take it over from us when we are dead.
        await self._rows(
            "WITH found AS (SELECT number FROM executions "
            "WHERE id = ANY(%(ids)b::text[]) AND owner = %(me)b AND NOT needs_recovery ORDER BY id FOR UPDATE) "
            "UPDATE executions e SET owner = NULL FROM found WHERE e.number = found.number",
            me=self._me,
            ids=list(execution_ids),
        )
        await self._tell_all(WORK_LEFT)

    async def owned(self, among: Collection[str] | None) -> Sequence[str]:
        condition, values = ("TRUE", {}) if among is None else ("id = ANY(%(ids)b::text[])", {"ids": list(among)})
        rows = await self._rows(f"SELECT id FROM executions WHERE owner = %(me)b AND {condition}", me=self._me, **values)
        return [execution_id for (execution_id,) in rows]

    async def next_due(self, after: int) -> int | None:
        rows = await self._rows("SELECT min(due_at) FROM executions WHERE owner IS NULL AND due_at > %(after)b", after=after)
        due_at: int | None = rows[0][0]
        return due_at

    async def still_open(self, execution_ids: Collection[str]) -> Collection[str]:
        rows = await self._rows(f"SELECT id FROM executions WHERE id = ANY(%(ids)b::text[]) AND {IS_OPEN}", ids=list(execution_ids))
        return [execution_id for (execution_id,) in rows]

    async def _tell_all(self, what: str) -> None:
        await self._rows("SELECT pg_notify(%(channel)b, %(what)b)::text", channel=self._prefix, what=what)

    async def _rows(self, query: str, **values: object) -> list[TupleRow]:
        async with self._connections.sharing() as connection:
            cursor = connection.cursor(binary=True)
            await cursor.execute(query.encode(), values)
            return await cursor.fetchall() if cursor.description is not None else []
