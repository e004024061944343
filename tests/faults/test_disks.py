"""A disk without room, and a database that somebody else has locked for long."""

from __future__ import annotations

import sqlite3
import subprocess
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from http.client import HTTPConnection
from pathlib import Path

import pytest

from tests.effort import EFFORT
from tests.faults.load import Load
from tests.faults.processes import ServerProcess, until


@pytest.fixture
def disk(tmp_path: Path) -> Iterator[Path]:
    """A small disk of its own."""
    folder = tmp_path / "disk"
    folder.mkdir()
    if subprocess.run(["mount", "-t", "tmpfs", "-o", "size=32m", "tmpfs", folder], capture_output=True, check=False).returncode:
        pytest.skip("only root can mount a small disk")
    yield folder
    subprocess.run(["umount", folder], check=True)


def fill(disk: Path) -> Path:
    """The file that takes all the room there is."""
    ballast = disk / "ballast"
    with pytest.raises(OSError, match="No space left"):
        ballast.write_bytes(b"\0" * 64 * 1024 * 1024)
    return ballast


def start_one(server: ServerProcess, payload: bytes) -> tuple[int, bytes]:
    connection = HTTPConnection("127.0.0.1", server.port, timeout=20)
    try:
        headers = {"X-Amz-Invocation-Type": "Event"}
        connection.request("POST", "/2015-03-31/functions/pulled/invocations?Qualifier=$LATEST", payload, headers)
        response = connection.getresponse()
        return response.status, response.read()
    finally:
        connection.close()


@pytest.mark.timeout(60)
def test_a_full_disk_is_said_and_costs_nothing_that_was_acknowledged(tmp_path: Path, disk: Path) -> None:
    server = ServerProcess(f"sqlite:///{disk}/store.db", tmp_path)
    server.start()
    try:
        server.wait_until_it_answers()
        load = Load([server], tmp_path / "ledger.jsonl", 20, ["work"])
        load.start()
        ballast = fill(disk)
        refused = next(answer for answer in iter(lambda: start_one(server, b'"%s"' % (b"x" * 200_000)), None) if answer[0] != 202)
        ballast.unlink()
        load.wait(30)
        figures = load.check()
        accepted = start_one(server, b"1")
    finally:
        server.kill()

    assert refused[0] == 500
    assert b"ServiceException" in refused[1]
    assert "the disk is full: free some space" in server.log.read_text()
    assert figures["bodies"] >= 100
    assert accepted[0] == 202


@pytest.mark.skipif(EFFORT == 1, reason="takes longer than a lock is waited for: make soak runs it")
@pytest.mark.timeout(60)
def test_a_lock_that_somebody_holds_for_long_holds_executions_up_and_loses_nothing(tmp_path: Path) -> None:
    server = ServerProcess(f"sqlite:///{tmp_path}/store.db", tmp_path)
    server.start()
    try:
        server.wait_until_it_answers()
        load = Load([server], tmp_path / "ledger.jsonl", 200, ["work"])
        other = sqlite3.connect(tmp_path / "store.db", isolation_level=None)
        with ThreadPoolExecutor(1) as pool:
            starting = pool.submit(load.start)
            until(lambda: len(load.arns) > 10, "the first executions")
            other.execute("BEGIN IMMEDIATE")
            time.sleep(8)  # real locks in real time: longer than SQLite waits
            other.execute("ROLLBACK")
            starting.result()
        other.close()
        load.wait(30)
        figures = load.check()
    finally:
        server.kill()

    assert "end that program's transaction" in server.log.read_text()
    assert figures["bodies"] >= 100
