"""How soon the console's pages are seen, with 100,000 executions in the store and 3,000 operations in one of them.

    python -m bench.console [--executions N] [--operations N] [--reps N] [--only TEXT] [--store FILE]

A server of its own, on SQLite, answers a real Chromium. Each page is opened `reps` times in a new browser context, with nothing
cached and no cookie, and once in a browser that has only just begun. Times are the browser's own, in milliseconds since the page was
asked for: the first paint, the first contentful paint, when the last part of the page had arrived, and the server's time to the first
byte. --store keeps the filled store, and takes what is there. The page of one line shows what the machine, as busy as it is, needs
for any page.

Then: what 50 open pages on which nothing happens cost the server, in percent of a processor, and how long after a change at the service the
page of a running execution shows it.
"""

from __future__ import annotations

import argparse
import asyncio
import http.client
import os
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Generator, Sequence
from contextlib import contextmanager
from functools import partial
from pathlib import Path
from typing import Final, NamedTuple, NoReturn, cast
from urllib.parse import quote

import psutil
from playwright.sync_api import Browser, sync_playwright
from tests.console.browsing import launch

from bench.load import free_port, until_answered
from bench.service import ROOT
from everstep import DurableContext, durable
from everstep.client.executions import ExecutionsApi, client_for
from everstep.protocol.ids import operation_id
from everstep.protocol.shapes import ChainedInvokeOptions, ErrorObject, InvocationOutput, OperationUpdate, WaitOptions
from everstep.service.machine.checkpoint import checkpoint
from everstep.service.machine.execution import start_execution
from everstep.service.machine.invocation import begin_invocation, invocation_succeeded
from everstep.service.machine.model import NewExecution, Terms, Transition
from everstep.service.machine.state import State
from everstep.service.stores.api import Write
from everstep.service.stores.urls import store_at

FUNCTIONS: Final = ("order", "refund", "ship", "bill", "notify")
TOGETHER: Final = 500
"""Executions in one transaction when the store is filled."""
PAGES: Final = 50
IDLE_S: Final = 22


async def add(number: int) -> int:
    return number + 1


@durable
async def work(event: dict[str, int], ctx: DurableContext) -> str:
    """So many steps, and then a callback, if it shall stay open."""
    for number in range(event["steps"]):
        await ctx.step(add, number)
    if event["stays"]:
        await (await ctx.create_callback(name="approval"))
    return "done"


# -- the store -----------------------------------------------------------------


async def fill(path: Path, count: int) -> None:
    """Executions as the machine leaves them: of twenty, eighteen have succeeded, one has failed, one sleeps for a day."""
    store = store_at(f"sqlite:///{path}")
    now = int(time.time() * 1000)
    await store.open()
    for first in range(0, count, TOGETHER):
        writes = [write for number in range(first, min(first + TOGETHER, count)) for write in lived(number, now - (count - number) * 30)]
        assert all(await store.commit(writes))
    await store.close()


def lived(number: int, at: int) -> list[Write]:
    function, identity = FUNCTIONS[number % len(FUNCTIONS)], f"00000000-0000-4000-8000-{number:012x}"
    arn = f"arn:aws:lambda:us-east-1:123456789012:function:{function}:$LATEST/durable-execution/{function}-{number}/{identity}"
    started = start_execution(
        NewExecution(
            id=identity,
            arn=arn,
            name=f"{function}-{number}",
            function=function,
            version="$LATEST",
            terms=Terms(timeout_s=86_400),
            input=f'{{"number":{number}}}',
        ),
        at,
    )
    state = State(started.execution, started.records)
    transitions = [started]

    def then(transition: Transition) -> None:
        transitions.append(transition)
        state.absorb(transition)

    begun = begin_invocation(state, f"request-{number}", b"secret", at + 1)
    assert begun is not None
    then(begun.transition)
    output = InvocationOutput(status="SUCCEEDED", result='"done"')
    if number % 20 == 0:
        output = InvocationOutput(status="FAILED", error=ErrorObject(error_type="OutOfStock", error_message="there is no lamp left"))
    elif number % 20 == 1:
        output = InvocationOutput(status="PENDING")
        wait = WaitOptions(wait_seconds=86_000)
        rest = OperationUpdate(id=operation_id("", 1), type="WAIT", action="START", sub_type="Wait", wait_options=wait)
        then(checkpoint(state, begun.token, [rest], None, at + 10, resolve=nobody)[0])
    then(invocation_succeeded(state, f"request-{number}", output, at + 20))
    return [Write(execution=one.execution, records=one.records, events=one.events) for one in transitions]


def nobody(options: ChainedInvokeOptions) -> NoReturn:
    raise LookupError(options.function_name)


@contextmanager
def serving(path: Path) -> Generator[tuple[str, psutil.Process]]:
    """Its URL, and its process."""
    port = free_port()
    command = [sys.executable, "-m", "everstep.cli.main", "server", "--store", f"sqlite:///{path}", "--port", str(port)]
    command += [*(f"{name}=bench.console:work" for name in FUNCTIONS), "--execution-timeout", "86400", "--log-level", "warning"]
    process = subprocess.Popen(command, env=os.environ | {"PYTHONPATH": str(ROOT)}, stderr=subprocess.DEVNULL)
    try:
        until_answered(port, "/ready")
        yield f"http://127.0.0.1:{port}", psutil.Process(process.pid)
    finally:
        process.terminate()
        process.wait(30)


# -- the browser ---------------------------------------------------------------


class Seen(NamedTuple):
    """A page, once: milliseconds, and kilobytes as they travelled."""

    paint: float
    contentful: float
    arrived: float
    server: float
    kilobytes: float
    requests: float


_MEASURE: Final = """() => new Promise(done => new PerformanceObserver((list, observer) => {
  const paints = Object.fromEntries(performance.getEntriesByType("paint").map(one => [one.name, one.startTime]));
  if (paints["first-contentful-paint"] === undefined) return;
  observer.disconnect();
  const page = performance.getEntriesByType("navigation")[0];
  const all = [page, ...performance.getEntriesByType("resource")];
  done([paints["first-paint"], paints["first-contentful-paint"], page.responseEnd, page.responseStart - page.requestStart,
        all.reduce((sum, one) => sum + one.transferSize, 0) / 1000, all.length]);
}).observe({type: "paint", buffered: true}))"""


def opened(browser: Browser, url: str) -> Seen:
    context = browser.new_context(viewport={"width": 1280, "height": 800})
    page = context.new_page()
    page.goto(url)
    seen = Seen(*cast("list[float]", page.evaluate(_MEASURE)))
    context.close()
    return seen


def pages(url: str, api: ExecutionsApi, operations: int) -> dict[str, str]:
    ended = started(api, operations, stays=False)
    running = started(api, operations, stays=True)
    console = f"{url}/console"
    return {
        "a page of one line": f"{console}/nowhere",
        "executions": f"{console}/",
        "executions that failed": f"{console}/?status=FAILED",
        "executions of a function that run": f"{console}/?function=order&status=RUNNING",
        "functions": f"{console}/functions",
        "a function": f"{console}/functions/order",
        f"{operations} operations, ended": f"{console}/executions/{quote(ended, safe='')}",
        f"{operations} operations, running": f"{console}/executions/{quote(running, safe='')}",
    }


def started(api: ExecutionsApi, operations: int, *, stays: bool) -> str:
    """An execution that has got as far as it can. operations: its own among them, as the service counts them."""
    arn = api.start("order:$LATEST", f'{{"steps":{operations - 1 - stays},"stays":{stays:d}}}')
    while (last := api.history(arn)[-1]["EventType"]) not in ("InvocationCompleted", "ExecutionSucceeded"):
        assert last != "ExecutionFailed"
        time.sleep(0.5)
    return arn


def show(what: str, cold: Seen, runs: Sequence[Seen]) -> None:
    def of(member: str) -> list[float]:
        return [getattr(one, member) for one in runs]

    print(
        f"{what:<36} {statistics.median(of('paint')):>6.0f} {max(of('paint')):>6.0f} {statistics.median(of('contentful')):>6.0f} "
        f"{max(of('contentful')):>6.0f} {cold.contentful:>6.0f} {statistics.median(of('server')):>7.1f} "
        f"{statistics.median(of('arrived')):>8.0f} {runs[0].kilobytes:>7.0f} {runs[0].requests:>4.0f}",
        flush=True,
    )


def main() -> None:
    parser = argparse.ArgumentParser()
    parser.add_argument("--executions", type=int, default=100_000)
    parser.add_argument("--operations", type=int, default=3_000)
    parser.add_argument("--reps", type=int, default=9)
    parser.add_argument("--only", default="")
    parser.add_argument("--store", type=Path)
    options = parser.parse_args()
    with tempfile.TemporaryDirectory(dir=Path.cwd(), prefix="bench-") as folder:
        path = options.store or Path(folder) / "console.db"
        if not path.exists():
            began = time.perf_counter()
            asyncio.run(fill(path, options.executions))
            print(f"filled with {options.executions:,} executions in {time.perf_counter() - began:.0f} s", flush=True)
        with serving(path) as (url, server), sync_playwright() as playwright:
            api = ExecutionsApi(client_for(url, None))
            measure(partial(launch, playwright), url, api, options)
            if not options.only:
                idle(url, server, started(api, options.operations, stays=True))
                follow(launch(playwright), url, api, options)


def idle(url: str, server: psutil.Process, arn: str) -> None:
    """Half of the pages are lists, half are of a running execution."""
    host = url.removeprefix("http://")
    streams = [http.client.HTTPConnection(host) for _ in range(PAGES)]
    for number, stream in enumerate(streams):
        stream.request("GET", f"/console/live?arn={quote(arn, safe='')}" if number % 2 else "/console/live")
        assert stream.getresponse().status == 200
    time.sleep(2)
    before, began = sum(server.cpu_times()[:2]), time.perf_counter()
    time.sleep(IDLE_S)
    used = (sum(server.cpu_times()[:2]) - before) / (time.perf_counter() - began)
    print(f"{PAGES} open pages on which nothing happens: {used:.2%} of a processor")
    for stream in streams:
        stream.close()


def follow(browser: Browser, url: str, api: ExecutionsApi, options: argparse.Namespace) -> None:
    """From the answer to a callback until the page shows the end, several times."""
    took: list[float] = []
    for _ in range(options.reps):
        arn = started(api, options.operations, stays=True)
        details = next(event for event in reversed(api.history(arn)) if event["EventType"] == "CallbackStarted")["CallbackStartedDetails"]
        page = browser.new_page()
        page.goto(f"{url}/console/executions/{quote(arn, safe='')}")
        page.locator("#operations-0 .operation").first.wait_for()
        while not page.evaluate("window.htmx !== undefined"):
            time.sleep(0.01)
        page.evaluate(
            "() => { window.ended = new Promise(done => new MutationObserver(() => document.querySelector('#state .s-succeeded') && "
            "done(Date.now())).observe(document.body, {childList: true, subtree: true})); }"
        )
        began = time.time()
        api.succeed_callback(cast("dict[str, str]", details)["CallbackId"], '"yes"')
        took.append(cast("float", page.evaluate("window.ended")) - began * 1000)
        page.close()
    browser.close()
    print(f"a change is shown after {statistics.median(took):.0f} ms, at most {max(took):.0f} ms, of {options.operations:,} operations")


def measure(browser: Callable[[], Browser], url: str, api: ExecutionsApi, options: argparse.Namespace) -> None:
    chosen = pages(url, api, options.operations)
    print(f"{'':<36} {'first paint':>13} {'contentful':>13} {'cold':>6} {'server':>7} {'arrived':>8} {'kB':>7} {'n':>4}")
    warm = browser()
    opened(warm, f"{url}/console/nowhere")
    for what, address in chosen.items():
        if options.only in what:
            fresh = browser()
            cold = opened(fresh, address)
            fresh.close()
            show(what, cold, [opened(warm, address) for _ in range(options.reps)])
    warm.close()


if __name__ == "__main__":
    main()
