"""Connections to the database, found again when it has been away, and its errors in words that say what to do.

Rule: nothing is tried again here. Whether a commit whose answer was lost has been made is for its caller to find out.
"""

from __future__ import annotations

import asyncio
import re
from collections.abc import AsyncGenerator, Generator, Mapping
from contextlib import AbstractAsyncContextManager, asynccontextmanager, contextmanager
from typing import Final, TypeAlias

import psycopg
from psycopg import AsyncConnection, errors
from psycopg.conninfo import conninfo_to_dict, make_conninfo
from psycopg.rows import TupleRow
from psycopg.sql import SQL, Identifier, Literal
from psycopg.types.numeric import Int8BinaryDumper
from psycopg_pool import AsyncConnectionPool

from everstep.errors import UsageError
from everstep.service.stores.api import StoreError
from everstep.service.stores.postgres.schema import migrate

Connection: TypeAlias = AsyncConnection[TupleRow]
Pool: TypeAlias = AsyncConnectionPool[Connection]

PATIENCE_S: Final = 10
"""For a connection, before whoever needs it is told that there is none."""
READERS: Final = 4
"""Connections that read at a time."""

LINE: Final[Mapping[str, int]] = {
    "connect_timeout": PATIENCE_S,
    # A server that is cut off says nothing: without these, a commit would wait for it for a quarter of an hour.
    "tcp_user_timeout": PATIENCE_S * 1000,
    "keepalives_idle": PATIENCE_S,
    "keepalives_interval": 3,
    "keepalives_count": 3,
}
"""How to connect, unless the URL says otherwise."""
ALL: Final[Mapping[str, str]] = {
    "default_transaction_isolation": "read committed",
    "statement_timeout": "60s",  # somebody holds a lock: say so, and try again
}
WRITING: Final[Mapping[str, str]] = {
    # What is acknowledged is on disk, whatever the server's default is.
    "synchronous_commit": "on",
    # A group's statement is planned once. It finds rows by key, however small the tables were when it was planned.
    "plan_cache_mode": "force_generic_plan",
    "enable_seqscan": "off",
    "enable_mergejoin": "off",
}
READING: Final[Mapping[str, str]] = {}
SHARING: Final[Mapping[str, str]] = {
    # Claims and leases may be lost with the server: they decide who acts, and are no promise to anybody.
    "synchronous_commit": "off",
}

PASSING: Final = (psycopg.OperationalError, psycopg.InterfaceError, errors.ReadOnlySqlTransaction, errors.QueryCanceled)
"""What may be over by the next try, without anybody changing a setting."""
ADVICE: Final = (
    (errors.InsufficientPrivilege, " (give the service's role the right to do that, or a schema that it owns)"),
    (errors.InvalidPassword, " (check the URL's password)"),
    (errors.InvalidCatalogName, " (create the database first)"),
    (errors.DiskFull, " (the server's disk is full: free some space, and the service goes on by itself)"),
    (errors.TooManyConnections, f" (a service takes up to {READERS + 3} connections: raise max_connections, or run fewer services)"),
    (errors.ReadOnlySqlTransaction, " (it is a standby: the URL must name the primary, for instance by target_session_attrs=read-write)"),
)


class Connections:
    """One connection that writes, some that read, and one for who owns what, so that no lease waits for a long queue of readers."""

    def __init__(self, url: str, schema: str) -> None:
        try:
            options = conninfo_to_dict(url)
        except psycopg.Error as error:
            raise UsageError(f"{_without_password(url)!r} is not the URL of a PostgreSQL database: {str(error).strip()}") from None
        self._url = make_conninfo(url, **{name: value for name, value in LINE.items() if name not in options})
        self.schema = schema
        self.place = f"PostgreSQL {options.get('dbname') or ''} at {options.get('host') or 'localhost'}"
        self._pools: tuple[Pool, Pool, Pool] | None = None

    async def connect(self) -> Connection:
        """A connection beside the pools, as the server's defaults have it."""
        return await AsyncConnection.connect(self._url, autocommit=True)

    def _pool(self, settings: Mapping[str, str], most: int) -> Pool:
        async def configure(connection: Connection) -> None:
            await self._configure(connection, settings)

        return AsyncConnectionPool(
            self._url,
            kwargs={"autocommit": True},
            min_size=1,
            max_size=most,
            timeout=PATIENCE_S,
            configure=configure,
            check=_is_alive,
            open=False,
            name=f"everstep {self.schema}",
        )

    async def _configure(self, connection: Connection, settings: Mapping[str, str]) -> None:
        connection.adapters.register_dumper(int, Int8BinaryDumper)  # one type, whatever the value: one prepared statement
        await connection.execute(SQL("SET search_path TO {}").format(Identifier(self.schema)))
        for name, value in {**ALL, **settings}.items():
            await connection.execute(SQL("SET {} TO {}").format(Identifier(name), Literal(value)))

    async def open(self) -> None:
        """Raises StoreError if the database cannot be used."""
        with explained(self.place):
            async with await self.connect() as connection:
                await migrate(connection, self.schema)
        self._pools = self._pool(WRITING, 1), self._pool(READING, READERS), self._pool(SHARING, 1)
        for pool in self._pools:
            await pool.open()

    async def close(self) -> None:
        pools, self._pools = self._pools or (), None
        for pool in pools:
            await pool.close()

    def writing(self) -> AbstractAsyncContextManager[Connection]:
        """A connection that writes executions. Raises StoreError, as the others do."""
        return self._connection(0)

    def reading(self) -> AbstractAsyncContextManager[Connection]:
        return self._connection(1)

    def sharing(self) -> AbstractAsyncContextManager[Connection]:
        """A connection for claims and leases."""
        return self._connection(2)

    @asynccontextmanager
    async def _connection(self, place: int) -> AsyncGenerator[Connection]:
        with explained(self.place):
            if self._pools is None:
                raise StoreError(f"{self.place} is not open", is_retryable=False)
            task = asyncio.current_task()
            cancellations = 0 if task is None else task.cancelling()
            async with self._pools[place].connection() as connection:
                # The pool waits by asyncio.wait_for, which before Python 3.12 loses a cancellation that comes just when it is done.
                if task is not None and task.cancelling() > cancellations:
                    raise asyncio.CancelledError
                yield connection


@contextmanager
def explained(place: str) -> Generator[None]:
    """The body's database errors as StoreErrors. What is wrong with the values themselves is left as it is."""
    try:
        yield
    except errors.DataError:
        raise
    except psycopg.Error as error:
        advice = next((advice for kind, advice in ADVICE if isinstance(error, kind)), "")
        text = " ".join(str(error).split()) or type(error).__name__
        raise StoreError(f"{place}: {text}{advice}", is_retryable=isinstance(error, PASSING)) from error


async def _is_alive(connection: Connection) -> None:
    """Raises OperationalError if the server has closed the connection meanwhile. It is not asked: that would take a round trip."""
    for _ in range(2):  # its farewell, then the end
        connection.pgconn.consume_input()


def _without_password(url: str) -> str:
    return re.sub(r"(://[^:/@]*):[^@]*@", r"\1:***@", url)
