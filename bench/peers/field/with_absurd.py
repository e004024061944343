# mypy: ignore-errors
# pyright: basic, reportMissingImports=false, reportArgumentType=false, reportOptionalMemberAccess=false
"""Absurd, in an environment of its own, where Everstep is not installed.

It has workers that pull from PostgreSQL, and no other way to run. A worker shares one connection among its tasks and takes the next
batch when the last has ended, so four of them run in each process for the cases with many executions: that is when it is fastest.
Workers poll every 10 ms when there is nothing to do, instead of every 250. A lease is 5 seconds where a process dies.
"""

import asyncio
import os
import subprocess
import sys
import time
from contextlib import asynccontextmanager
from pathlib import Path

from absurd_sdk import AsyncAbsurd

from bench import load

QUEUE = "default"
POLL_S = 0.01
LEASE_S = 5
WORKERS = 4
CALLERS = 4
times = []


async def work(params, ctx):
    total = 0
    for number in range(params["n"]):

        async def add(number=number):
            times.append(time.perf_counter())
            return number

        total += await ctx.step("add", add)
    return total


async def dies(params, ctx):
    total = await work(params, ctx)

    async def last():
        if not os.environ.get("BENCH_GOES_ON"):
            os._exit(0)
        times.append(time.perf_counter())
        return 1

    return total + await ctx.step("last", last)


def initialise(url):
    subprocess.run([Path(sys.executable).parent / "absurdctl", "init", "-d", url], check=True, capture_output=True)


@asynccontextmanager
async def working(url, workers, lease_s=120):
    """Workers in this process."""
    apps = [AsyncAbsurd(url) for _ in range(workers)]
    await apps[0].create_queue()
    async with asyncio.TaskGroup() as group:
        for number, app in enumerate(apps):
            app.register_task("work")(work)
            app.register_task("dies")(dies)
            slots = load.AT_ONCE // workers
            group.create_task(app.start_worker(str(number), claim_timeout=lease_s, concurrency=slots, poll_interval=POLL_S))
        try:
            yield
        finally:
            for app in apps:
                app.stop_worker()
    for app in apps:
        await app.close()


class Caller:
    """Its own way to await a result asks after 50 ms, then ever more seldom: here it asks every 10 ms."""

    def __init__(self, url):
        self._app = AsyncAbsurd(url)

    async def start(self, steps):
        return (await self._app.spawn("work", {"n": steps}, queue=QUEUE))["task_id"]

    async def result(self, task):
        while True:
            seen = await self._app.fetch_task_result(task)
            if seen.state == "completed":
                return seen.result
            await asyncio.sleep(POLL_S)

    async def start_to_result(self, steps):
        return await self.result(await self.start(steps))

    async def fan(self):
        """The one connection is shared by those who start."""
        return await load.fan_collected(self.start, self.result, CALLERS)


async def sequential(url, steps=1_000):
    initialise(url)
    async with working(url, 1):
        return await load.sequential(Caller(url).start_to_result, steps)


async def fan(url):
    initialise(url)
    async with working(url, WORKERS):
        caller = Caller(url)
        await caller.start_to_result(20)
        return await caller.fan()


async def empty(url):
    initialise(url)
    async with working(url, 1):
        return await load.empty(Caller(url).start_to_result)


async def late(url):
    initialise(url)
    async with working(url, 1):
        await Caller(url).start_to_result(2_950)
    return load.early_and_late(times)


async def dying(url):
    initialise(url)
    app = AsyncAbsurd(url)
    await app.create_queue()
    await app.spawn("dies", {"n": 1_000}, queue=QUEUE)
    async with working(url, 1, LEASE_S):
        await asyncio.Event().wait()


async def restarted(url):
    began = time.perf_counter()
    async with working(url, 1, LEASE_S):
        while not times:  # noqa: ASYNC110  # Absurd has no event for it
            await asyncio.sleep(POLL_S)
    return {"to_go_on_ms": (times[-1] - began) * 1e3}


async def apart(url, instances):
    initialise(url)
    async with load.workers([[sys.executable, "-m", "bench.peers.field.with_absurd", "worker", url]] * instances):
        caller = Caller(url)
        await load.at_once(lambda: caller.start_to_result(2), 100, CALLERS)
        return {**await caller.fan(), **await load.empty(caller.start_to_result, 200)}


async def worker(url):
    async with working(url, WORKERS):
        return await load.until_killed()


if __name__ == "__main__":
    load.run_child(load.by_name(sequential, fan, empty, late, dying, restarted, apart, worker), sys.argv[1:])
