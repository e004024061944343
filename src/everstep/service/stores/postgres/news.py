"""What instances tell each other: LISTEN on a connection of its own, kept for nothing else.

A change of an execution is told on its owner's channel (the prefix and the owner's id), with the execution's id; what
concerns everybody on the channel that is called like the prefix. It is the commit that tells, so nothing is told of
what did not happen.

Rule: hearing is quick, not certain. Whoever relies on it looks for himself from time to time.
"""

from __future__ import annotations

from collections.abc import AsyncGenerator
from contextlib import aclosing, asynccontextmanager
from hashlib import blake2b
from typing import Final

from psycopg import Notify
from psycopg.sql import SQL, Identifier

from everstep.service.stores.api import StoreError
from everstep.service.stores.postgres.connections import Connections, explained
from everstep.service.stores.shared import Changed, Ended, MembersChanged, Missed, News, WorkLeft

WORK_LEFT: Final = "work"
MEMBERS_CHANGED: Final = "members"


def channel_prefix(schema: str) -> str:
    """Channels belong to the database, so the schema is part of their names, which are limited to 63 bytes."""
    return f"everstep_{blake2b(schema.encode(), digest_size=8).hexdigest()}_"


@asynccontextmanager
async def listening(connections: Connections, me: str, prefix: str) -> AsyncGenerator[AsyncGenerator[News]]:
    with explained(connections.place):
        async with await connections.connect() as connection:
            for channel in (prefix, prefix + me):
                await connection.execute(SQL("LISTEN {}").format(Identifier(channel)))
            async with aclosing(connection.notifies()) as notifications, aclosing(_news(notifications, prefix)) as news:
                yield news


async def _news(notifications: AsyncGenerator[Notify], prefix: str) -> AsyncGenerator[News]:
    yield Missed()
    async for notification in notifications:
        kind, _, execution_id = notification.payload.rpartition(" ")
        if notification.channel != prefix:
            yield Changed(execution_id)
        elif kind == "ended":
            yield Ended(execution_id)
        else:
            yield WorkLeft() if notification.payload == WORK_LEFT else MembersChanged()
    raise StoreError("the database says nothing any more")
