"""A store that is checked: nothing is wrong with what a service left, and whatever is spoilt is reported where it is."""

from __future__ import annotations

import sqlite3
from collections.abc import Callable
from contextlib import closing
from pathlib import Path
from typing import NamedTuple

import psycopg
import pytest
from tests.service.fakes import NOON, ManualClock
from tests.service.postgres import Server
from tests.service.stores.story import told

from everstep.errors import UsageError
from everstep.service.checking import DATABASE, Report, check
from everstep.service.embedded import Service
from everstep.service.stores.api import StoreError
from everstep.service.stores.memory import MemoryStore
from everstep.service.stores.postgres.schema import migrations as on_postgres
from everstep.service.stores.sqlite.schema import migrations as on_sqlite
from everstep.service.stores.urls import store_at


class Place(NamedTuple):
    """A store that can be spoilt behind its back."""

    url: str
    run: Callable[[str], None]

    def blob(self, data: bytes) -> str:
        """As a literal."""
        return f"x'{data.hex()}'" if self.url.startswith("sqlite") else f"'\\x{data.hex()}'"


@pytest.fixture(params=["sqlite", "postgres"])
def place(request: pytest.FixtureRequest, tmp_path: Path) -> Place:
    if request.param == "sqlite":

        def run(statement: str) -> None:
            with closing(sqlite3.connect(tmp_path / "store.db")) as connection, connection:
                connection.execute(statement)

        return Place(f"sqlite:///{tmp_path}/store.db", run)
    postgres: Server = request.getfixturevalue("postgres")
    url = postgres.new_schema()
    schema = url.partition("schema=")[2].partition("&")[0]

    def run_there(statement: str) -> None:
        with psycopg.connect(postgres.url, autocommit=True) as connection:
            connection.execute(f"SET search_path TO {schema}".encode())
            connection.execute(statement.encode())

    return Place(url, run_there)


async def checked(place: Place, now: int = NOON) -> Report:
    return await check(store_at(place.url), lambda: now)


def of(report: Report, name: str) -> list[str]:
    """The faults of the execution of that name."""
    return [f"{said.rule}: {said.says}" for where, many in report.faults.items() if f"/{name}/" in where for said in many]


def number(name: str) -> str:
    return f"(SELECT number FROM executions WHERE name = '{name}')"


def newest(url: str) -> int:
    return len(on_sqlite() if url.startswith("sqlite") else on_postgres())


async def test_nothing_is_wrong_with_what_a_service_left(place: Place) -> None:
    await told(store_at(place.url))

    report = await checked(place)

    assert report.faults == report.warnings == {}
    assert (report.schema, report.executions) == (newest(place.url), 7)
    assert report.operations > 15
    assert report.events > 30


async def test_what_is_spoilt_is_reported_where_it_is(place: Place) -> None:
    await told(store_at(place.url))
    place.run(f"DELETE FROM operations WHERE execution = {number('order')} AND ord = 2")
    place.run(f"DELETE FROM events WHERE execution = {number('asking')}")
    place.run("UPDATE executions SET status = 'RUNNING' WHERE name = 'stopped'")
    place.run(f"UPDATE operations SET body = {place.blob(b'nonsense')} WHERE execution = {number('paused')} AND ord = 1")
    place.run(f"UPDATE executions SET body = {place.blob(bytes(9))} WHERE name = 'broken'")
    place.run(f"DELETE FROM payloads WHERE execution = {number('simple')}")

    report = await checked(place)

    assert len(report.faults) == 5
    assert of(report, "order") == [f"operations: of {7} operations these are missing, by order: 2"]
    [missing] = of(report, "asking")
    assert missing.startswith("events: of 3 events these are missing: 1, 2, 3")
    assert of(report, "stopped") == ["rows: its column status is 'RUNNING', its body says 'STOPPED'"]
    [undecoded] = of(report, "paused")
    assert undecoded.startswith("rows: operation 1 cannot be decoded")
    [lost] = [where for where in report.faults if not where.startswith("arn:")]
    assert lost.endswith("(function broken, name broken)")
    assert "its row cannot be decoded" in report.faults[lost][0].says
    [(where, [said])] = report.warnings.items()
    assert "/simple/" in where
    assert said.says == "the execution succeeded without a result"


async def test_rows_of_an_execution_that_is_gone_are_reported(place: Place) -> None:
    await told(store_at(place.url))
    place.run("DELETE FROM executions WHERE name = 'broken'")

    report = await checked(place)

    assert report.faults.keys() == {DATABASE}
    said = [fault.says for fault in report.faults[DATABASE]]
    assert [text.split(" ")[1] for text in said] == ["payloads", "operations", "events"]
    assert all("of an execution that is not there" in text for text in said)


async def test_a_due_time_that_got_lost_is_reported(place: Place) -> None:
    await told(store_at(place.url))
    place.run("UPDATE executions SET due_at = NULL WHERE name = 'order'")

    [said] = of(await checked(place), "order")

    assert said.startswith("rows: its column due_at is None")


async def test_a_store_without_a_service_and_without_tables_is_not_checked(place: Place) -> None:
    with pytest.raises(StoreError, match=r"no such file|has no schema"):
        await checked(place)


async def test_a_store_of_another_schema_is_not_checked(place: Place) -> None:
    await told(store_at(place.url))
    is_sqlite = place.url.startswith("sqlite")
    for version, said in ((0, f"older schema 0: a service brings it up to {newest(place.url)}"), (9, "written by a newer Everstep")):
        place.run(f"PRAGMA user_version = {version}" if is_sqlite else f"UPDATE schema_version SET version = {version}")
        with pytest.raises(StoreError, match=said):
            await checked(place)


async def test_a_store_in_memory_is_not_checked() -> None:
    with pytest.raises(UsageError, match="outlives its process"):
        await check(MemoryStore(), lambda: 0)


async def test_a_file_that_a_service_has_is_not_checked(tmp_path: Path) -> None:
    url = f"sqlite:///{tmp_path}/store.db"
    async with Service(url):
        with pytest.raises(StoreError, match="in use by another service"):
            await check(store_at(url), lambda: NOON)


async def test_a_database_that_services_are_at_work_on_is_checked(postgres: Server) -> None:
    url = postgres.new_schema()
    await told(store_at(url))
    async with Service(url, clock=ManualClock()):  # by the time of today, it would remove what has been kept for long enough
        report = await check(store_at(url), lambda: NOON)

    assert (report.executions, report.faults) == (7, {})


async def test_a_file_with_a_damaged_page_is_reported(tmp_path: Path) -> None:
    path = tmp_path / "store.db"
    await told(store_at(f"sqlite:///{path}"))
    content = bytearray(path.read_bytes())
    with closing(sqlite3.connect(path)) as connection:
        ((root,),) = connection.execute("SELECT rootpage FROM sqlite_master WHERE name = 'events'").fetchall()
        ((size,),) = connection.execute("PRAGMA page_size").fetchall()
    content[(root - 1) * size : (root - 1) * size + 40] = b"\xff" * 40
    path.write_bytes(content)

    report = await check(store_at(f"sqlite:///{path}"), lambda: NOON)

    assert {said.rule for said in report.faults[DATABASE]} == {"database"}
    assert len(report.faults[DATABASE]) > 1  # what SQLite says, and that it could be read no further
