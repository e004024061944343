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

from psycopg.pq import PipelineStatus, TransactionStatus

from everstep.service.stores.postgres.prepared import PreparedConnection


class Lines:
    """Up to `count` connections at a time; who wants another one waits."""

    def __init__(self, connect: Callable[[], Awaitable[PreparedConnection]], count: int) -> None:
        self._connect = connect
        self._free: asyncio.LifoQueue[PreparedConnection | None] = asyncio.LifoQueue()  # the one used last is used next, None: not made yet
        self._all: set[PreparedConnection] = set()
        self._is_closed = False
        for _ in range(count):
            self._free.put_nowait(None)

    @asynccontextmanager
    async def one(self) -> AsyncGenerator[PreparedConnection]:
        """A connection that no one else uses meanwhile. Raises psycopg's errors."""
        connection = await self.take()
        try:
            yield connection
        finally:
            self.give_back(connection)

    async def take(self) -> PreparedConnection:
        """As `one`, until it is given back."""
        connection = await self._free.get()
        try:
            if connection is not None and not connection.is_alive():
                self._drop(connection)
                connection = None
            if connection is None:
                connection = await self._connect()
                self._all.add(connection)
        except BaseException:
            self._free.put_nowait(None)
            raise
        return connection

    def give_back(self, connection: PreparedConnection) -> None:
        """In the middle of something, it is dropped."""
        is_kept = not self._is_closed and _is_idle(connection)
        if not is_kept:
            self._drop(connection)
        self._free.put_nowait(connection if is_kept else None)

    def _drop(self, connection: PreparedConnection) -> None:
        self._all.discard(connection)
        connection.drop()

    def close(self) -> None:
        """Whoever still uses a connection finds it closed."""
        self._is_closed = True
        for connection in tuple(self._all):
            self._drop(connection)


def _is_idle(connection: PreparedConnection) -> bool:
    """Whether the connection is ready for the next user, not in the middle of something that was cancelled."""
    status = connection.pgconn.transaction_status, connection.pgconn.pipeline_status
    return not connection.closed and status == (TransactionStatus.IDLE, PipelineStatus.OFF)
