"""What only a file can do: be shared, be foreign, be full, be left behind by a killed process."""

from __future__ import annotations

import asyncio
import multiprocessing
import os
import resource
import sqlite3
import subprocess
import sys
import threading
from collections.abc import AsyncGenerator, Generator
from contextlib import asynccontextmanager, contextmanager
from pathlib import Path

import pytest
from tests.service.stores.rows import step_write

from everstep.service.stores.api import StoreError, Write
from everstep.service.stores.sqlite import SqliteStore
from everstep.service.stores.sqlite.pace import PROOF
from everstep.service.stores.sqlite.schema import connect_for_writing, migrations
from everstep.service.stores.sqlite.store import MOST_HERE
from everstep.service.stores.sqlite.writer import FEW_PAGES_LOGGED, MAX_BYTES_BRIEFLY, MAX_PAGES_LOGGED, PAGE_BYTES, Writer

FILE = "executions.db"


@asynccontextmanager
async def opened(path: Path) -> AsyncGenerator[SqliteStore]:
    store = SqliteStore(path)
    await store.open()
    try:
        yield store
    finally:
        await store.close()


def size_of(path: Path) -> int:
    return path.stat().st_size


# One owner


async def test_a_second_service_on_the_same_file_is_refused_until_the_first_one_closes(tmp_path: Path) -> None:
    async with opened(tmp_path / FILE):
        second = SqliteStore(tmp_path / FILE)
        with pytest.raises(StoreError, match=rf"in use by another service \(process {os.getpid()}\)") as refusal:
            await second.open()
        await second.close()

    assert not refusal.value.is_retryable
    async with opened(tmp_path / FILE) as store:
        assert await store.commit([step_write("e-1", 1)]) == [True]


async def test_a_link_to_the_file_is_the_same_file(tmp_path: Path) -> None:
    (tmp_path / "link.db").symlink_to(tmp_path / FILE)
    async with opened(tmp_path / FILE):
        with pytest.raises(StoreError, match="in use"):
            await SqliteStore(tmp_path / "link.db").open()


async def test_closing_leaves_the_database_file_and_nothing_else(tmp_path: Path) -> None:
    async with opened(tmp_path / FILE) as store:
        await store.commit([step_write("e-1", 1)])

    assert os.listdir(tmp_path) == [FILE]


OWNER = """
import asyncio, sys
from pathlib import Path
from everstep.service.stores.sqlite import SqliteStore
from tests.service.stores.rows import step_write

async def main():
    store = SqliteStore(Path(sys.argv[1]))
    await store.open()
    for revision in range(1, 100_000):
        await store.commit([step_write("e-1", revision)])
        print(revision, flush=True)

asyncio.run(main())
"""


def another_service(path: Path) -> subprocess.Popen[str]:
    environment = {**os.environ, "PYTHONPATH": os.pathsep.join(sys.path)}
    return subprocess.Popen([sys.executable, "-c", OWNER, str(path)], stdout=subprocess.PIPE, env=environment, text=True)


async def test_what_a_killed_process_was_told_is_durable_is_there_and_its_file_is_free(tmp_path: Path) -> None:
    path = tmp_path / FILE
    with another_service(path) as owner:
        assert owner.stdout is not None
        acknowledged = 0
        while acknowledged < 50:
            acknowledged = int(owner.stdout.readline())
        with pytest.raises(StoreError, match=f"process {owner.pid}"):
            await SqliteStore(path).open()
        owner.kill()
        complete_lines = owner.stdout.read().split("\n")[:-1]
        acknowledged += len(complete_lines)

    async with opened(path) as store:
        snapshot = await store.load("e-1")
        events = await store.events("e-1", limit=1_000_000)
        assert snapshot is not None
        revision = snapshot.execution.revision
        taken = await store.commit([step_write("e-1", revision + 1)])

    assert revision >= acknowledged
    assert len(snapshot.records) == revision
    assert len(events) == 2 * revision
    assert taken == [True]


async def test_a_forked_worker_does_not_keep_the_file_locked(tmp_path: Path) -> None:
    context = multiprocessing.get_context("fork")
    release = context.Event()
    async with opened(tmp_path / FILE):
        worker = context.Process(target=release.wait)
        worker.start()
    try:
        async with opened(tmp_path / FILE):
            pass
    finally:
        release.set()
        worker.join()


# Files that are not ours


async def test_a_file_of_a_newer_schema_is_refused_untouched(tmp_path: Path) -> None:
    async with opened(tmp_path / FILE):
        pass
    with sqlite3.connect(tmp_path / FILE) as connection:
        connection.execute(f"PRAGMA user_version = {len(migrations()) + 1}")
    connection.close()
    before = (tmp_path / FILE).read_bytes()

    with pytest.raises(StoreError, match=f"schema {len(migrations()) + 1}, written by a newer Everstep"):
        await SqliteStore(tmp_path / FILE).open()

    assert (tmp_path / FILE).read_bytes() == before
    assert os.listdir(tmp_path) == [FILE]


async def test_a_database_of_another_program_is_refused_untouched(tmp_path: Path) -> None:
    with sqlite3.connect(tmp_path / FILE) as connection:
        connection.execute("CREATE TABLE customers (id)")
    connection.close()
    before = (tmp_path / FILE).read_bytes()

    with pytest.raises(StoreError, match="another program's tables"):
        await SqliteStore(tmp_path / FILE).open()

    assert (tmp_path / FILE).read_bytes() == before


async def test_a_file_that_is_no_database_is_refused(tmp_path: Path) -> None:
    (tmp_path / FILE).write_text("Dear diary, " * 100)

    with pytest.raises(StoreError, match="file of its own"):
        await SqliteStore(tmp_path / FILE).open()


async def test_a_missing_directory_is_named(tmp_path: Path) -> None:
    with pytest.raises(StoreError, match=r"no/such.*directory exists"):
        await SqliteStore(tmp_path / "no" / "such" / FILE).open()


async def test_a_closed_store_says_so(tmp_path: Path) -> None:
    store = SqliteStore(tmp_path / FILE)
    with pytest.raises(StoreError, match="is not open"):
        await store.load("e-1")
    async with opened(tmp_path / FILE) as store:
        pass
    with pytest.raises(StoreError, match="is not open"):
        await store.commit([step_write("e-1", 1)])


# Trouble with the disk


@contextmanager
def files_no_larger_than(size: int) -> Generator[None]:
    """To the process this looks like a quota: writing beyond `size` fails."""
    before = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (size, before[1]))
    try:
        yield
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, before)


async def test_when_the_disk_is_full_nothing_is_half_written_and_work_goes_on_when_there_is_space(tmp_path: Path) -> None:
    path = tmp_path / FILE
    async with opened(path) as store:
        await store.commit([step_write("e-1", 1)])
        before = await store.load("e-1")

        with files_no_larger_than(size_of(tmp_path / f"{FILE}-wal") + 20_000), pytest.raises(StoreError, match="disk") as refusal:
            await store.commit([step_write("e-2", 1), step_write("e-1", 2, result="x" * 100_000)])

        assert refusal.value.is_retryable
        assert await store.load("e-1") == before
        assert await store.load("e-2") is None
        assert await store.commit([step_write("e-2", 1), step_write("e-1", 2)]) == [True, True]


def test_the_write_ahead_log_is_emptied_when_it_may_be_what_fills_the_disk(tmp_path: Path) -> None:
    connection = connect_for_writing(tmp_path / FILE, "FULL")
    writer = Writer(connection)
    writer.commit([step_write("e-1", revision) for revision in range(1, 20)])
    connection.execute("PRAGMA max_page_count = 15")

    with pytest.raises(sqlite3.OperationalError, match="full"):
        writer.commit([step_write("e-1", 20, result="x" * 100_000)])
    log_before = size_of(tmp_path / f"{FILE}-wal")
    taken = writer.commit([step_write("e-1", 20)])

    assert taken == [True]
    assert size_of(tmp_path / f"{FILE}-wal") < log_before
    connection.close()


async def waits_for_another_programs_transaction(store: SqliteStore, path: Path, write: Write) -> bool:
    """Whether a commit goes on only when that transaction has ended, and the loop all the time."""
    other = sqlite3.connect(path, isolation_level=None)
    other.execute("BEGIN IMMEDIATE")
    commit = asyncio.ensure_future(store.commit([write]))
    await asyncio.wait([commit], timeout=0.05)
    was_waiting = not commit.done()
    other.execute("ROLLBACK")
    other.close()
    return was_waiting and await commit == [True]


async def test_another_programs_transaction_is_waited_for(tmp_path: Path) -> None:
    async with opened(tmp_path / FILE) as store:
        assert await waits_for_another_programs_transaction(store, tmp_path / FILE, step_write("e-1", 1))


# On the loop's own thread, or not


@asynccontextmanager
async def opened_on_a_quick_disk(path: Path) -> AsyncGenerator[tuple[SqliteStore, set[int]]]:
    """A store that has seen brief commits, and the threads in which statements ran since. Execution e-0 is at revision 20."""
    async with opened(path) as store:
        pace = await store.writer.call(lambda writer: writer.pace)
        for revision in range(1, 21):
            await store.commit([step_write("e-0", revision)])
            pace.took_in_thread(0.0)  # whatever this machine's disk is like
        threads = set[int]()
        await store.writer.call(lambda writer: writer.connection.set_trace_callback(lambda _: threads.add(threading.get_ident())))
        for _ in range(2 * PROOF):
            pace.took_in_thread(0.0)
        yield store, threads


async def test_a_lone_commit_is_made_here_while_the_disk_is_quick(tmp_path: Path) -> None:
    async with opened_on_a_quick_disk(tmp_path / FILE) as (store, threads):
        taken = await store.commit([step_write("e-0", 21)])

    assert taken == [True]
    assert threads == {threading.get_ident()}


async def test_a_larger_group_is_committed_while_the_loop_goes_on(tmp_path: Path) -> None:
    async with opened_on_a_quick_disk(tmp_path / FILE) as (store, threads):
        await store.commit([step_write(f"e-{number}", 1) for number in range(1, MOST_HERE + 2)])

        assert threading.get_ident() not in threads


async def test_what_is_large_is_committed_while_the_loop_goes_on(tmp_path: Path) -> None:
    async with opened_on_a_quick_disk(tmp_path / FILE) as (store, threads):
        await store.commit([step_write("e-0", 21, result="x" * MAX_BYTES_BRIEFLY)])

        assert threading.get_ident() not in threads


async def test_a_commit_that_took_long_makes_the_next_ones_leave_the_loop_alone(tmp_path: Path) -> None:
    async with opened_on_a_quick_disk(tmp_path / FILE) as (store, threads):
        await store.writer.call(lambda writer: writer.pace.took_on_loop(1.0))
        await store.commit([step_write("e-0", 21)])

        assert threading.get_ident() not in threads


async def test_a_lone_commit_waits_for_another_programs_transaction_without_holding_up_the_loop(tmp_path: Path) -> None:
    async with opened_on_a_quick_disk(tmp_path / FILE) as (store, _):
        assert await waits_for_another_programs_transaction(store, tmp_path / FILE, step_write("e-0", 21))


async def test_a_lone_commit_goes_behind_what_the_thread_has_been_given(tmp_path: Path) -> None:
    async with opened_on_a_quick_disk(tmp_path / FILE) as (store, _):
        group = asyncio.ensure_future(store.commit([step_write("e-0", revision) for revision in (21, 22, 23)]))
        await asyncio.sleep(0)
        alone = await store.commit([step_write("e-0", 24)])

        assert alone == [True]
        assert await group == [True, True, True]


async def test_the_write_ahead_log_does_not_grow_for_ever_whoever_commits(tmp_path: Path) -> None:
    async with opened_on_a_quick_disk(tmp_path / FILE) as (store, _):
        for revision in range(21, 1_500):
            await store.commit([step_write("e-0", revision)])

        assert size_of(tmp_path / f"{FILE}-wal") < 2 * MAX_PAGES_LOGGED * PAGE_BYTES


async def test_a_long_log_is_moved_behind_a_commit_and_not_ahead_of_the_next(tmp_path: Path) -> None:
    async with opened_on_a_quick_disk(tmp_path / FILE) as (store, threads):
        revision = 20
        while store.writer.is_idle:
            revision += 1
            await store.commit([step_write("e-0", revision)])

        assert revision < 20 + FEW_PAGES_LOGGED
        assert not await store.writer.call(lambda writer: writer.is_log_long)
        assert len(threads) == 2  # commits were made here, the move was not


async def test_a_read_does_not_wait_for_a_write(tmp_path: Path) -> None:
    async with opened(tmp_path / FILE) as store:
        await store.commit([step_write("e-1", 1)])
        other = sqlite3.connect(tmp_path / FILE, isolation_level=None)
        other.execute("BEGIN IMMEDIATE")
        snapshot = await store.load("e-1")
        other.close()

    assert snapshot is not None


# Size


async def test_a_step_takes_less_than_600_bytes(tmp_path: Path) -> None:
    steps = 3_000
    async with opened(tmp_path / FILE) as store:
        for first in range(1, steps, 500):
            await store.commit([step_write("e-1", revision) for revision in range(first, first + 500)])

    assert size_of(tmp_path / FILE) / steps < 400
