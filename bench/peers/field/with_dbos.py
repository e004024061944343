# mypy: ignore-errors
# pyright: basic, reportMissingImports=false, reportArgumentType=false, reportOptionalMemberAccess=false
"""DBOS Transact, in an environment of its own, where Everstep is not installed.

Embedded, it is driven as its documentation does: workflows are started by `start_workflow_async`, and their results awaited. Apart,
the caller is a DBOSClient that puts workflows into a queue, from which each process takes as many as it has slots. The queue is
polled every 20 ms, not every second as by default, and so are results: the defaults allow no more than 50 workflows a second.
"""

import os
import sqlite3
import sys
import time
from contextlib import contextmanager

if sys.version_info >= (3, 12) and sqlite3.sqlite_version_info < (3, 42):  # what DBOS needs there
    import pysqlite3

    sys.modules["sqlite3"] = pysqlite3

from dbos import DBOS, DBOSClient, SetWorkflowID

from bench import load

QUEUE = "bench"
POLL_S = 0.02
CALLERS = 4
OPEN = "open"
times = []


@DBOS.step()
async def add(a, b):
    times.append(time.perf_counter())
    return a + b


@DBOS.step()
async def last():
    if not os.environ.get("BENCH_GOES_ON"):
        os._exit(0)
    times.append(time.perf_counter())
    return 1


@DBOS.workflow()
async def work(steps):
    total = 0
    for number in range(steps):
        total += await add(number, 0)
    return total


@DBOS.workflow()
async def dies(steps):
    total = 0
    for number in range(steps):
        total += await add(number, 0)
    return total + await last()


@contextmanager
def launched(url, executor="bench"):
    url = url.replace("postgresql://", "postgresql+psycopg://")
    DBOS(
        config={
            "name": "bench",
            "system_database_url": url,
            "log_level": "ERROR",
            "application_version": "1",
            "executor_id": executor,
            "run_admin_server": False,
        }
    )
    DBOS.launch()
    try:
        yield
    finally:
        DBOS.destroy()


async def start_to_result(steps):
    return await (await DBOS.start_workflow_async(work, steps)).get_result()


async def sequential(url, steps=1_000):
    with launched(url):
        return await load.sequential(start_to_result, steps)


async def fan(url):
    with launched(url):
        await start_to_result(20)
        return await load.fan(start_to_result)


async def empty(url):
    with launched(url):
        return await load.empty(start_to_result)


async def late(url):
    with launched(url):
        await start_to_result(2_950)
    return load.early_and_late(times)


async def dying(url):
    with launched(url), SetWorkflowID(OPEN):
        await dies(1_000)


async def restarted(url):
    began = time.perf_counter()
    with launched(url):
        await (await DBOS.retrieve_workflow_async(OPEN)).get_result(polling_interval_sec=POLL_S)
    return {"to_go_on_ms": (times[-1] - began) * 1e3}


async def apart(url, workers):
    worker_command = [sys.executable, "-m", "bench.peers.field.with_dbos", "worker", url]
    async with load.workers([[*worker_command, str(number)] for number in range(workers)]):
        client = DBOSClient(system_database_url=url.replace("postgresql://", "postgresql+psycopg://"))
        options = {"queue_name": QUEUE, "workflow_name": work.__qualname__}

        async def start(steps):
            return await client.enqueue_async(options, steps)

        async def result(handle):
            return await handle.get_result(polling_interval_sec=POLL_S)

        async def start_to_result(steps):
            return await result(await start(steps))

        await load.at_once(lambda: start_to_result(2), 100)
        return {**await load.fan_collected(start, result, CALLERS), **await load.empty(start_to_result, 200)}


async def worker(url, number):
    with launched(url, f"worker{number}"):
        await DBOS.register_queue_async(QUEUE, worker_concurrency=load.AT_ONCE, polling_interval_sec=POLL_S)
        return await load.until_killed()


if __name__ == "__main__":
    load.run_child(load.by_name(sequential, fan, empty, late, dying, restarted, apart, worker), sys.argv[1:])
