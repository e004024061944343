"""What a measured program does: so many calls at once, timed, over as little HTTP as there is. Nothing here knows what it calls.

A program that is run by another one (WATCHED is set) says on its standard output when a timed part begins and ends, and waits for
an answer both times, so that the other can note what all processes have used of the processors. Its last line is its figures.
"""

from __future__ import annotations

import asyncio
import http.client
import json
import os
import socket
import statistics
import subprocess
import sys
import time
from collections.abc import AsyncGenerator, Awaitable, Callable, Generator, Mapping, Sequence
from contextlib import AsyncExitStack, asynccontextmanager, contextmanager
from itertools import pairwise
from typing import Final, TypeVar

AT_ONCE: Final = 50
EXECUTIONS: Final = 500
WATCHED: Final = "EVERSTEP_BENCH_WATCHED"
BEGIN: Final = "begin"
END: Final = "end"
Figures = dict[str, float]
T = TypeVar("T")


@contextmanager
def watched() -> Generator[None]:
    _say(BEGIN)
    yield
    _say(END)


def _say(what: str) -> None:
    if os.environ.get(WATCHED):
        print(what, flush=True)
        sys.stdin.readline()


Child = Callable[..., Awaitable[Figures]]


def by_name(*children: Child) -> dict[str, Child]:
    return {child.__name__: child for child in children}


def run_child(children: Mapping[str, Child], arguments: Sequence[str]) -> None:
    """arguments: which child, its URL, and whole numbers if it takes some."""
    name, url, *numbers = arguments
    child = children[name]

    async def run() -> Figures:
        return await child(url, *map(int, numbers))

    print(json.dumps(asyncio.run(run())), flush=True)


@asynccontextmanager
async def workers(commands: Sequence[Sequence[str]]) -> AsyncGenerator[None]:
    """Processes that work until the end of the block. Each has got to `until_killed` when it begins."""
    processes: list[asyncio.subprocess.Process] = []
    try:
        for command in commands:
            process = await asyncio.create_subprocess_exec(*command, stdin=subprocess.PIPE, stdout=subprocess.PIPE)
            processes.append(process)
            assert process.stdout is not None
            await process.stdout.readline()
        yield
    finally:
        for process in processes:
            process.kill()
            await process.wait()


async def until_killed() -> Figures:
    """Say that a worker is ready, and let it work."""
    print("ready", flush=True)
    await asyncio.to_thread(sys.stdin.readline)
    return {}


async def at_once(one: Callable[[], Awaitable[object]], count: int, lanes: int = AT_ONCE) -> float:
    """Seconds that `count` calls take, so many at a time."""
    remaining = iter(range(count))

    async def lane() -> None:
        for _ in remaining:
            await one()

    began = time.perf_counter()
    async with asyncio.TaskGroup() as group:
        for _ in range(lanes):
            group.create_task(lane())
    return time.perf_counter() - began


async def one_by_one(one: Callable[[], Awaitable[object]], count: int, warm: int = 50) -> Figures:
    """How long each of so many calls takes, after some that do not count."""
    took: list[float] = []
    for _ in range(warm):
        await one()
    for _ in range(count):
        began = time.perf_counter()
        await one()
        took.append(time.perf_counter() - began)
    quantiles = statistics.quantiles(took, n=100)
    return {"p50_ms": quantiles[49] * 1e3, "p99_ms": quantiles[98] * 1e3}


Work = Callable[[int], Awaitable[object]]
"""Starts an execution of so many steps, and returns its result: the sum of the numbers below that many."""


async def fan(work: Work) -> Figures:
    """Many short executions, so many at once."""

    async def one() -> None:
        assert await work(5) == 10

    with watched():
        seconds = await at_once(one, EXECUTIONS)
    return _rates(seconds)


async def fan_collected(start: Callable[[int], Awaitable[T]], result: Callable[[T], Awaitable[object]], callers: int) -> Figures:
    """The same of a service whose callers must ask again and again for a result: all are started, then asked for one after the other.

    How many run at once is its workers' choice. With 50 callers that ask, their questions would be what is measured.
    """
    started: list[T] = []

    async def one() -> None:
        started.append(await start(5))

    with watched():
        began = time.perf_counter()
        await at_once(one, EXECUTIONS, callers)
        for each in started:
            assert await result(each) == 10
        seconds = time.perf_counter() - began
    return _rates(seconds)


def _rates(seconds: float) -> Figures:
    return {"executions/s": EXECUTIONS / seconds, "steps/s": EXECUTIONS * 5 / seconds}


async def empty(work: Work, count: int = 500) -> Figures:
    """From start to result of executions that do nothing, one after the other."""
    return await one_by_one(lambda: work(0), count)


async def sequential(work: Work, steps: int) -> Figures:
    await work(20)
    with watched():
        began = time.perf_counter()
        assert await work(steps) == sum(range(steps))
        seconds = time.perf_counter() - began
    return {"steps/s": steps / seconds}


async def apart(work: Work) -> Figures:
    """Of a caller that is not in the process that works: many short executions, then empty ones."""
    await at_once(lambda: work(2), 100)
    return {**await fan(work), **await empty(work, 200)}


def early_and_late(times: Sequence[float]) -> Figures:
    """Of the moments at which the steps of an execution ran: what a step costs among the first, and near the limit of 3,000 operations."""
    early, end = (statistics.median(after - before for before, after in pairwise(part)) for part in (times[10:210], times[-200:]))
    return {"step_10_us": early * 1e6, "step_2900_us": end * 1e6, "ratio": end / early}


def free_port() -> int:
    with socket.socket() as one:
        one.bind(("127.0.0.1", 0))
        return int(one.getsockname()[1])


class Caller:
    """POSTs over one kept connection: the least client there is, so that the servers have the processor."""

    def __init__(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self._reader, self._writer = reader, writer

    @staticmethod
    @asynccontextmanager
    async def of(port: int) -> AsyncGenerator[Caller]:
        reader, writer = await asyncio.open_connection("127.0.0.1", port)
        try:
            yield Caller(reader, writer)
        finally:
            writer.close()

    async def post(self, path: str, body: bytes) -> bytes:
        head = f"POST {path} HTTP/1.1\r\nHost: bench\r\nContent-Type: application/json\r\nContent-Length: {len(body)}\r\n\r\n"
        self._writer.write(head.encode() + body)
        answered = await self._reader.readuntil(b"\r\n\r\n")
        length = next(int(line.split(b":")[1]) for line in answered.split(b"\r\n") if line.lower().startswith(b"content-length"))
        answer = await self._reader.readexactly(length)
        if not answered.startswith(b"HTTP/1.1 2") or b"x-amz-function-error" in answered.lower():
            raise AssertionError(answered + answer)
        return answer


@asynccontextmanager
async def posts(ports: Sequence[int], path: str, callers: int = AT_ONCE) -> AsyncGenerator[Work]:
    """Work that is done by one POST, of as many calls at once as there are callers, which take the ports in turn."""
    async with AsyncExitStack() as stack:
        free = [await stack.enter_async_context(Caller.of(ports[number % len(ports)])) for number in range(callers)]

        async def work(steps: int) -> object:
            caller = free.pop()
            answer = await caller.post(path, b'{"n": %d}' % steps)
            free.append(caller)
            return json.loads(answer)

        yield work


def until_answered(port: int, path: str, patience_s: float = 20) -> None:
    """Return when a GET of the path succeeds."""
    deadline = time.monotonic() + patience_s
    while True:
        try:
            connection = http.client.HTTPConnection("127.0.0.1", port, timeout=5)
            connection.request("GET", path)
            if connection.getresponse().status == 200:
                return
        except OSError:
            pass
        if time.monotonic() > deadline:
            raise TimeoutError(f"nothing answers GET {path}")
        time.sleep(0.02)
