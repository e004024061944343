"""How an instance is connected to its database, and the database's errors in words that say what to do."""

from __future__ import annotations

import re
from collections.abc import AsyncGenerator, Generator, Mapping, Sequence
from contextlib import AbstractAsyncContextManager, asynccontextmanager, contextmanager
from typing import Final

import psycopg
from psycopg import errors
from psycopg.conninfo import conninfo_to_dict, make_conninfo
from psycopg.sql import SQL, Identifier, Literal
from psycopg.types.numeric import Int8BinaryDumper

from everstep.errors import UsageError
from everstep.service.stores.api import StoreError
from everstep.service.stores.postgres.lines import Lines
from everstep.service.stores.postgres.prepared import PreparedConnection, Row, Statement
from everstep.service.stores.postgres.schema import migrate

PATIENCE_S: Final = 10
"""For a server that does not answer."""
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
        self._open: tuple[Lines, Lines, Lines] | None = None

    async def connect(self) -> PreparedConnection:
        """A connection for nobody else, as the server's defaults have it."""
        return await PreparedConnection.connect(self._url, autocommit=True)

    def _lines(self, settings: Mapping[str, str], count: int) -> Lines:
        async def connect() -> PreparedConnection:
            connection = await self.connect()
            try:
                connection.adapters.register_dumper(int, Int8BinaryDumper)  # one type, whatever the value: one prepared statement
                await connection.execute(SQL("SET search_path TO {}").format(Identifier(self.schema)))
                for name, value in {**ALL, **settings}.items():
                    await connection.execute(SQL("SET {} TO {}").format(Identifier(name), Literal(value)))
            except BaseException:
                await connection.close()
                raise
            return connection

        return Lines(connect, count)

    async def open(self) -> None:
        """Raises StoreError if the database cannot be used."""
        with explained(self.place):
            async with await self.connect() as connection:
                await migrate(connection, self.schema)
        self._open = self._lines(WRITING, 1), self._lines(READING, READERS), self._lines(SHARING, 1)

    def close(self) -> None:
        lines, self._open = self._open or (), None
        for each in lines:
            each.close()

    async def write(self, statements: Sequence[Statement]) -> list[list[Row]]:
        """The rows of each statement; they are one transaction. Raises StoreError, and DataError."""
        lines = self._opened(0)
        try:  # without context managers: they took a fifth of our part of a commit
            connection = await lines.take()
            try:
                return await connection.run(statements)
            finally:
                lines.give_back(connection)
        except errors.DataError:
            raise
        except psycopg.Error as error:
            raise in_words(self.place, error) from error

    def reading(self) -> AbstractAsyncContextManager[PreparedConnection]:
        """A connection that reads. Raises StoreError, as `sharing` does."""
        return self._one(1)

    def sharing(self) -> AbstractAsyncContextManager[PreparedConnection]:
        """A connection for claims and leases."""
        return self._one(2)

    @asynccontextmanager
    async def _one(self, place: int) -> AsyncGenerator[PreparedConnection]:
        with explained(self.place):
            async with self._opened(place).one() as connection:
                yield connection

    def _opened(self, place: int) -> Lines:
        if self._open is None:
            raise StoreError(f"{self.place} is not open", is_retryable=False)
        return self._open[place]


@contextmanager
def explained(place: str) -> Generator[None]:
    """The body's database errors as StoreErrors. What is wrong with the values themselves is left as it is."""
    try:
        yield
    except errors.DataError:
        raise
    except psycopg.Error as error:
        raise in_words(place, error) from error


def in_words(place: str, error: psycopg.Error) -> StoreError:
    """What has happened, and what to do."""
    advice = next((advice for kind, advice in ADVICE if isinstance(error, kind)), "")
    text = " ".join(str(error).split()) or type(error).__name__
    return StoreError(f"{place}: {text}{advice}", is_retryable=isinstance(error, PASSING))


def _without_password(url: str) -> str:
    return re.sub(r"(://[^:/@]*):[^@]*@", r"\1:***@", url)
