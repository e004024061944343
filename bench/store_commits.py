"""How many commits a second the SQLite store makes, beside what raw sqlite3 does on the same disk.

    python bench/store_commits.py [directory]

A write is what one step costs: the execution's row, one operation, two events. The disk decides most of it, so compare
lines of one run, not of two machines.
"""

from __future__ import annotations

import asyncio
import sqlite3
import sys
import tempfile
import time
from collections.abc import Awaitable, Callable, Sequence
from contextlib import closing
from functools import partial
from hashlib import blake2b
from pathlib import Path

from everstep.protocol.shapes import Operation, StepDetails
from everstep.service.committer import Committer
from everstep.service.machine.model import Event, Execution, Record
from everstep.service.stores.api import Store, Write
from everstep.service.stores.sqlite import SqliteStore

SECONDS = 2.0
NOON = 1_764_849_600_000


def write(identity: str, revision: int) -> Write:
    name = f"order-{identity}"
    operation = Operation(
        id=blake2b(str(revision).encode()).hexdigest()[:64],
        type="STEP",
        status="SUCCEEDED",
        start_timestamp=NOON + revision,
        end_timestamp=NOON + revision + 1,
        name="charge_card",
        sub_type="Step",
        step_details=StepDetails(attempt=1, result='{"paid":true}'),
    )
    return Write(
        execution=Execution(
            id=identity,
            arn=f"arn:aws:lambda:us-east-1:123456789012:function:order:$LATEST/durable-execution/{name}/{identity}",
            name=name,
            function="order",
            version="$LATEST",
            status="RUNNING",
            revision=revision,
            started_at=NOON,
            due_at=NOON + 86_400_000,
        ),
        records=[Record(operation=operation, order=revision, revision=revision)],
        events=[
            Event(event_id=2 * revision, type="StepStarted", timestamp=NOON + revision, order=revision),
            Event(
                event_id=2 * revision + 1,
                type="StepSucceeded",
                timestamp=NOON + revision + 1,
                order=revision,
                details={"RetryDetails": {"CurrentAttempt": 1}},
            ),
        ],
    )


def report(what: str, writes: int, seconds: float, cpu: float) -> float:
    """The writes a second, after printing them."""
    print(f"{what:<58} {writes / seconds:>9,.0f} writes/s {cpu / writes * 1e6:>7,.0f} µs CPU each")
    return writes / seconds


def raw(path: Path, rows: int) -> float:
    """The floor: one table, `rows` rows a commit, nothing else."""
    with closing(sqlite3.connect(path, isolation_level=None)) as connection:
        connection.execute("PRAGMA journal_mode = WAL")
        connection.execute("PRAGMA synchronous = FULL")
        connection.execute("CREATE TABLE rows (id INTEGER PRIMARY KEY, body BLOB)")
        body = b"x" * 300
        count = 0
        began, cpu = time.perf_counter(), time.process_time()
        while time.perf_counter() - began < SECONDS:
            connection.execute("BEGIN IMMEDIATE")
            for _ in range(rows):
                connection.execute("INSERT INTO rows (body) VALUES (?)", (body,))
            connection.execute("COMMIT")
            count += rows
        return report(f"raw sqlite3, one insert, {rows} a commit", count, time.perf_counter() - began, time.process_time() - cpu)


async def measured(what: str, writers: int, commit: Callable[[Write], Awaitable[object]]) -> int:
    """Each writer is one execution that waits for its write before it makes the next. Returns how many were made."""
    await asyncio.gather(*(commit(write(f"e-{writer}", 1)) for writer in range(writers)))
    began, cpu = time.perf_counter(), time.process_time()

    async def work(identity: str) -> int:
        revision = 1
        while time.perf_counter() - began < SECONDS:
            revision += 1
            await commit(write(identity, revision))
        return revision - 1

    counts = await asyncio.gather(*(work(f"e-{writer}") for writer in range(writers)))
    report(what, sum(counts), time.perf_counter() - began, time.process_time() - cpu)
    return sum(counts)


async def through_the_store(store: Store) -> int:
    async def commit(write: Write) -> Sequence[bool]:
        return await store.commit([write])

    return await measured("store, one writer, a commit each", 1, commit)


async def through_the_committer(store: Store, writers: int) -> int:
    committer = Committer(store)
    async with asyncio.TaskGroup() as group:
        group.create_task(committer.run())
        count = await measured(f"committer, {writers} concurrent writer{'s' * (writers > 1)}", writers, committer.hand_over)
        committer.close()
    return count


async def main(directory: Path) -> None:
    for rows in (1, 50):
        raw(directory / f"raw-{rows}.db", rows)
    runs: dict[str, Callable[[Store], Awaitable[int]]] = {
        "store": through_the_store,
        "committer-1": partial(through_the_committer, writers=1),
        "committer-50": partial(through_the_committer, writers=50),
    }
    for name, run in runs.items():
        path = directory / f"{name}.db"
        store = SqliteStore(path)
        await store.open()
        try:
            count = await run(store)
        finally:
            await store.close()
        print(f"{'':<58} {path.stat().st_size / count:>9,.0f} bytes per step")


if __name__ == "__main__":
    with tempfile.TemporaryDirectory(dir=sys.argv[1] if len(sys.argv) > 1 else None) as folder:
        asyncio.run(main(Path(folder)))
