"""How often a system makes the disk write through for one more step: the proof that nobody is fast by not waiting for it."""

from __future__ import annotations

import re
import shutil
import tempfile
import time
from pathlib import Path
from typing import Final

from bench.peers.field.environments import Ready
from bench.peers.field.page import Failed
from bench.peers.field.running import Postgres, fresh_store, run_phase
from bench.peers.field.systems import System

FEW: Final = 100
MANY: Final = 200
CALLS: Final = "fsync,fdatasync,sync_file_range,msync"


def syncs_per_step(system: System, ready: Ready, server: Postgres, folder: Path) -> float | None:
    """From two runs, so that what a start costs does not count. None if it cannot be counted."""
    few, many = (_syncs(system, steps, ready, server, folder) for steps in (FEW, MANY))
    return None if few is None or many is None else (many - few) / (MANY - FEW)


def settings(system: System, server: Postgres) -> str:
    if system.store != "PostgreSQL":
        return ""
    return ", ".join(f"{name} {server.ask(f'SHOW {name}')}" for name in ("fsync", "synchronous_commit", "wal_sync_method"))


def _syncs(system: System, steps: int, ready: Ready, server: Postgres, folder: Path) -> int | None:
    with tempfile.TemporaryDirectory(dir=folder) as own, fresh_store(system, Path(own), server) as url:
        if system.store == "PostgreSQL":
            before = _of_the_server(server)
            answer = run_phase(system, "sequential", url, [steps], ready, server, Path(own), 120)
            time.sleep(1)  # backends hand in what they have counted when they end, and the others within a second
            return None if isinstance(answer, Failed) else _of_the_server(server) - before
        if shutil.which("strace") is None:
            return None
        counted = Path(own, "strace")
        under = ["strace", "-f", "--seccomp-bpf", "-qq", "-e", f"trace={CALLS}", "-c", "-o", str(counted)]
        answer = run_phase(system, "sequential", url, [steps], ready, server, Path(own), 120, under=under)
        if isinstance(answer, Failed):
            return None
        return sum(int(match) for match in re.findall(r"^\s*[\d.]+\s+[\d.]+\s+\d+\s+(\d+)", counted.read_text(), re.MULTILINE)[:-1])


def _of_the_server(server: Postgres) -> int:
    return int(server.ask("SELECT sum(fsyncs) FROM pg_stat_io WHERE object = 'wal'"))
