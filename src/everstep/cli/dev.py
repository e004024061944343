"""`everstep dev`: a server for the handlers of one file, started again whenever the code changes.

Rule: executions are in the store, not in the process that ends: they go on with the new code. The code that does not import is
said to, and waited for. A server never outlives the command.
"""

from __future__ import annotations

import signal
import subprocess
import sys
import threading
from collections.abc import Generator, Iterator
from contextlib import contextmanager
from pathlib import Path
from types import FrameType
from typing import Annotated

import typer

from everstep.cli.connecting import AsJson, failing_well
from everstep.cli.served_file import DOES_NOT_IMPORT, PATIENCE_S, root_of
from everstep.errors import UsageError


def dev(
    file: Annotated[Path, typer.Argument(metavar="FILE", help="A Python file: all its durable handlers are served.")],
    store: Annotated[str, typer.Option(help="sqlite:///file.db or postgresql://user@host/database", envvar="EVERSTEP_STORE")] = (
        "sqlite:///everstep-dev.db"
    ),
    port: Annotated[int, typer.Option(min=1, max=65535)] = 9000,
    json: AsJson = False,
) -> None:
    """Serve the handlers of a file, with its logs, and start anew whenever Python code below its directory changes.

    With --json a line of JSON on standard output says where, at each start.
    """
    with failing_well("dev"):
        if not file.is_file():
            raise UsageError(f"there is no file {file}")
        if file.suffix != ".py":
            raise UsageError(f"{file} is no Python file")
        if store.startswith("memory:"):
            raise UsageError("executions would not survive a reload in memory://: name a file, sqlite:///everstep-dev.db")
        command = [sys.executable, "-m", "everstep.cli.served_file", str(file), store, str(port), *(["--json"] if json else [])]
        raise typer.Exit(_serve_again_and_again(command, root_of(file)))


def _serve_again_and_again(command: list[str], directory: Path) -> int:
    """Returns how the process exits: 0 when it was asked to stop."""
    stopped = threading.Event()

    def stop(number: int, frame: FrameType | None) -> None:
        stopped.set()

    before = {number: signal.signal(number, stop) for number in (signal.SIGINT, signal.SIGTERM)}
    changes = _changes(directory, stopped)
    try:
        while True:
            with _running(command) as process:
                # None comes now and then, so that the end of the process is seen.
                changed = next((one for one in changes if one is not None or process.poll() is not None), None)
                if stopped.is_set():
                    return 0
                if changed is None:
                    if process.returncode != DOES_NOT_IMPORT:
                        return process.returncode or 1
                    typer.echo("everstep dev: waits for the code to change", err=True)
                    changed = next((one for one in changes if one is not None), None)
                if changed is None:
                    return 0
            typer.echo(f"everstep dev: {changed} changed", err=True)
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)


def _changes(directory: Path, stopped: threading.Event) -> Iterator[str | None]:
    """What changed, relative to the directory, as it changes; None when nothing did for a while. Ends when it is stopped."""
    from watchfiles import PythonFilter, watch

    found = watch(directory, watch_filter=PythonFilter(), stop_event=stopped, rust_timeout=500, yield_on_timeout=True)
    for changes in found:
        paths = sorted(str(Path(path).relative_to(directory)) for _, path in changes)
        yield ", ".join(paths) if paths else None


@contextmanager
def _running(command: list[str]) -> Generator[subprocess.Popen[bytes]]:
    """The server, until the end of the block."""
    # In a group of its own: a Ctrl-C is the parent's to pass on. It ends when its standard input does: if we are killed.
    process = subprocess.Popen(command, start_new_session=True, stdin=subprocess.PIPE)
    try:
        yield process
    finally:
        if process.poll() is None:
            process.terminate()
        try:
            process.wait(PATIENCE_S)
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait()
