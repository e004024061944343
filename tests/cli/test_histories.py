"""`everstep verify`, `export` and `estimate`, against files and against a server over HTTP."""

from __future__ import annotations

import json
import xml.etree.ElementTree as ET
from collections.abc import Iterator
from pathlib import Path

import pytest
from typer.testing import CliRunner, Result

from everstep.cli.app import application
from tests.histories.official import HISTORIES
from tests.server.running import Running, declared, events_of, running, until

OFFICIAL = "tests.histories.official"


def everstep(*arguments: str | Path) -> Result:
    return CliRunner().invoke(application(), [str(argument) for argument in arguments])


def test_code_that_may_go_on_is_fine() -> None:
    result = everstep("verify", f"{OFFICIAL}:order", HISTORIES / "order.json")

    assert result.exit_code == 0, result.output
    assert "order.json (SUCCEEDED, 5 replayed): the handler ends" in result.stdout
    assert result.stdout.endswith("1 histories, all fine\n")


def test_code_that_may_not_is_shown_where_it_parts() -> None:
    result = everstep("verify", f"{OFFICIAL}:order", HISTORIES / "order.json", HISTORIES / "approval.json")

    assert result.exit_code == 1
    assert 'recorded: Step "ask"' in result.stdout
    assert 'asked:    Step "charge"' in result.stdout
    assert "tests/histories/official.py:" in result.stdout
    assert result.stdout.endswith("2 histories, 1 of which this code cannot go on with\n")


def test_machines_read_verdicts() -> None:
    arguments = ("verify", f"{OFFICIAL}:order", HISTORIES, "--format")

    verdicts = json.loads(everstep(*arguments, "json").stdout)
    assert json.loads(everstep(*arguments[:-1], "--json").stdout) == verdicts
    assert [(Path(verdict["source"]).name, verdict["divergence"] is None) for verdict in verdicts["verdicts"]] == [
        ("approval.json", False),
        ("big.json", False),
        ("order.json", True),
    ]
    suite = ET.fromstring(everstep(*arguments, "junit").stdout)
    assert (suite.get("tests"), suite.get("failures")) == ("3", "2")
    annotation = everstep(*arguments, "github").stdout.splitlines()[0]
    assert annotation.startswith("::error file=tests/histories/official.py,line=")


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (("verify", "nowhere:handler", HISTORIES), "there is no module 'nowhere'"),
        (("verify", f"{OFFICIAL}:order"), "nothing to verify"),
        (("verify", f"{OFFICIAL}:order", "no.json"), "there is no file no.json"),
        (("verify", f"{OFFICIAL}:order", HISTORIES, "--format", "xml"), "there is no format 'xml'"),
        (("verify", f"{OFFICIAL}:order", HISTORIES, "--region", "eu-west-1"), "--region is for --function"),
        (("verify", f"{OFFICIAL}:order", HISTORIES, "--endpoint-url", "http://127.0.0.1:9"), "--endpoint-url is for --function"),
        (("verify", f"{OFFICIAL}:order", "--function", "order", "--endpoint-url", "http://127.0.0.1:9"), "127.0.0.1:9"),
        (("estimate", "no.json"), "there is no file no.json"),
        (("export", "order", "--status", "gone", "--endpoint-url", "http://127.0.0.1:9"), "there is no status 'gone'"),
    ],
)
def test_what_cannot_be_found_out_is_said(arguments: tuple[str | Path, ...], said: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("AWS_MAX_ATTEMPTS", "1")

    result = everstep(*arguments)

    assert (result.exit_code, said in result.stderr) == (2, True), result.output


def test_a_file_that_is_no_history_is_a_failure_of_its_own(tmp_path: Path) -> None:
    (tmp_path / "a.json").write_text("{}")

    result = everstep("verify", f"{OFFICIAL}:order", HISTORIES / "order.json", tmp_path)

    assert result.exit_code == 1
    assert "a.json is no history" in result.stdout
    assert "order.json (SUCCEEDED" in result.stdout


def test_quotas_are_counted() -> None:
    result = everstep("estimate", HISTORIES)

    assert result.exit_code == 0
    assert "13  operations of 3,000 (0.4%)" in result.stdout
    assert "Map map (3 MapIteration, 3 Step)" in result.stdout
    assert len(json.loads(everstep("estimate", HISTORIES, "--json").stdout)) == 3


def test_a_quota_that_is_exceeded_is_a_failure(tmp_path: Path) -> None:
    started: dict[str, object] = {"EventType": "ExecutionStarted", "EventId": 1, "EventTimestamp": 1}
    steps = [{"EventType": "StepStarted", "EventId": number, "EventTimestamp": 1, "Id": str(number)} for number in range(2, 3_100)]
    (tmp_path / "many.json").write_text(json.dumps({"Events": [started, *steps]}))

    result = everstep("estimate", tmp_path)

    assert result.exit_code == 1
    assert "3,099  operations of 3,000 (103.3%)  EXCEEDED" in result.stdout


# -- over HTTP -----------------------------------------------------------------


@pytest.fixture(scope="module")
def server() -> Iterator[Running]:
    with running([declared("asking", handler="tests.cli.functions:asking")]) as server:
        yield server


@pytest.fixture
def open_execution(server: Running) -> str:
    """Its ARN; it waits for a callback."""
    started = server.client.invoke(FunctionName="asking:$LATEST", InvocationType="Event", Payload=b'"17"')
    arn: str = started["DurableExecutionArn"]
    until(lambda: any(event["EventType"] == "CallbackStarted" for event in events_of(server.client, arn)), "the callback")
    return arn


def test_open_executions_of_a_function_are_verified_where_they_are(server: Running, open_execution: str) -> None:
    arguments = ("--function", "asking", "--endpoint-url", server.url)

    fine = everstep("verify", "tests.cli.functions:asking", *arguments)
    assert fine.exit_code == 0, fine.output
    assert f"ok       {open_execution} (RUNNING" in fine.stdout

    refused = everstep("verify", "tests.cli.functions:changed", *arguments)
    assert refused.exit_code == 1
    assert 'recorded: Step "charge"' in refused.stdout


def test_exported_histories_are_verified_later(server: Running, open_execution: str, tmp_path: Path) -> None:
    exported = everstep("export", "asking:$LATEST", "--directory", tmp_path, "--endpoint-url", server.url)

    assert exported.exit_code == 0, exported.output
    assert "histories in" in exported.stdout
    name, identity = open_execution.split("/")[-2:]
    assert (tmp_path / f"{name}-{identity}.json").is_file()
    told = everstep("export", "asking", "--waiting", "approval", "--directory", tmp_path, "--endpoint-url", server.url, "--json")
    files = {one["DurableExecutionArn"]: one["File"] for one in json.loads(told.stdout)}
    assert files[open_execution] == str(tmp_path / f"{name}-{identity}.json")
    assert everstep("verify", "tests.cli.functions:asking", tmp_path).exit_code == 0
    assert everstep("estimate", tmp_path).exit_code == 0


def test_one_execution_is_exported_by_its_arn(server: Running, open_execution: str, tmp_path: Path) -> None:
    assert everstep("export", open_execution, "--directory", tmp_path, "--endpoint-url", server.url).exit_code == 0

    (file,) = tmp_path.iterdir()
    assert json.loads(file.read_text())["Status"] == "RUNNING"


def test_there_may_be_nothing_to_export(server: Running, tmp_path: Path) -> None:
    options = ("--status", "stopped", "--since", "2030-01-01", "--until", "2031-01-01", "--limit", "3")

    result = everstep("export", "asking", *options, "--directory", tmp_path, "--endpoint-url", server.url)

    assert (result.exit_code, result.stdout) == (0, "asking has no such executions\n")
