"""Everstep beside the other SDKs of the family, in one run: `make bench-peers-sdk`.

    python -m bench.peers.run SUITE [--reps N] [--only TEXT] [--out FILE]

SUITE is the directory of the scenario suite (its README says how it measures), which is not part of this repository. A copy of
it with our adapter, and a virtual environment for each SDK, go to build/bench-peers. The tables are written to bench/RESULTS.md,
of some scenarios alone they are only printed.
"""

from __future__ import annotations

import argparse
import json
import math
import os
import shutil
import statistics
import subprocess
import sys
import tomllib
from collections import defaultdict
from collections.abc import Sequence
from pathlib import Path
from typing import Final, NamedTuple

from bench.peers.interpreter import environment, machine_and
from bench.peers.sections import PATH, write_section

HERE: Final = Path(__file__).parent
BUILD: Final = Path("build/bench-peers")
PEERS: Final = {
    "aws": ("aws-durable-execution-sdk-python==3.0.0",),
    "async": ("async-durable-execution==2.5.0",),
    "async-httpx": ("async-durable-execution[httpx]==2.5.0",),
    "everstep": (".[sync]",),
}
OURS: Final = {
    "everstep": ("Everstep", '{"linear", "concurrent", "replay", "coldstart", "http"}'),
    "everstep-sync": ("EverstepSync", '{"linear", "concurrent", "replay"}'),
    "everstep-cold": ("EverstepCold", '{"linear"}'),
}
BEST_OF: Final = ("aws", "async", "async-thr", "async-httpx")
FLOORS: Final = ("floor", "floor-sync")


class Goal(NamedTuple):
    """Of the ratio to the better peer."""

    wall: float
    cpu: float


GOALS: Final = {
    "cold-handler": Goal(0.40, 0.40),
    "cold-first": Goal(0.40, 0.40),
    "seq-1": Goal(0.20, 0.25),
    "seq-1000": Goal(0.07, 0.20),
    "seq-100-5ms": Goal(0.92, 0.60),
    "seq-100-20ms": Goal(0.98, 0.60),
    "replay-1000": Goal(0.12, 0.20),
    "replay-10000": Goal(0.12, 0.20),
    "replay-10000-paged": Goal(0.30, 0.20),
    "map-100-c50-0ms": Goal(0.15, 0.25),
    "map-100-cunl-0ms": Goal(0.15, 0.25),
    "map-1000-c50-0ms": Goal(0.15, 0.25),
    "map-1000-cunl-0ms": Goal(0.15, 0.25),
    "map-100-c50-5ms": Goal(0.30, 0.25),
    "map-100-cunl-5ms": Goal(0.30, 0.25),
    "map-1000-cunl-5ms": Goal(0.35, 0.25),
    "map-1000-c50-5ms": Goal(0.40, 0.25),
    "par-10x20-5ms": Goal(0.65, 0.35),
    "large-100-records": Goal(0.06, 0.06),
    "large-100-text": Goal(0.40, 0.55),
    "input-200kb": Goal(0.10, 0.20),
    "waits-200": Goal(0.01, 0.05),
    "http-200": Goal(0.25, 0.30),
}


def environments() -> Path:
    """A virtual environment for each SDK, with bytecode, since users' processes have it."""
    venvs = (BUILD / "venvs").resolve()
    for name, requirements in PEERS.items():
        python = environment(venvs / name, sys.executable)
        subprocess.run([str(python), "-m", "pip", "install", "--quiet", "--upgrade", *requirements], check=True)
        library = next((venvs / name / "lib").iterdir())
        environ = {key: value for key, value in os.environ.items() if key != "PYTHONDONTWRITEBYTECODE"}
        subprocess.run([str(python), "-m", "compileall", "-q", str(library)], check=False, env=environ)
    return venvs


def suite_with_us(suite: Path) -> Path:
    copy = BUILD / "suite"
    shutil.rmtree(copy, ignore_errors=True)
    shutil.copytree(suite, copy, ignore=shutil.ignore_patterns("out", "__pycache__"))
    shutil.copy(HERE / "everstep_adapter.py", copy / "adapters")
    shutil.copy(HERE / "everstep_coldstart.py", copy / "coldstart")
    registry = copy / "adapters" / "__init__.py"
    specs = "".join(
        f'    "{name}": Spec(python=f"{{VENVS}}/everstep/bin/python", factory="adapters.everstep_adapter:{adapter}", package="everstep", '
        f'coldstart="coldstart.everstep_coldstart", groups=frozenset({groups})),\n'
        for name, (adapter, groups) in OURS.items()
    )
    text = registry.read_text()
    start = text.index("REGISTRY")
    brace = text.index("{\n", start) + 2
    registry.write_text(text[:brace] + specs + text[brace:])
    return copy


def measure(suite: Path, venvs: Path, only: str, reps: int) -> Path:
    out = (BUILD / "out").resolve()
    names = ",".join([*BEST_OF, *OURS, *FLOORS])  # the first one has boto3, as one of the floors needs
    command = [sys.executable, "run.py", "--adapters", names, "--only", only, "--reps", str(reps), "--out", str(out), "--skip-yardsticks"]
    if only:
        command.append("--skip-cold")
    subprocess.run(command, cwd=suite, env=os.environ | {"BENCH_VENVS": str(venvs)}, check=True, stdout=subprocess.DEVNULL)
    return out / "results.jsonl"


Rows = dict[str, dict[str, list[dict[str, float]]]]


def read(results: Path) -> Rows:
    rows: Rows = defaultdict(lambda: defaultdict(list))
    for line in results.read_text().splitlines():
        row = json.loads(line)
        rows[row["scenario"]][row["adapter"]].append({name: value for name, value in row.items() if isinstance(value, int | float)})
    return rows


def median(runs: Sequence[dict[str, float]], *names: str) -> float:
    """Of the first of the figures that the runs have."""
    for name in names:
        values = [run[name] for run in runs if name in run]
        if values:
            return statistics.median(values)
    return math.nan


def table(rows: Rows, ours: str) -> str:
    lines = [
        f"### {ours}",
        "",
        "| scenario | wall ms | wall ÷ best peer (goal) | CPU ÷ best peer (goal) | wall ÷ floor | calls (best peer) | peak RSS MiB |",
        "|---|--:|--:|--:|--:|--:|--:|",
    ]
    for scenario, by_adapter in rows.items():
        peers = [by_adapter[name] for name in BEST_OF if name in by_adapter]
        if ours not in by_adapter or not peers:
            continue
        mine = by_adapter[ours]
        wall, cpu = median(mine, "wall_ms", "process_ms"), median(mine, "cpu_ms", "process_cpu_ms")
        best_wall = min(median(peer, "wall_ms", "process_ms") for peer in peers)
        best_cpu = min(median(peer, "cpu_ms", "process_cpu_ms") for peer in peers)
        floor = min((median(by_adapter[name], "wall_ms", "process_ms") for name in FLOORS if name in by_adapter), default=math.nan)
        calls, peer_calls = median(mine, "calls"), min(median(peer, "calls") for peer in peers)
        goal = GOALS.get(scenario) if ours == "everstep" else None
        goals = (f" ({goal.wall:.2f})", f" ({goal.cpu:.2f})") if goal else ("", "")
        lines.append(
            f"| {scenario} | {wall:,.1f} | {wall / best_wall:.3f}{goals[0]} | {cpu / best_cpu:.3f}{goals[1]} | {wall / floor:.2f} | "
            f"{calls:.0f} ({peer_calls:.0f}) | {median(mine, 'rss_peak_mib'):.1f} |"
        )
    return "\n".join(lines).replace("nan (nan)", "").replace("nan", "") + "\n"


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("suite", type=Path)
    parser.add_argument("--only", default="", help="a regular expression on scenario names; without it, cold starts are measured too")
    parser.add_argument("--reps", type=int, default=5)
    parser.add_argument("--out", type=Path, default=PATH)
    options = parser.parse_args()
    BUILD.mkdir(parents=True, exist_ok=True)
    venvs = environments()
    rows = read(measure(suite_with_us(options.suite), venvs, options.only, options.reps))
    version = tomllib.loads(Path("pyproject.toml").read_text())["project"]["version"]
    peers = ", ".join(requirement for name in ("aws", "async") for requirement in PEERS[name])
    text = (
        "## The SDK beside the others\n\n"
        f"{machine_and(sys.executable)}; everstep {version}, {peers}. Medians of up to {options.reps} processes per scenario and "
        "SDK, which take turns. A ratio is to the better peer of the row; the floor is the least code that speaks the protocol. "
        "Written by `make bench-peers-sdk`.\n\n" + "\n".join(table(rows, name) for name in OURS)
    )
    if not options.only or options.out != PATH:
        write_section("sdk", text, options.out)
    print(text)


if __name__ == "__main__":
    main()
