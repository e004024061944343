"""Stores of other versions: what an older one holds is found and goes on, and a change of schema happens as a whole or not at all."""

from __future__ import annotations

import asyncio
import json
import shutil
import sqlite3
import subprocess
import sys
from collections.abc import Generator
from contextlib import closing, contextmanager
from pathlib import Path

import psycopg
import pytest
from psycopg import AsyncConnection
from tests.service.fakes import ManualClock, eventually, played_out
from tests.service.postgres import Server
from tests.service.stores.story import GOLDEN, LATER, SCHEMA, Deaf, registered, statuses
from tests.service.test_crashes import callbacks

from everstep.errors import ExecutionFailed
from everstep.service.embedded import Service
from everstep.service.stores.api import Store, StoreError
from everstep.service.stores.postgres import PostgresStore
from everstep.service.stores.postgres.schema import migrate as migrate_postgres
from everstep.service.stores.postgres.schema import migrations as on_postgres
from everstep.service.stores.sqlite import SqliteStore
from everstep.service.stores.sqlite.schema import migrate as migrate_sqlite
from everstep.service.stores.sqlite.schema import migrations as on_sqlite

VERSIONS = sorted(path.stem.partition("-")[2] for path in GOLDEN.glob("store-*"))


# What older versions wrote


@pytest.fixture(params=VERSIONS)
def golden(request: pytest.FixtureRequest, tmp_path: Path) -> Store:
    kind, _, version = request.param.partition("-")
    if kind == "sqlite":
        return SqliteStore(Path(shutil.copy(GOLDEN / f"store-sqlite-{version}.db", tmp_path / "store.db")))
    postgres: Server = request.getfixturevalue("postgres")
    with psycopg.connect(postgres.url, autocommit=True) as connection:
        connection.execute(f"DROP SCHEMA IF EXISTS {SCHEMA} CASCADE".encode())
        connection.execute(f"CREATE SCHEMA {SCHEMA}".encode())
        connection.execute(f"SET search_path TO {SCHEMA}".encode())
        connection.execute((GOLDEN / f"store-postgres-{version}.sql").read_bytes())
    return PostgresStore(postgres.url, schema=SCHEMA)


async def test_executions_of_an_older_version_are_found_and_go_on(golden: Store) -> None:
    clock = ManualClock(LATER)
    callbacks.clear()
    async with Service(golden, clock=clock) as service:
        found = await statuses(service)
        listed = {one.name: one.arn for one in await service.list(limit=99)}
        history = await service.history(listed["broken"])
        known = registered(service)
        await service.resume(listed["paused"])
        results = [
            await played_out(clock, service.execution(known[function], listed[name]).result(), until=LATER + 86_400_000)
            for name, function in (("simple", "simple"), ("paused", "napping"), ("asking", "asking"))
        ]
        for _ in range(1_000):
            if listed["order"] in callbacks:
                break
            await asyncio.sleep(0.001)
        await service.succeed_callback(callbacks[listed["order"]], "yes")
        results.append(await played_out(clock, service.execution(known["order"], listed["order"]).result(), until=LATER + 86_400_000))
        with pytest.raises(ExecutionFailed):
            await service.execution(known["broken"], listed["broken"]).result()
        ended = await statuses(service)

    # Those that are open may have been moved on already.
    assert {name: found[name] for name in ("simple", "broken", "stopped", "paused")} == {
        "simple": "SUCCEEDED",
        "broken": "FAILED",
        "stopped": "STOPPED",
        "paused": "PAUSED",
    }
    assert results == ["grüß dich", "awake", "TIMED_OUT", [17, "yes", 500, [6, "packed"]]]
    assert ended == {
        "simple": "SUCCEEDED",
        "broken": "FAILED",
        "stopped": "STOPPED",
        "paused": "SUCCEEDED",
        "asking": "SUCCEEDED",
        "order": "SUCCEEDED",
    }
    assert [event["EventType"] for event in history] == ["ExecutionStarted", "StepFailed", "InvocationCompleted", "ExecutionFailed"]
    assert history[1]["StepFailedDetails"] == {
        "Error": {
            "Payload": {"ErrorMessage": "no money", "ErrorType": "Declined", "StackTrace": ["here"]},
            "Truncated": False,
        },
        "RetryDetails": {"CurrentAttempt": 1},
    }


async def test_events_that_a_store_owes_are_delivered_by_a_later_version(golden: Store, request: pytest.FixtureRequest) -> None:
    taken: list[str] = []

    class Hearing(Deaf):
        async def deliver(self, notice_id: str, body: str) -> None:
            taken.append(json.loads(body)["detail"]["durableExecutionName"])

    version = int(request.node.callspec.params["golden"].rpartition("-")[2])
    async with Service(golden, clock=ManualClock(LATER), webhooks=[Hearing()]):
        await eventually(lambda: version == 1 or "simple" in taken)

    assert version > 1 or not taken


def test_each_schema_version_has_its_golden_store() -> None:
    """Missing: run `python -m tests.service.stores.story`, once, before the version is released."""
    assert set(VERSIONS) == {
        f"{kind}-{number + 1}" for kind, known in (("sqlite", on_sqlite()), ("postgres", on_postgres())) for number in range(len(known))
    }


# How a schema changes, by scripts of the test's own


FIRST = "CREATE TABLE orders (id text NOT NULL); INSERT INTO orders VALUES ('semi;colon');"
SECOND = "ALTER TABLE orders ADD COLUMN note text; UPDATE orders SET note = 'old';"
BROKEN = "CREATE TABLE notes (id text); INSERT INTO nowhere VALUES (1);"


@contextmanager
def database(path: Path) -> Generator[sqlite3.Connection]:
    with closing(sqlite3.connect(path, isolation_level=None)) as connection:
        yield connection


def contents(connection: sqlite3.Connection) -> tuple[list[str], int]:
    """The tables, and the version."""
    tables = [name for (name,) in connection.execute("SELECT name FROM sqlite_master ORDER BY name")]
    (version,) = connection.execute("PRAGMA user_version").fetchone()
    return tables, version


def test_an_older_file_is_brought_forward_step_by_step_and_once(tmp_path: Path) -> None:
    path = tmp_path / "store.db"
    with database(path) as connection:
        migrate_sqlite(path, connection, [FIRST])
        assert contents(connection) == (["orders"], 1)

        migrate_sqlite(path, connection, [FIRST, SECOND, "CREATE TABLE extra (id text);"])
        migrate_sqlite(path, connection, [FIRST, SECOND, "CREATE TABLE extra (id text);"])

        assert contents(connection) == (["extra", "orders"], 3)
        assert connection.execute("SELECT * FROM orders").fetchall() == [("semi;colon", "old")]
        with pytest.raises(StoreError, match="schema 3, written by a newer Everstep"):
            migrate_sqlite(path, connection, [FIRST, SECOND])


def test_a_step_that_fails_leaves_the_file_at_the_step_before(tmp_path: Path) -> None:
    path = tmp_path / "store.db"
    with database(path) as connection:
        with pytest.raises(sqlite3.Error):
            migrate_sqlite(path, connection, [FIRST, SECOND, BROKEN])
        assert contents(connection) == (["orders"], 2)

        migrate_sqlite(path, connection, [FIRST, SECOND, "CREATE TABLE notes (id text);"])
        assert contents(connection) == (["notes", "orders"], 3)


DYING = """
import os, signal, sqlite3, sys
from pathlib import Path
from everstep.service.stores.sqlite.schema import migrate

path = Path(sys.argv[1])
connection = sqlite3.connect(path, isolation_level=None)
connection.create_function("die", 0, lambda: os.kill(os.getpid(), signal.SIGKILL))
migrate(path, connection, [sys.argv[2], "CREATE TABLE notes (id text); SELECT die();"])
"""


def test_a_process_that_is_killed_in_the_middle_of_a_step_leaves_the_file_at_the_step_before(tmp_path: Path) -> None:
    path = tmp_path / "store.db"
    killed = subprocess.run([sys.executable, "-c", DYING, str(path), FIRST], check=False)

    with database(path) as connection:
        assert (killed.returncode, contents(connection)) == (-9, (["orders"], 1))


@pytest.fixture
def schema(postgres: Server) -> str:
    return postgres.new_schema().partition("schema=")[2].partition("&")[0]


async def migrated(postgres: Server, schema: str, scripts: list[str]) -> list[tuple[object, ...]]:
    """The rows of `orders` afterwards."""
    async with await AsyncConnection.connect(postgres.url, autocommit=True) as connection:
        await migrate_postgres(connection, schema, scripts)
        cursor = await connection.execute(f"SELECT * FROM {schema}.orders".encode())
        return await cursor.fetchall()


async def test_instances_that_start_together_bring_a_schema_forward_once(postgres: Server, schema: str) -> None:
    await migrated(postgres, schema, [FIRST])
    slow = SECOND + "SELECT pg_sleep(0.05);" + "UPDATE orders SET note = note || '!';"

    found = await asyncio.gather(*(migrated(postgres, schema, [FIRST, slow]) for _ in range(4)))

    assert found == [[("semi;colon", "old!")]] * 4
    with pytest.raises(StoreError, match="version 2, written by a newer Everstep"):
        await migrated(postgres, schema, [FIRST])


@pytest.mark.parametrize("fate", [BROKEN, "CREATE TABLE notes (id text); SELECT pg_terminate_backend(pg_backend_pid());"])
async def test_an_instance_that_fails_in_the_middle_leaves_the_schema_as_it_was(postgres: Server, schema: str, fate: str) -> None:
    await migrated(postgres, schema, [FIRST])

    with pytest.raises(psycopg.Error):
        await migrated(postgres, schema, [FIRST, SECOND, fate])

    assert await migrated(postgres, schema, [FIRST]) == [("semi;colon",)]
    assert await migrated(postgres, schema, [FIRST, SECOND, "CREATE TABLE notes (id text)"]) == [("semi;colon", "old")]
