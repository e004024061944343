"""Our own figures: what a step, a replay, a map and a wait cost, in memory and on SQLite. `make bench`.

Every case runs in a process of its own and several times over; the table gives medians. Read ratios rather than absolutes:
machines differ, and this one may be busy.
"""

from __future__ import annotations

import argparse
import asyncio
import json
import os
import platform
import resource
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Coroutine
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from everstep import DurableHandler

Figures = dict[str, float]

# -- the programs --------------------------------------------------------------


def _handlers() -> dict[str, DurableHandler[dict[str, int], int]]:
    from everstep import DurableContext, durable

    async def add(a: int, b: int) -> int:
        return a + b

    @durable
    async def steps(event: dict[str, int], ctx: DurableContext) -> int:
        total = 0
        for number in range(event["n"]):
            total += await ctx.step(add, number, 0)
        return total

    async def item(ctx: DurableContext, number: int) -> int:
        return await ctx.step(add, number, 0)

    @durable
    async def fan_out(event: dict[str, int], ctx: DurableContext) -> int:
        return sum((await ctx.map(range(event["n"]), item, max_concurrency=event.get("c"))).get_results())

    @durable
    async def waits(event: dict[str, int], ctx: DurableContext) -> int:
        for _ in range(event["n"]):
            await ctx.wait(1)
        return event["n"]

    return {"steps": steps, "fan_out": fan_out, "waits": waits}


# -- the cases -----------------------------------------------------------------


async def fresh(n: int, latency_s: float = 0) -> Figures:
    from bench.in_memory import InMemory

    handler = _handlers()["steps"]
    await InMemory('{"n": 50}').run(handler)
    service = InMemory(json.dumps({"n": n}), latency_s=latency_s)
    began = time.perf_counter()
    output, _ = await service.run(handler)
    seconds = time.perf_counter() - began
    assert output.result == str(sum(range(n)))
    return {"us": seconds / n * 1e6, "calls": service.calls / n}


async def replay(n: int) -> Figures:
    """Including what Lambda's event costs to be read."""
    import msgspec

    from bench.in_memory import ARN, InMemory
    from everstep.client.event_state import EventState

    handler = _handlers()["steps"]
    service = InMemory(json.dumps({"n": n}))
    await service.run(handler)
    state = {"Operations": [msgspec.to_builtins(o) for o in service.operations.values()], "NextMarker": ""}
    event = {"DurableExecutionArn": ARN, "CheckpointToken": "t", "InitialExecutionState": state}
    began = time.perf_counter()
    output = await handler.run_event(EventState(event), service)
    seconds = time.perf_counter() - began
    assert output.result == str(sum(range(n)))
    return {"us": seconds / n * 1e6, "ms": seconds * 1e3}


async def fan_out(n: int, concurrency: int | None = None) -> Figures:
    from bench.in_memory import InMemory

    handler = _handlers()["fan_out"]
    await InMemory('{"n": 10}').run(handler)
    before = rss_mib()
    service = InMemory(json.dumps({"n": n} | ({"c": concurrency} if concurrency else {})))
    began = time.perf_counter()
    output, _ = await service.run(handler)
    seconds = time.perf_counter() - began
    assert output.result == str(sum(range(n)))
    return {"us": seconds / n * 1e6, "ms": seconds * 1e3, "calls": service.calls, "rss_mib": rss_mib() - before}


async def waits(n: int, *, warm: bool) -> Figures:
    from bench.in_memory import InMemory

    handler = _handlers()["waits"]
    await InMemory('{"n": 3}').run(handler)
    service = InMemory(json.dumps({"n": n}))
    began = time.perf_counter()
    _, invocations = await service.run(handler, warm=warm)
    seconds = time.perf_counter() - began
    assert invocations == n + 1
    return {"ms": seconds * 1e3, "us": seconds / n * 1e6}


async def embedded(executions: int, steps: int) -> Figures:
    """On SQLite, with every checkpoint on disk before its step returns."""
    import everstep

    handler = _handlers()["steps"]
    with tempfile.TemporaryDirectory(dir=Path.cwd()) as folder:
        async with everstep.Service(f"sqlite:///{folder}/bench.db") as service:
            service.register(handler)
            await (await service.start(handler, {"n": 5})).result()
            began = time.perf_counter()
            started = [await service.start(handler, {"n": steps}) for _ in range(executions)]
            await asyncio.gather(*(execution.result() for execution in started))
            seconds = time.perf_counter() - began
    return {"steps_per_s": executions * steps / seconds, "executions_per_s": executions / seconds}


async def imports() -> Figures:
    """Milliseconds of a whole process, with the bytecode that an installation has."""
    with tempfile.TemporaryDirectory() as bytecode:
        environment = {**os.environ, "PYTHONPYCACHEPREFIX": bytecode}
        environment.pop("PYTHONDONTWRITEBYTECODE", None)

        def cost(code: str) -> float:
            began = time.perf_counter()
            subprocess.run([sys.executable, "-c", code], check=True, env=environment)
            return (time.perf_counter() - began) * 1e3

        def best(code: str) -> float:
            return min(cost(code) for _ in range(10))

        asyncio_ms = best("import asyncio")
        return {
            "asyncio_ms": asyncio_ms,
            "everstep_over_ms": best("import asyncio, everstep") - asyncio_ms,
            "handler_over_ms": best("import asyncio; from everstep import durable, DurableContext") - asyncio_ms,
        }


CASES: dict[str, tuple[str, Callable[[], Coroutine[object, object, Figures]]]] = {
    "fresh-1000": ("1,000 fresh steps, in memory", lambda: fresh(1000)),
    "fresh-10000": ("10,000 fresh steps, in memory", lambda: fresh(10_000)),
    "fresh-100-5ms": ("100 fresh steps, 5 ms latency", lambda: fresh(100, 0.005)),
    "replay-1000": ("replay of 1,000 steps, event included", lambda: replay(1000)),
    "replay-10000": ("replay of 10,000 steps, event included", lambda: replay(10_000)),
    "map-1000": ("map of 1,000 items, in memory", lambda: fan_out(1000)),
    "map-1000-c50": ("map of 1,000 items, 50 at once, in memory", lambda: fan_out(1000, 50)),
    "waits-200-warm": ("200 waits, warm resume", lambda: waits(200, warm=True)),
    "waits-200-cold": ("200 waits, each resume replays", lambda: waits(200, warm=False)),
    "sqlite-1": ("SQLite: 1 execution of 1,000 steps", lambda: embedded(1, 1000)),
    "sqlite-50": ("SQLite: 50 executions of 50 steps at once", lambda: embedded(50, 50)),
    "imports": ("imports", imports),
}


def rss_mib() -> float:
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--only", default="", help="cases whose name contains this")
    parser.add_argument("--reps", type=int, default=5)
    parser.add_argument("--case", help=argparse.SUPPRESS)
    options = parser.parse_args()
    if options.case:
        print(json.dumps(asyncio.run(CASES[options.case][1]())))
        return
    print(f"Python {platform.python_version()}, {platform.machine()}; medians of {options.reps} processes\n")
    for name, (title, _) in CASES.items():
        if options.only in name:
            runs = [_in_process(name) for _ in range(options.reps)]
            medians = {key: statistics.median(run[key] for run in runs) for key in runs[0]}
            print(f"{title:45}" + "  ".join(f"{key} {value:,.1f}" for key, value in medians.items()), flush=True)


def _in_process(case: str) -> Figures:
    command = [sys.executable, "-m", "bench.run", "--case", case]
    done = subprocess.run(command, check=True, capture_output=True, text=True)
    figures: Figures = json.loads(done.stdout.splitlines()[-1])
    return figures


if __name__ == "__main__":
    main()
