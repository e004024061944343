"""The service beside DBOS, Absurd, Restate and AWS's local runner: `make bench-peers-service`.

    python -m bench.peers.field.run [--only TEXT] [--scenario NAME] [--reps N] [--python PROGRAM] [--build DIRECTORY] [--out FILE]

A run of everything writes its section of bench/RESULTS.md; a run of a part prints it. Environments and stores are in --build, which
has to be on a disk. Restate needs npm; counting what SQLite's users sync needs strace.
"""

from __future__ import annotations

import argparse
import os
import statistics
import sys
import tempfile
import time
from collections import defaultdict
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Final

from bench.peers.field.environments import Ready, prepare
from bench.peers.field.page import Failed, Measured, page
from bench.peers.field.running import Postgres, postgres, run
from bench.peers.field.scenarios import SCENARIOS, Scenario
from bench.peers.field.syncs import settings, syncs_per_step
from bench.peers.field.systems import SYSTEMS, System
from bench.peers.interpreter import machine_and
from bench.peers.sections import PATH, write_section

SLOW_S: Final = 30
"""A run that takes longer is not repeated."""


def measure(
    scenario: Scenario, systems: Sequence[System], ready: Mapping[str, Ready | Failed], server: Postgres, folder: Path, reps: int
) -> dict[tuple[str, str], Measured | Failed]:
    runs: dict[str, list[dict[str, float]]] = defaultdict(list)
    failed: dict[str, Failed] = {}
    slow: set[str] = set()
    taking_part = [system for system in systems if scenario.name in system.scenarios]
    for _ in range(reps):
        for system in taking_part:
            if system.name in failed or system.name in slow:
                continue
            environment = ready[system.environment]
            began = time.monotonic()
            answer = environment if isinstance(environment, Failed) else run(system, scenario, environment, server, folder)
            took = time.monotonic() - began
            if isinstance(answer, Failed):
                failed[system.name] = answer
            else:
                runs[system.name].append(answer)
            if took > SLOW_S:
                slow.add(system.name)
            print(f"{scenario.name:<10} {system.name:<16} {took:6.1f} s  {_shown(answer)}", flush=True)
    measured = {(scenario.name, name): Measured(_medians(of), len(of)) for name, of in runs.items()}
    return {**measured, **{(scenario.name, name): why for name, why in failed.items()}}


def _medians(runs: Sequence[Mapping[str, float]]) -> dict[str, float]:
    return {name: statistics.median(run[name] for run in runs if name in run) for name in runs[0]}


def _shown(answer: Mapping[str, float] | Failed) -> str:
    return answer.why if isinstance(answer, Failed) else "  ".join(f"{name} {value:,.2f}" for name, value in answer.items())


def conditions(ready: Mapping[str, Ready | Failed], server: Postgres, python: str, load: Sequence[float]) -> str:
    versions = ", ".join(shown for environment in ready.values() if isinstance(environment, Ready) for shown in environment.versions)
    database = f"PostgreSQL {server.ask('SHOW server_version').split()[0]}"
    told = f"fsync {server.ask('SHOW fsync')}, shared_buffers {server.ask('SHOW shared_buffers')}"
    return (
        f"{machine_and(python)}; load average {load[0]:.1f} at the beginning and {os.getloadavg()[0]:.1f} at the end; {versions}; "
        f"{database} with its defaults ({told}), over a Unix socket."
    )


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--only", default="", help="comma-separated parts of systems' names; ours and the stores alone are measured too")
    parser.add_argument("--scenario", choices=[scenario.name for scenario in SCENARIOS])
    parser.add_argument("--reps", type=int, default=3)
    parser.add_argument("--python", default=sys.executable, help="the interpreter of all environments")
    parser.add_argument("--build", type=Path, default=Path("build/bench-peers/service"))
    parser.add_argument("--out", type=Path, default=PATH)
    options = parser.parse_args()
    began, load = time.monotonic(), os.getloadavg()
    words: list[str] = options.only.split(",") if options.only else []
    systems = [system for system in SYSTEMS if not words or not system.is_other or any(word in system.name for word in words)]
    scenarios = [scenario for scenario in SCENARIOS if options.scenario in (None, scenario.name)]
    is_whole = not words and options.scenario is None

    build: Path = options.build.resolve()
    build.mkdir(parents=True, exist_ok=True)
    ready = {name: prepare(name, build, options.python) for name in dict.fromkeys(system.environment for system in systems)}
    with tempfile.TemporaryDirectory(dir=build) as name, postgres(Path(name)) as server:
        folder = Path(name)
        results: dict[tuple[str, str], Measured | Failed] = {}
        for scenario in scenarios:
            results |= measure(scenario, systems, ready, server, folder, options.reps)
        durability = [row for system in systems if is_whole for row in _durability(system, ready[system.environment], server, folder)]
        text = page(results, conditions(ready, server, options.python, load), durability)
    if is_whole:
        write_section("service", text, options.out)
    print(f"\n{text}\nAll of this took {(time.monotonic() - began) / 60:.1f} minutes.")


def _durability(system: System, ready: Ready | Failed, server: Postgres, folder: Path) -> list[tuple[str, str, float]]:
    if isinstance(ready, Failed) or "sequential" not in system.scenarios or system.is_alone or system.store == "memory":
        return []
    syncs = syncs_per_step(system, ready, server, folder)
    return [] if syncs is None else [(system.label, settings(system, server), syncs)]


if __name__ == "__main__":
    main()
