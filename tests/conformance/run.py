"""Serves the handlers and runs the published requirements against them.

    python -m tests.conformance.run [--functions KIND] [--store STORE] [--times N] [options of the harness …]

KIND is process, in-process, worker or all; STORE is sqlite, postgres or all.
The harness is the directory of run_conformance.py and the requirements: $EVERSTEP_CONFORMANCE, or else ../shared/conformance.
Everything that is written goes to build/conformance.
"""

from __future__ import annotations

import argparse
import asyncio
import shutil
import sys
import time
from collections.abc import Generator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Final, NamedTuple

import msgspec

from tests.conformance.homes import KINDS, Kind, served, write_mapping
from tests.conformance.suite import BUILD, HARNESS, wheel

STORES: Final = ("sqlite", "postgres")
JOBS: Final = 12
"""Requirements at a time: most of them wait most of the time."""


class Result(msgspec.Struct):
    """What became of one requirement, as the harness reports it."""

    id: str
    status: str
    description: str
    errors: list[str]


class Report(msgspec.Struct):
    results: list[Result] = []  # the library copies it


class Outcome(NamedTuple):
    """code: the harness's."""

    code: int
    seconds: float
    results: Sequence[Result]

    def count(self, *statuses: str) -> int:
        return sum(one.status in statuses for one in self.results)


@contextmanager
def empty_store(name: str, place: Path) -> Generator[str]:
    """The URL of a store with nothing in it."""
    if name == "sqlite":
        yield f"sqlite:///{place / 'store.db'}"
        return
    from tests.service.postgres import Server

    server = Server()
    try:
        yield server.new_schema()
    finally:
        server.remove()


async def run(kind: Kind, store: str, options: Sequence[str], place: Path) -> Outcome:
    """Run the harness with these options against the handlers, served so. place: a directory for what is written, emptied first."""
    shutil.rmtree(place, ignore_errors=True)
    logs = place / "logs"
    logs.mkdir(parents=True)
    write_mapping(place / "mapping.json")
    suite = wheel()
    with empty_store(store, place) as url:
        async with served(kind, url, logs) as server:
            command = [str(HARNESS / "run_conformance.py"), "--endpoint-url", server.url, "--functions", str(place / "mapping.json")]
            command += ["--suite-wheel", str(suite), "--requirements", str(HARNESS / "requirements"), "--logs-dir", str(logs)]
            command += ["--report", "console", "json", "--report-file", str(place / "report"), "--jobs", str(JOBS), *options]
            began = time.monotonic()
            process = await asyncio.create_subprocess_exec(sys.executable, *command)
            code = await process.wait()
            seconds = time.monotonic() - began
    report = place / "report.json"
    return Outcome(code, seconds, msgspec.json.decode(report.read_bytes(), type=Report).results if report.exists() else ())


def main() -> None:
    parser = argparse.ArgumentParser(usage=__doc__)
    parser.add_argument("--functions", choices=(*KINDS, "all"), default="process")
    parser.add_argument("--store", choices=(*STORES, "all"), default="sqlite")
    parser.add_argument("--times", type=int, default=1)
    chosen, options = parser.parse_known_args()
    if not HARNESS.is_dir():
        sys.exit(f"there is no harness at {HARNESS}: set EVERSTEP_CONFORMANCE to the directory of run_conformance.py")
    table: list[str] = []
    failed = False
    for kind in KINDS:
        for store in STORES:
            if chosen.functions not in (kind, "all") or chosen.store not in (store, "all"):
                continue
            for _ in range(chosen.times):
                outcome = asyncio.run(run(kind, store, options, BUILD / f"{kind}-{store}"))
                failed |= outcome.code != 0
                passed, bad, skipped = outcome.count("PASSED"), outcome.count("FAILED"), outcome.count("UNCOVERED", "NOT_IMPLEMENTED")
                table.append(f"{kind:10}  {store:8}  {passed:3} passed  {bad:2} failed  {skipped:2} skipped  {outcome.seconds:4.0f} s")
    print("\n".join(table))
    sys.exit(1 if failed else 0)


if __name__ == "__main__":
    main()
