"""Servers, workers and a database as processes that are killed and started again.

Rule: a process is killed by SIGKILL and its own id; whoever started it starts it again, as an orchestrator would.
"""

from __future__ import annotations

import os
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Callable, Sequence
from http.client import HTTPConnection, HTTPException
from pathlib import Path
from typing import Final

from tests.faults.work import LEDGER
from tests.service.postgres import Server as Postgres

ROOT: Final = Path(__file__).parent.parent.parent
COMMAND: Final = (sys.executable, "-m", "everstep.cli.main")
PATIENCE_S: Final = 60


def until(condition: Callable[[], bool], what: str, patience_s: float = PATIENCE_S) -> None:
    """Wait for something that other processes do, in real time."""
    deadline = time.monotonic() + patience_s
    while not condition():
        assert time.monotonic() < deadline, f"{what} did not happen within {patience_s} seconds"
        time.sleep(0.02)


def free_port() -> int:
    with socket.create_server(("127.0.0.1", 0)) as listener:
        port: int = listener.getsockname()[1]
        return port


class Process:
    """An everstep command that can be killed. log: where it says what."""

    def __init__(self, arguments: Sequence[str], ledger: Path, log: Path) -> None:
        self._command = [*COMMAND, *arguments]
        self._environment = {**os.environ, LEDGER: str(ledger)}
        self._log = log
        self._process: subprocess.Popen[bytes] | None = None

    def start(self) -> None:
        with self._log.open("ab") as log:
            self._process = subprocess.Popen(self._command, cwd=ROOT, env=self._environment, stdout=log, stderr=log)

    @property
    def is_running(self) -> bool:
        return self._process is not None and self._process.poll() is None

    @property
    def pid(self) -> int:
        assert self._process is not None
        return self._process.pid

    def kill(self, how: signal.Signals = signal.SIGKILL) -> None:
        if self._process is not None:
            self._process.send_signal(how)
            self._process.wait(timeout=PATIENCE_S)

    def restart(self) -> None:
        self.kill()
        self.start()


class ServerProcess(Process):
    """`everstep server` with the work of work.py: `work` in its process, `pulled` by workers."""

    def __init__(self, store: str, folder: Path, number: int = 0, *more: str) -> None:
        self.port = free_port()
        self.log = folder / f"server{number}.log"
        functions = folder / "functions.yaml"
        lasting = "DurableConfig: {ExecutionTimeout: 86400}"
        functions.write_text(f"functions:\n- {{name: work, handler: 'tests.faults.work:work', {lasting}}}\n- {{name: pulled, {lasting}}}\n")
        arguments = ("server", "--functions", str(functions), "--store", store, "--port", str(self.port), "--grace", "1", *more)
        super().__init__(arguments, folder / "ledger.jsonl", self.log)

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.port}"

    def answers(self) -> bool:
        connection = HTTPConnection("127.0.0.1", self.port, timeout=5)
        try:
            connection.request("GET", "/ready")
            return connection.getresponse().status == 200
        except (OSError, HTTPException):
            return False
        finally:
            connection.close()

    def wait_until_it_answers(self) -> None:
        until(self.answers, f"an answer of {self.url}")


class WorkerProcess(Process):
    """port: where it thinks that the server is."""

    def __init__(self, server: ServerProcess, folder: Path, number: int = 0, *, port: int | None = None) -> None:
        url = server.url if port is None else f"http://127.0.0.1:{port}"
        arguments = ("worker", "pulled=tests.faults.work:work", "--server", url)
        super().__init__(arguments, folder / "ledger.jsonl", folder / f"worker{number}.log")


class Database:
    """A PostgreSQL server that is killed."""

    def __init__(self, postgres: Postgres) -> None:
        self._postgres = postgres

    def restart(self, how: signal.Signals = signal.SIGKILL) -> None:
        """SIGKILL: the postmaster alone, whose children find out. SIGQUIT: what PostgreSQL calls an immediate shutdown."""
        self._postgres.restart(how, PATIENCE_S)
