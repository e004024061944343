"""kill -9, at random moments, again and again: everything finishes, and nothing is done again after its checkpoint."""

from __future__ import annotations

import json
import random
import select
import signal
import subprocess
import sys
import time
from collections import Counter
from pathlib import Path
from typing import Any

import pytest

from tests.embedded.worker import EXECUTIONS

KILLS = 20


@pytest.mark.timeout(240)
def test_fifty_executions_survive_twenty_kills(tmp_path: Path) -> None:
    database, ledger = tmp_path / "orders.db", tmp_path / "ledger.jsonl"
    chance = random.Random(17)  # the moments differ with every run all the same: processes do

    for _ in range(KILLS):
        process = serve(database, ledger)
        wait_for_line(process, "serving")
        time.sleep(chance.uniform(0, 0.25))  # a real process in real time
        process.send_signal(signal.SIGKILL)
        process.communicate()
    last = serve(database, ledger)
    output, _ = last.communicate(timeout=120)

    lines = output.splitlines()
    assert last.returncode == 0
    assert lines[-1] == "finished"
    check_ledger(ledger, [json.loads(line) for line in lines[1:-1]])


def check_ledger(ledger: Path, histories: list[list[dict[str, Any]]]) -> None:
    assert len(histories) == EXECUTIONS
    recorded: dict[tuple[str, int], float] = {}
    once: Counter[tuple[str, int]] = Counter()
    for history in histories:
        execution: str = history[0]["Id"]
        for event in history:
            if event["EventType"] in ("StepSucceeded", "StepFailed"):
                attempt: int = event[f"{event['EventType']}Details"]["RetryDetails"]["CurrentAttempt"]
                recorded[f"{execution}/{event['Id']}", attempt] = event["EventTimestamp"]
    ran = [json.loads(line) for line in ledger.read_text().splitlines()]
    for line in ran:
        key = (f"{line['execution'].rsplit('/', 1)[-1]}/{line['operation']}", line["attempt"])
        assert key in recorded, "a body ran whose attempt is not in the history"
        assert line["at"] <= milliseconds(recorded[key]), "a body ran again after its outcome was recorded"
        once[key] += line["once"]
    assert max(once.values()) == 1, "an at-most-once body ran again for the same attempt"


def milliseconds(timestamp: float) -> float:
    return timestamp if timestamp > 1e11 else timestamp * 1000


def serve(database: Path, ledger: Path) -> subprocess.Popen[str]:
    return subprocess.Popen([sys.executable, "-m", "tests.embedded.worker", str(database), str(ledger)], stdout=subprocess.PIPE, text=True)


def wait_for_line(process: subprocess.Popen[str], expected: str) -> None:
    assert process.stdout is not None
    ready, _, _ = select.select([process.stdout], [], [], 60)
    assert ready, "the process did not begin to serve"
    assert process.stdout.readline().strip() == expected
