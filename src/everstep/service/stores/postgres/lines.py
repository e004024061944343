"""Connections that are made when they are needed, kept, and made anew when the database has been away.

Rule: nothing is tried again here. Whether a commit whose answer was lost has been made is for its caller to find out.

psycopg_pool would be the natural choice. Cancelled while it takes a connection back, it loses it; cancelled while it
waits for one, before Python 3.12, it loses the cancellation (asyncio.wait_for). A service is left by cancelling what
runs, so it hung there now and then. This here has no `await` between what could be lost.
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncGenerator, Awaitable, Callable
from contextlib import asynccontextmanager
from typing import TypeAlias

import psycopg
from psycopg import AsyncConnection
from psycopg.pq import PipelineStatus, TransactionStatus
from psycopg.rows import TupleRow

Connection: TypeAlias = AsyncConnection[TupleRow]


class Lines:
    """Up to `count` connections at a time; who wants another one waits."""

    def __init__(self, connect: Callable[[], Awaitable[Connection]], count: int) -> None:
        self._connect = connect
        self._free: asyncio.LifoQueue[Connection | None] = asyncio.LifoQueue()  # the one used last is used next, None: not made yet
        self._all: set[Connection] = set()
        self._is_closed = False
        for _ in range(count):
            self._free.put_nowait(None)

    @asynccontextmanager
    async def one(self) -> AsyncGenerator[Connection]:
        """A connection that no one else uses meanwhile. Raises psycopg's errors."""
        connection = await self._free.get()
        try:
            if connection is not None and not _is_alive(connection):
                self._drop(connection)
                connection = None
            if connection is None:
                connection = await self._connect()
                self._all.add(connection)
            yield connection
        finally:
            if connection is not None and (self._is_closed or not _is_idle(connection)):
                self._drop(connection)
                connection = None
            self._free.put_nowait(connection)

    def _drop(self, connection: Connection) -> None:
        self._all.discard(connection)
        connection.pgconn.finish()

    def close(self) -> None:
        """Whoever still uses a connection finds it closed."""
        self._is_closed = True
        for connection in tuple(self._all):
            self._drop(connection)


def _is_alive(connection: Connection) -> bool:
    """Whether the server has not closed the connection. It is not asked: that would take a round trip."""
    try:
        for _ in range(2):  # its farewell, then the end
            connection.pgconn.consume_input()
    except psycopg.OperationalError:
        return False
    return not connection.closed


def _is_idle(connection: Connection) -> bool:
    """Whether the connection is ready for the next user, not in the middle of something that was cancelled."""
    status = connection.pgconn.transaction_status, connection.pgconn.pipeline_status
    return not connection.closed and status == (TransactionStatus.IDLE, PipelineStatus.OFF)
