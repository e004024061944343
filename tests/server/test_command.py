"""`everstep server` as a process: how it begins, how it ends, and what outlives it."""

from __future__ import annotations

import json
import re
import signal
import subprocess
import sys
from collections.abc import Generator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest

from tests.server.running import HERE, client_of, events_of, status_of, text_of, until

ROOT = Path(__file__).parent.parent.parent
COMMAND = (sys.executable, "-m", "everstep.cli.main")


@contextmanager
def served(*arguments: str) -> Generator[tuple[subprocess.Popen[str], str]]:
    """A server's process and its URL. It is killed at the end of the block, if it still runs."""
    process = subprocess.Popen([*COMMAND, "server", *arguments, "--port", "0"], cwd=ROOT, stderr=subprocess.PIPE, text=True)
    assert process.stderr is not None
    try:
        lines: list[str] = []
        while not (found := re.search(r"answers at (\S+),", "".join(lines))):
            line = process.stderr.readline()
            assert line, "".join(lines)
            lines.append(line)
        yield process, found[1]
    finally:
        process.kill()
        process.wait(timeout=60)
        process.stderr.close()


def test_executions_outlive_a_server_that_is_killed(tmp_path: Path) -> None:
    arguments = (f"apart={HERE}:order", "--store", f"sqlite:///{tmp_path}/store.db")
    with served(*arguments) as (process, url):
        client = client_of(url)
        started = client.invoke(FunctionName="apart:$LATEST", InvocationType="Event", Payload=b'{"amount": 1}')
        arn = text_of(started, "DurableExecutionArn")
        until(lambda: "WaitStarted" in [event["EventType"] for event in events_of(client, arn)], "the wait")
        process.kill()
        client.close()

    with served(*arguments) as (_, url):
        client = client_of(url)
        until(lambda: status_of(client, arn) == "SUCCEEDED", "the end")
        result = client.get_durable_execution(DurableExecutionArn=arn)["Result"]
        client.close()

    assert result == '{"total":4}'


def test_programs_are_told_where_a_server_answers_and_what_a_worker_serves() -> None:
    def first_line(*arguments: str) -> Any:
        command = [*COMMAND, *arguments, "--json"]
        with subprocess.Popen(command, cwd=ROOT, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True) as process:
            assert process.stdout is not None
            line = process.stdout.readline()
            process.terminate()
        return json.loads(line)

    told = first_line("server", f"apart={HERE}:order", "--store", "memory://", "--port", "0")

    assert told == {"Url": told["Url"], "ConsoleUrl": f"{told['Url']}/console/", "Functions": ["apart"]}
    assert re.fullmatch(r"http://127.0.0.1:\d+", told["Url"])
    worker = first_line("worker", f"{HERE}:order", "--server", "http://127.0.0.1:1")
    assert worker == {"Server": "http://127.0.0.1:1", "Functions": ["order"]}


def test_a_server_that_is_asked_to_stop_lets_invocations_end_and_tells_who_waits(tmp_path: Path) -> None:
    functions = tmp_path / "functions.yaml"
    functions.write_text(f"functions: [{{name: apart, process: '{HERE}:order', DurableConfig: {{ExecutionTimeout: 60}}}}]")
    logs = tmp_path / "logs"
    with served("--functions", str(functions), "--store", "memory://", "--logs-dir", str(logs), "--grace", "5") as (process, url):
        client = client_of(url)
        started = client.invoke(FunctionName="apart:$LATEST", InvocationType="Event", Payload=b'{"amount": 1}')
        until(lambda: len(events_of(client, text_of(started, "DurableExecutionArn"))) > 4, "the first invocation")
        process.send_signal(signal.SIGTERM)
        code = process.wait(timeout=60)
        client.close()

    assert code == 0
    assert (logs / "apart.log").exists()


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (["server", "nonsense"], "names no function"),
        (["server", "--store", "nowhere.db"], "not the URL of a store"),
        (["server", "--functions", "nothing.yaml"], "cannot be read"),
        (["worker", f"{HERE}:nothing"], "has no 'nothing'"),
        (["worker", f"{HERE}:plain", "--server", "https://127.0.0.1:1", "--ca-bundle", "nothing.pem"], "cannot be read as certificates"),
        (["worker-environment", "order", "--server", "https://127.0.0.1:1"], "plain HTTP"),
        (["server", "--host", "0.0.0.0"], "--without-credentials"),
        (["server", "--credentials", "nothing.yaml"], "cannot be read"),
        (["server", "--tls-cert", "cert.pem"], "--tls-key"),
        (["server", "--tls-cert", "cert.pem", "--tls-key", "key.pem"], "there is no file cert.pem"),
    ],
)
def test_what_cannot_be_served_is_said_in_one_line(arguments: list[str], said: str) -> None:
    done = subprocess.run([*COMMAND, *arguments], cwd=ROOT, capture_output=True, text=True, timeout=30, check=False)

    assert done.returncode == 2
    assert said in done.stderr
    assert "Traceback" not in done.stderr
