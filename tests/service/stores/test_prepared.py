"""A connection for prepared statements, on a real server: what comes back, what is raised, and what is left of it."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager

import psycopg
import pytest
from psycopg import AsyncConnection, errors
from psycopg.pq import PipelineStatus, TransactionStatus
from tests.service.postgres import Server

from everstep.service.stores.postgres.prepared import PreparedConnection, Statement, Template

ECHO = Template(
    "SELECT %(text)b::text, %(bytes)b::bytea, %(number)b::bigint::text, %(yes)b::boolean::text, %(text)b::text || '!'",
    ["text", "bytes", "number", "yes"],
)
ARRAYS = Template(
    "SELECT %(texts)b::text[]::text, %(bytes)b::bytea[]::text, %(numbers)b::bigint[]::text, %(bools)b::boolean[]::text",
    ["texts", "bytes", "numbers", "bools"],
)
PUT = Template("INSERT INTO prepared_rows VALUES (%(number)b::bigint) RETURNING number::text", ["number"])


@asynccontextmanager
async def connected(server: Server) -> AsyncGenerator[PreparedConnection]:
    connection = await PreparedConnection.connect(server.url, autocommit=True)
    try:
        await connection.execute("CREATE TEMPORARY TABLE prepared_rows (number bigint PRIMARY KEY)")
        yield connection
    finally:
        connection.drop()


def put(number: int) -> Statement:
    return PUT.of([number])


async def test_values_arrive_as_they_are(postgres: Server) -> None:
    async with connected(postgres) as connection:
        [[row]] = await connection.run([ECHO.of(["größer", b"\0\xff", -(2**40), True])])

    assert row == ("größer".encode(), b"\0\xff", b"-1099511627776", b"true", "größer!".encode())


@pytest.mark.parametrize(
    ("values", "expected"),
    [
        ([["a", "b,c"], [b"\1", b""], [1, -2], [True, False]], (b'{a,"b,c"}', b"{1,-2}", b"{t,f}")),
        ([(), (), (), ()], (b"{}", b"{}", b"{}")),
    ],
)
async def test_arrays_arrive_as_they_are(postgres: Server, values: list[object], expected: tuple[bytes, ...]) -> None:
    async with connected(postgres) as connection:
        [[(texts, _, numbers, bools)]] = await connection.run([ARRAYS.of(values)])

    assert (texts, numbers, bools) == expected


async def test_what_is_larger_than_the_sockets_buffers_arrives_both_ways(postgres: Server) -> None:
    text = "x" * 20_000_000
    async with connected(postgres) as connection:
        [[row]] = await connection.run([ECHO.of([text, b"", 0, False])])

    assert row[0] == text.encode()


async def test_statements_that_run_together_are_recorded_all_or_none(postgres: Server) -> None:
    async with connected(postgres) as connection:
        with pytest.raises(errors.UniqueViolation):
            await connection.run([put(1), put(2), put(1)])
        is_ready = connection.pgconn.transaction_status, connection.pgconn.pipeline_status
        answers = await connection.run([put(1), put(2)])

    assert is_ready == (TransactionStatus.IDLE, PipelineStatus.OFF)
    assert answers == [[(b"1",)], [(b"2",)]]


async def test_an_error_leaves_the_connection_usable(postgres: Server) -> None:
    async with connected(postgres) as connection:
        await connection.run([put(1)])
        with pytest.raises(errors.UniqueViolation):
            await connection.run([put(1)])
        with pytest.raises(errors.UndefinedTable):
            await connection.run([Template("SELECT * FROM no_such_table").of([])])

        assert await connection.run([put(2)]) == [[(b"2",)]]
        assert connection.is_alive()


async def test_text_that_no_database_can_hold_is_refused(postgres: Server) -> None:
    async with connected(postgres) as connection:
        with pytest.raises(psycopg.DataError):
            await connection.run([ECHO.of(["\0", b"", 0, False])])
    with pytest.raises(UnicodeEncodeError):
        ECHO.of(["\ud800", b"", 0, False])


async def test_a_server_that_goes_away_is_noticed_in_the_middle_and_at_rest(postgres: Server) -> None:
    async with connected(postgres) as connection, await AsyncConnection.connect(postgres.url, autocommit=True) as other:
        running = asyncio.ensure_future(connection.run([Template("SELECT pg_sleep(60)::text").of([])]))
        while not await (await other.execute("SELECT FROM pg_stat_activity WHERE query LIKE 'SELECT pg_sleep%'")).fetchall():
            pass
        await other.execute("SELECT pg_terminate_backend(%s)", (connection.pgconn.backend_pid,))
        with pytest.raises(psycopg.OperationalError):
            await running

        assert not connection.is_alive()
        with pytest.raises(psycopg.OperationalError):
            await connection.run([put(1)])


async def test_dropped_while_a_statement_runs_it_says_so(postgres: Server) -> None:
    async with connected(postgres) as connection:
        running = asyncio.ensure_future(connection.run([Template("SELECT pg_sleep(60)::text").of([])]))
        await asyncio.sleep(0)
        connection.drop()

        with pytest.raises(psycopg.OperationalError):
            await running
