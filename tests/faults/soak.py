"""Executions under kills: `python -m tests.faults.soak --store sqlite|postgres [--executions N] [--kills N] [--seed N]`."""

from __future__ import annotations

import argparse
import random
import signal
import subprocess
import tempfile
import threading
import time
from collections import Counter
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack
from pathlib import Path
from typing import Final

from tests.faults.load import Load
from tests.faults.processes import COMMAND, ROOT, Database, ServerProcess, WorkerProcess
from tests.service.postgres import Server as Postgres

LEASE_S: Final = 2
"""Of servers on PostgreSQL: short, as they die often."""
PATIENCE_S: Final = 900


class Killer:
    """Kills something at random every now and then, and starts it again."""

    def __init__(self, servers: Sequence[ServerProcess], workers: Sequence[WorkerProcess], database: Database | None, seed: int) -> None:
        self._servers, self._workers, self._database = servers, workers, database
        self._chance = random.Random(seed)
        self._next: list[str] = []
        self._lock = threading.Lock()
        self.killed: Counter[str] = Counter()

    def kill_one(self) -> None:
        if not self._next:
            self._next = ["server", "server", "worker"] + ["database"] * (self._database is not None)
            self._chance.shuffle(self._next)
        kind = self._next.pop()
        self.killed[kind] += 1
        if kind == "database" and self._database is not None:
            self._database.restart(self._chance.choice([signal.SIGKILL, signal.SIGQUIT]))
            return
        with self._lock:
            self._chance.choice(self._workers if kind == "worker" else self._servers).restart()

    def supervise(self, stop: threading.Event) -> None:
        """Start again what has ended by itself: a server that finds no database when it starts."""
        while not stop.wait(0.2):
            with self._lock:
                for process in (*self._servers, *self._workers):
                    if not process.is_running:
                        self.killed["itself"] += 1
                        process.start()

    def run(self, kills: int, load: Load, pause_s: tuple[float, float]) -> None:
        """The kills are spread over the work: each waits for its share of the executions to have begun, or for a moment."""
        for number in range(kills):
            time.sleep(self._chance.uniform(*pause_s))  # real processes in real time
            deadline = time.monotonic() + 10
            while len(load.arns) < load.executions * number / kills and time.monotonic() < deadline:
                time.sleep(0.01)
            self.kill_one()


def soak(
    store: str,
    folder: Path,
    postgres: Postgres | None,
    *,
    executions: int,
    kills: int,
    seed: int,
    pause_s: tuple[float, float] = (0.3, 2.0),
) -> Counter[str]:
    """Raises AssertionError if anything is lost, done twice or wrong. Returns figures."""
    began_at = time.monotonic()
    url = f"sqlite:///{folder}/store.db" if postgres is None else postgres.new_schema(LEASE_S)
    servers = [ServerProcess(url, folder, number) for number in range(1 if postgres is None else 2)]
    workers = [WorkerProcess(server, folder, number) for number, server in enumerate(servers)]
    database = None if postgres is None else Database(postgres)
    with ThreadPoolExecutor(1) as pool, ExitStack() as cleanup:
        for process in (*servers, *workers):
            process.start()
            cleanup.callback(process.kill)
        for server in servers:
            server.wait_until_it_answers()
        load = Load(servers, folder / "ledger.jsonl", executions)
        killer = Killer(servers, workers, database, seed)
        stop = threading.Event()
        supervising = threading.Thread(target=killer.supervise, args=(stop,))
        supervising.start()
        cleanup.callback(supervising.join)
        cleanup.callback(stop.set)
        killing = pool.submit(killer.run, kills, load, pause_s)
        load.start()
        killing.result()
        killed_after = time.monotonic() - began_at
        load.wait(PATIENCE_S)
        ended_after = time.monotonic() - began_at
        figures = load.check()
    done = subprocess.run([*COMMAND, "server", "--check", "--store", url], cwd=ROOT, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout + done.stderr
    figures.update({f"killed {kind}": count for kind, count in killer.killed.items()})
    figures.update({"seconds of kills": round(killed_after), "seconds until all had ended": round(ended_after)})
    return figures


def main() -> None:
    parser = argparse.ArgumentParser()
    parser.add_argument("--store", choices=["sqlite", "postgres"], required=True)
    parser.add_argument("--executions", type=int, default=10_000)
    parser.add_argument("--kills", type=int, default=100)
    parser.add_argument("--seed", type=int, default=1)
    arguments = parser.parse_args()
    postgres = Postgres() if arguments.store == "postgres" else None
    try:
        folder = Path(tempfile.mkdtemp(prefix="everstep-soak-"))
        print(f"logs and ledger: {folder}", flush=True)
        figures = soak(arguments.store, folder, postgres, executions=arguments.executions, kills=arguments.kills, seed=arguments.seed)
    finally:
        if postgres is not None:
            postgres.remove()
    print(", ".join(f"{name}: {figure}" for name, figure in figures.items()))


if __name__ == "__main__":
    main()
