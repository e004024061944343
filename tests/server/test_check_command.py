"""`everstep server --check` as it is called: what it prints, and its exit codes."""

from __future__ import annotations

import json
import sqlite3
import subprocess
from contextlib import closing
from pathlib import Path

from tests.server.running import HERE, client_of, declared, running, text_of
from tests.server.test_command import COMMAND, ROOT


def check(store: Path | str, *more: str) -> subprocess.CompletedProcess[str]:
    url = store if isinstance(store, str) else f"sqlite:///{store}"
    command = [*COMMAND, "server", "--check", "--store", url, *more]
    return subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=False, timeout=30)


def test_a_store_is_checked_once_its_server_has_ended(tmp_path: Path) -> None:
    store = tmp_path / "store.db"
    with running([declared("quick", handler=f"{HERE}:quick")], f"sqlite:///{store}") as server:
        client = client_of(server.url)
        arn = text_of(client.invoke(FunctionName="quick:$LATEST", Payload=b"{}"), "DurableExecutionArn")
        client.close()
        served = check(store)
    well = check(store)
    with closing(sqlite3.connect(store)) as connection, connection:
        connection.execute("DELETE FROM events WHERE event_id = 2")
    ill, told = check(store), check(store, "--json")

    assert (served.returncode, served.stdout) == (2, "")
    assert "in use by another service" in served.stderr
    assert (well.returncode, well.stdout) == (0, f"{store}, schema 2: 1 executions, 2 operations, 5 events; nothing is wrong\n")
    assert ill.returncode == told.returncode == 1
    assert ill.stdout.startswith(f"{arn}: events: of 5 events these are missing: 2\n")
    assert json.loads(told.stdout)["faults"] == {arn: [{"rule": "events", "says": "of 5 events these are missing: 2"}]}


def test_what_cannot_be_checked_is_said(tmp_path: Path) -> None:
    assert check(tmp_path / "nothing.db").returncode == 2
    assert check("memory://").returncode == 2
