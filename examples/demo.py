"""`make demo`: the order of order.py runs, its process is killed in the middle, a new process finishes it.

The parent watches two child processes, one after the other. Each child serves the same SQLite file, reports the events of
the history as they are recorded, and notes in a ledger each step body that it really runs. At the end the ledger is held
against the history: a step that was recorded as done must not have run again.
"""

from __future__ import annotations

import asyncio
import contextlib
import json
import os
import signal
import subprocess
import sys
import tempfile
import time
from collections import Counter
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

from rich.console import Console
from rich.live import Live
from rich.table import Table
from rich.text import Text

import everstep
from examples import order as shop

KILL_AFTER = "pick"  # the first process dies as soon as two of these steps are recorded
NAME = "order-17"
MARKS = {
    "Started": ("…", "yellow"),
    "Succeeded": ("✓", "green"),
    "Failed": ("✗", "red"),
    "TimedOut": ("✗", "red"),
    "Cancelled": ("-", "dim"),
}


def main() -> int:
    console = Console()
    with tempfile.TemporaryDirectory() as folder:
        database, ledger = Path(folder, "orders.db"), Path(folder, "ledger.jsonl")
        board = Board()
        started = time.monotonic()
        with Live(board.table(), console=console, refresh_per_second=8) as live:
            first = serve(database, ledger)
            for event in events_of(first):
                live.update(board.show(event, first.pid))
                if board.finished_steps[KILL_AFTER] == 2:
                    break
            os.kill(first.pid, signal.SIGKILL)
            first.wait()
            live.update(board.note(f"kill -9 {first.pid}, in the middle of packing", "bold red"))
            time.sleep(1.5)
            second = serve(database, ledger)
            live.update(board.note(f"a new process, {second.pid}, opens the same file", "bold green"))
            result: object = None
            for event in events_of(second):
                live.update(board.show(event, second.pid))
                result = event.get("Result", result)
            second.wait()
        return report(console, ledger, board, result, time.monotonic() - started)


def report(console: Console, ledger: Path, board: Board, result: object, seconds: float) -> int:
    """Hold what really ran against what was recorded; 0 if no step ran again after its record."""
    lines = [json.loads(line) for line in ledger.read_text().splitlines()]
    runs = Counter((line["operation"], line["attempt"]) for line in lines)
    names = {line["operation"]: line["name"] for line in lines}
    recorded_by = board.recorded_by
    again = [
        line
        for line in lines
        if (line["operation"], line["attempt"]) in recorded_by and recorded_by[line["operation"], line["attempt"]] < line["at"]
    ]
    console.print(f"\n{len(runs)} attempts of {len(names)} steps ran in two processes, {seconds:.0f} s.")
    for (operation, attempt), count in runs.items():
        if count > 1:
            console.print(
                f"  {names[operation]} (attempt {attempt}) was cut off by the kill before it was recorded, and ran again: at least once."
            )
    if again or result is None:
        console.print(f"[bold red]ran again after having been recorded: {again}; result: {result}")
        return 1
    console.print("[bold green]No step ran again after it was recorded.[/] The order is finished:")
    console.print(f"  {result}")
    return 0


class Board:
    """The history as a table that grows."""

    def __init__(self) -> None:
        self.finished_steps: Counter[str] = Counter()
        self.recorded_by: dict[tuple[str, int], float] = {}
        self._rows: list[tuple[Text, ...]] = []
        self._index: dict[str, int] = {}
        self._shown = 0

    def show(self, event: Mapping[str, Any], pid: int) -> Table:
        number: int = event.get("EventId", 0)
        if 0 < number <= self._shown:  # the second process reports the history from its beginning
            return self.table()
        self._shown = max(self._shown, number)
        kind, operation_id = str(event["EventType"]), str(event.get("Id", ""))
        if kind == "ExecutionResult":
            pass
        elif kind.startswith("Execution"):
            self._rows.append((Text(str(pid), "dim"), Text(kind, "bold"), Text(), Text()))
        elif not kind.startswith("Invocation"):
            self._show_operation(kind, operation_id, event, pid)
        return self.table()

    def _show_operation(self, kind: str, operation_id: str, event: Mapping[str, Any], pid: int) -> None:
        state = next(state for state in MARKS if kind.endswith(state))
        name = str(event.get("Name") or event.get("SubType"))
        details = event.get(f"{kind}Details")
        note = ""
        if kind in ("StepSucceeded", "StepFailed") and details is not None:
            retry = details["RetryDetails"]
            self.recorded_by[operation_id, retry["CurrentAttempt"]] = float(str(event["EventTimestamp"]))
            note = f"attempt {retry['CurrentAttempt']}"
            if "NextAttemptDelaySeconds" in retry:
                note += f" failed, next in {retry['NextAttemptDelaySeconds']} s"
        if kind == "StepSucceeded":
            self.finished_steps[name] += 1
        mark, style = MARKS[state]
        indent = "  " if event.get("ParentId") else ""
        row = (Text(str(pid), "dim"), Text(f"{indent}{name}"), Text(f"{mark} {state.lower()}", style), Text(note, "dim"))
        if operation_id in self._index:
            self._rows[self._index[operation_id]] = row
        else:
            self._index[operation_id] = len(self._rows)
            self._rows.append(row)

    def note(self, text: str, style: str) -> Table:
        self._rows.append((Text(""), Text(f"── {text}", style), Text(), Text()))
        return self.table()

    def table(self) -> Table:
        table = Table(title="order-17", title_justify="left", show_edge=False, box=None, padding=(0, 2, 0, 0))
        for heading in ("process", "operation", "state", ""):
            table.add_column(heading, header_style="dim")
        for row in self._rows:
            table.add_row(*row)
        return table


# -- the child process ---------------------------------------------------------


def serve(database: Path, ledger: Path) -> subprocess.Popen[str]:
    command = [sys.executable, "-m", "examples.demo", "serve", str(database), str(ledger)]
    return subprocess.Popen(command, stdout=subprocess.PIPE, text=True)


def events_of(process: subprocess.Popen[str]) -> Iterator[Mapping[str, Any]]:
    assert process.stdout is not None
    for line in process.stdout:
        yield json.loads(line)


async def run(database: Path, ledger: Path) -> None:
    """Serve the order until it is finished, reporting on standard output."""
    keep_ledger(ledger)
    async with everstep.Service(f"sqlite:///{database}") as service:
        service.register(shop.order)
        order = shop.Order("17", "4242-4242", ["lamp", "chair", "book", "vase"], 120)
        execution = await service.start(shop.order, order, name=NAME)
        reporter = asyncio.create_task(report_events(service, execution.arn))
        manager = asyncio.create_task(answer_callbacks(service, execution.arn))
        receipt = await execution.result()
        manager.cancel()
        await asyncio.sleep(0.3)
        reporter.cancel()
        with contextlib.suppress(asyncio.CancelledError):
            await reporter
        print(json.dumps({"EventType": "ExecutionResult", "Result": repr(receipt)}), flush=True)


async def report_events(service: everstep.Service, arn: str) -> None:
    seen = 0
    while True:
        for event in await history(service, arn):
            if event["EventId"] > seen:
                seen = event["EventId"]
                print(json.dumps(event), flush=True)
        await asyncio.sleep(0.1)


async def answer_callbacks(service: everstep.Service, arn: str) -> None:
    """The manager: looks up what waits for a decision, and thinks about it for two seconds."""
    answered: set[str] = set()
    while True:
        for event in await history(service, arn):
            details = event.get("CallbackStartedDetails")
            if details is not None and details["CallbackId"] not in answered:
                await asyncio.sleep(2)
                answered.add(details["CallbackId"])
                with contextlib.suppress(everstep.ServiceError):  # answered already, before a restart
                    await service.succeed_callback(details["CallbackId"], shop.Approval(by="the manager", decision="ship"))
        await asyncio.sleep(0.2)


async def history(service: everstep.Service, arn: str) -> list[Mapping[str, Any]]:
    """The events, as the JSON that they are."""
    return [dict(event) for event in await service.history(arn)]


def keep_ledger(ledger: Path) -> None:
    """Have every step body note that it runs, when, and where."""
    really_work = shop.work

    async def noted(seconds: float) -> None:
        step = everstep.get_step_context()
        line = {"operation": step.operation_id, "name": step.name, "attempt": step.attempt, "at": time.time() * 1000, "pid": os.getpid()}
        with ledger.open("a") as file:
            file.write(json.dumps(line) + "\n")
        await really_work(seconds)

    shop.work = noted


if __name__ == "__main__":
    if sys.argv[1:2] == ["serve"]:
        asyncio.run(run(Path(sys.argv[2]), Path(sys.argv[3])))
    else:
        sys.exit(main())
