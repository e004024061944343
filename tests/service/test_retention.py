"""Executions are removed when they have ended for as long as they are kept; then nothing is left of them."""

from __future__ import annotations

import asyncio
import sqlite3
from collections import Counter
from collections.abc import Callable, Sequence
from contextlib import AsyncExitStack, closing
from pathlib import Path

import psycopg
import pytest
from tests.service.fakes import PENDING, ManualClock, Run, eventually, fake
from tests.service.postgres import Server

from everstep.errors import ServiceError
from everstep.service.embedded import Service
from everstep.service.removal import MAX_GROUP
from everstep.service.stores.api import Filter, Store, StoreError
from everstep.service.stores.memory import MemoryStore
from everstep.service.stores.urls import store_at

DAY_S = 86_400
TABLES = ("executions", "payloads", "operations", "events")


async def charge(run: Run) -> object:
    return await run.step("charge", lambda: "x" * 2_000)


async def asking(run: Run) -> object:
    await run.callback("forever")
    return PENDING


@pytest.fixture(params=["memory", "sqlite", "postgres"])
def make(request: pytest.FixtureRequest, tmp_path: Path) -> Callable[[], Store]:
    if request.param == "memory":
        memory = MemoryStore()
        return lambda: memory
    if request.param == "sqlite":
        return lambda: store_at(f"sqlite:///{tmp_path}/store.db")
    url = request.getfixturevalue("postgres").new_schema()
    return lambda: store_at(url)


async def run_to_the_end(service: Service, count: int, clock: ManualClock) -> list[str]:
    """Their ARNs. Time goes on if nothing happens: what met with another change is tried again after a second."""
    handler = fake(charge)
    service.register(handler, retention_days=2)
    started = [await service.start(handler, {"number": number}, name=f"n{number}") for number in range(count)]
    ended = asyncio.gather(*(execution.result() for execution in started))
    while not (await asyncio.wait({ended}, timeout=0.5))[0]:
        clock.move(seconds=1)
    return [execution.arn for execution in started]


async def gone(service: Service) -> None:
    for _ in range(5_000):
        if not await service.list(function="charge", limit=1):
            return
        await asyncio.sleep(0.001)
    raise AssertionError("they are still there")


async def test_what_has_ended_is_kept_for_its_retention_and_then_removed(make: Callable[[], Store]) -> None:
    clock = ManualClock()
    async with Service(make(), clock=clock) as service:
        waiting = fake(asking)
        service.register(waiting, execution_timeout=30 * DAY_S, retention_days=1)
        left_open = await service.start(waiting, None)
        [arn, *_] = await run_to_the_end(service, 3, clock)
        await eventually(lambda: bool(clock.alarms))
        clock.move(seconds=2 * DAY_S - 1)
        await asyncio.sleep(0.05)
        before = await service.list(function="charge")
        clock.move(seconds=2)
        await gone(service)

        with pytest.raises(ServiceError, match="does not exist"):
            await service.describe(arn)
        assert len(before) == 3
        assert [one.arn for one in await service.list()] == [left_open.arn]
        assert await service.start(waiting, None, name="n0"), "their names are free"


async def test_what_should_have_been_removed_while_no_service_ran_is_removed_when_one_starts(make: Callable[[], Store]) -> None:
    clock = ManualClock()
    async with Service(make(), clock=clock) as service:
        await run_to_the_end(service, 2 * MAX_GROUP + 1, clock)
    clock.move(seconds=9 * DAY_S)
    async with Service(make(), clock=clock) as service:
        await gone(service)
    store = make()
    await store.open()
    assert await store.executions(Filter(), limit=9) == []
    await store.close()


async def test_a_file_does_not_grow_beyond_what_is_kept_at_a_time_and_holds_no_row_of_what_is_gone(tmp_path: Path) -> None:
    path, clock = tmp_path / "store.db", ManualClock()
    sizes: list[int] = []
    for _ in range(4):
        async with Service(f"sqlite:///{path}", clock=clock) as service:
            await run_to_the_end(service, 60, clock)
            clock.move(seconds=3 * DAY_S)
            await gone(service)
        sizes.append(path.stat().st_size)
    with closing(sqlite3.connect(path)) as connection:
        rows = [connection.execute(f"SELECT count(*) FROM {table}").fetchone()[0] for table in TABLES]

    assert rows == [0] * len(TABLES)
    assert sizes[-1] <= 1.2 * sizes[0]


async def test_services_that_share_a_database_remove_together_and_leave_nothing(postgres: Server) -> None:
    url, clock = postgres.new_schema(), ManualClock()
    async with AsyncExitStack() as stack:
        services = [await stack.enter_async_context(Service(url, clock=clock)) for _ in range(3)]
        await run_to_the_end(services[0], 120, clock)
        clock.move(seconds=3 * DAY_S)
        await gone(services[1])
    with psycopg.connect(postgres.url) as connection:
        connection.execute(f"SET search_path TO {url.partition('schema=')[2].partition('&')[0]}".encode())
        rows = [connection.execute(f"SELECT count(*) FROM {table}".encode()).fetchone() for table in TABLES]

    assert rows == [(0,)] * len(TABLES)


class Fragile(MemoryStore):
    """Fails to delete, now and then, and tells in what groups it was asked to."""

    def __init__(self) -> None:
        super().__init__()
        self.groups = Counter[int]()

    async def delete(self, execution_ids: Sequence[str]) -> None:
        await asyncio.sleep(0)
        self.groups[len(execution_ids)] += 1
        if self.groups.total() % 3 == 0:
            raise StoreError("the disk is full")
        await super().delete(execution_ids)


async def test_removal_goes_in_small_groups_and_is_tried_again() -> None:
    store, clock = Fragile(), ManualClock()
    async with Service(store, clock=clock) as service:
        await run_to_the_end(service, 3 * MAX_GROUP, clock)
        clock.move(seconds=3 * DAY_S)
        for _ in range(200):
            await asyncio.sleep(0)
            clock.move(seconds=2)
        await gone(service)

    assert max(store.groups) <= MAX_GROUP
    assert store.groups.total() < MAX_GROUP
