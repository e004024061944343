"""The commands about executions, against a server over HTTP."""

from __future__ import annotations

import json
import os
import pty
import re
import subprocess
import sys
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path
from typing import Any

import pytest
from typer.testing import CliRunner, Result

from everstep.cli.app import application
from tests.server.running import HERE, Running, declared, events_of, running, status_of, until


@pytest.fixture(scope="module")
def server() -> Iterator[Running]:
    functions = [declared(name, handler=f"{HERE}:{name}") for name in ("approval", "quick", "failing", "order")]
    with running([*functions, declared("plain", handler=f"{HERE}:plain")]) as server:
        yield server


class Command:
    """`everstep` against the server."""

    def __init__(self, url: str) -> None:
        self.environ = {"AWS_ENDPOINT_URL_LAMBDA": url, "AWS_MAX_ATTEMPTS": "1", "COLUMNS": "200"}

    def __call__(self, *arguments: str | Path, stdin: str | None = None) -> Result:
        return CliRunner().invoke(application(), [str(one) for one in arguments], input=stdin, env=self.environ)

    def fine(self, *arguments: str | Path, stdin: str | None = None) -> str:
        """What it prints."""
        result = self(*arguments, stdin=stdin)
        assert result.exit_code == 0, result.output
        return result.stdout

    def parsed(self, *arguments: str | Path) -> Any:
        return json.loads(self.fine(*arguments, "--json"))


@pytest.fixture
def everstep(server: Running, monkeypatch: pytest.MonkeyPatch) -> Command:
    for name in ("AWS_PROFILE", "AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY"):
        monkeypatch.delenv(name, raising=False)
    return Command(server.url)


@pytest.fixture
def waiting(server: Running, everstep: Command) -> str:
    """The ARN of an execution that waits for a callback."""
    arn = everstep.fine("start", "approval").strip()
    until(lambda: any(event["EventType"] == "CallbackStarted" for event in events_of(server.client, arn)), "the callback")
    return arn


def id_of(arn: str) -> str:
    return arn.rpartition("/")[2]


def callback_of(everstep: Command, arn: str) -> str:
    found = re.search(r"everstep callback succeed (\S+)", everstep.fine("show", arn))
    assert found is not None
    return found[1]


def test_an_execution_is_started_with_its_input_and_waited_for(everstep: Command) -> None:
    shown = everstep.fine("start", "quick", "--input", '{"a": 1}', "--name", "first", "--wait")

    assert shown.startswith("arn:aws:lambda:")
    assert "ExecutionSucceeded" in shown
    assert 'first · SUCCEEDED → {"a":1}' in shown


def test_input_comes_from_a_file_or_from_standard_input(everstep: Command, tmp_path: Path) -> None:
    (tmp_path / "input.json").write_text('["from a file"]')

    assert '["from a file"]' in everstep.fine("start", "quick", "--input", f"@{tmp_path / 'input.json'}", "--wait")
    assert '["from outside"]' in everstep.fine("start", "quick", "--input", "-", "--wait", stdin='["from outside"]')


def test_a_name_starts_one_execution(everstep: Command) -> None:
    first = everstep.parsed("start", "quick", "--name", "once")

    assert everstep.parsed("start", "quick", "--name", "once") == first


def test_waiting_for_one_that_fails_is_a_failure(everstep: Command) -> None:
    result = everstep("start", "failing", "--wait")

    assert result.exit_code == 1
    assert "ValueError: out of stock" in result.stdout


def test_one_execution_is_shown_by_its_arn_its_id_and_its_name(everstep: Command, waiting: str) -> None:
    shown = everstep.fine("show", waiting, "--timeline")
    assert "└─ Callback approval · STARTED · tests/server/functions.py:" in shown
    assert "CallbackStarted approval" in shown
    name, identity = waiting.split("/")[-2:]
    for arguments in ([identity[:13]], [identity[:13], "--function", "approval"], [name, "--function", "approval"]):
        assert f"arn      {waiting}" in everstep.fine("show", *arguments)


def test_programs_are_shown_the_exact_values(everstep: Command, waiting: str) -> None:
    found = everstep.parsed("show", waiting)

    assert (found["DurableExecutionArn"], found["Status"]) == (waiting, "RUNNING")
    assert [operation["Name"] for operation in found["Operations"]] == ["approval"]
    assert found["Operations"][0]["StartTimestamp"] >= found["StartTimestamp"]


def test_errors_are_shown_where_they_began(everstep: Command) -> None:
    arn = everstep("start", "failing", "--wait").stdout.splitlines()[0]

    assert "error    Step fail: " in everstep.fine("show", arn)


def test_executions_are_listed_with_those_started_last_first(everstep: Command, waiting: str) -> None:
    ended = everstep.fine("start", "quick", "--name", "listed", "--wait").splitlines()[0]

    listed = everstep.parsed("list", "--since", "1h", "--limit", "2")
    assert [one["DurableExecutionArn"] for one in listed] == [ended, waiting]
    assert [one["DurableExecutionArn"] for one in everstep.parsed("list", "quick", "--name", "listed")] == [ended]
    assert everstep.parsed("list", "quick", "--status", "running") == []
    assert ended not in {one["DurableExecutionArn"] for one in everstep.parsed("list", "--status", "running", "--status", "failed")}
    assert everstep.parsed("list", "--until", "1h") == []
    row = next(line for line in everstep.fine("list", "quick").splitlines() if "listed" in line)
    assert row.split()[:4] == ["SUCCEEDED", "quick", "listed", id_of(ended)[:8]]


def test_two_executions_are_compared(everstep: Command) -> None:
    one, other, again = (everstep.fine("start", "order", "--input", f'{{"amount": {amount}}}', "--wait").split()[0] for amount in (1, 2, 1))

    shown = everstep.fine("compare", id_of(one), other)
    parsed = everstep.parsed("compare", one, other)

    assert "the executions differ in input, result" in shown
    assert "first difference: double, in result" in shown
    assert not any("Wait" in line for line in shown.splitlines())
    assert any("Wait" in line for line in everstep.fine("compare", one, other, "--all").splitlines())
    assert [(pair["Path"], pair["Verdict"], pair["DiffersIn"]) for pair in parsed["Operations"]] == [
        ("double", "DIFFERS", ["RESULT"]),
        ("Wait", "SAME", []),
        ("double#2", "DIFFERS", ["RESULT"]),
    ]
    assert parsed["FirstDifference"] == "double"
    assert parsed["Operations"][0]["Left"]["StepDetails"]["Result"] == "2"
    assert parsed["Right"]["DurableExecutionArn"] == other
    assert everstep.parsed("compare", one, again)["FirstDifference"] is None


def test_executions_are_found_by_what_they_wait_for_and_what_they_failed_with(everstep: Command, waiting: str) -> None:
    failed = everstep("start", "failing", "--wait").stdout.splitlines()[0]

    assert waiting in {one["DurableExecutionArn"] for one in everstep.parsed("list", "--waiting", "approval")}
    assert everstep.parsed("list", "--waiting", "approval", "--waiting-type", "wait") == []
    row = next(line for line in everstep.fine("list", "approval", "--waiting-type", "callback").splitlines() if id_of(waiting)[:8] in line)
    assert "Callback approval" in row
    assert failed in {one["DurableExecutionArn"] for one in everstep.parsed("list", "failing", "--error-type", "ValueError")}
    assert everstep.parsed("list", "quick", "--error-type", "ValueError") == []


def test_a_history_can_be_estimated(everstep: Command, waiting: str, tmp_path: Path) -> None:
    assert "CallbackStarted approval" in everstep.fine("history", waiting)
    (tmp_path / "history.json").write_text(everstep.fine("history", waiting, "--json"))

    assert "operations of 3,000" in everstep.fine("estimate", tmp_path)


def test_a_callback_is_answered_and_the_end_is_watched(everstep: Command, waiting: str) -> None:
    callback_id = callback_of(everstep, waiting)
    assert everstep.parsed("callback", "heartbeat", callback_id)["Outcome"] == "alive"
    everstep.fine("callback", "succeed", callback_id, "--result", '{"by": "Ann"}')

    events = [json.loads(line) for line in everstep.fine("watch", waiting, "--json").splitlines()]

    assert [event["EventId"] for event in events] == list(range(1, len(events) + 1))
    assert events[-1]["EventType"] == "ExecutionSucceeded"
    too_late = everstep("callback", "succeed", callback_id, "--text", "again")
    assert (too_late.exit_code, "CallbackTimeoutException" in too_late.stderr) == (1, True)


def test_a_callback_that_fails_fails_the_execution(everstep: Command, waiting: str) -> None:
    everstep.fine("callback", "fail", callback_of(everstep, waiting), "--message", "no budget", "--type", "Refused")

    result = everstep("watch", waiting)

    assert (result.exit_code, "Refused: no budget" in result.stdout) == (1, True)


def test_several_executions_are_acted_on_at_once(everstep: Command) -> None:
    arns = [everstep.fine("start", "approval").strip() for _ in range(3)]
    listed = "".join(f"{arn}\n" for arn in arns)

    asked = everstep("pause", *arns)
    paused = everstep("pause", "-", "--yes", "--json", stdin=listed)
    everstep.fine("stop", arns[0])
    refused = everstep("resume", "-", "-y", stdin=listed)

    assert (asked.exit_code, "say --yes" in asked.stderr) == (2, True)
    assert [json.loads(line) for line in paused.stdout.splitlines()] == [{"DurableExecutionArn": arn, "Status": "PAUSED"} for arn in arns]
    assert refused.exit_code == 1
    assert "1 of 3 were refused" in refused.stderr
    assert refused.stdout.splitlines() == [f"{arn} is RUNNING" for arn in arns[1:]]
    assert set(arns[1:]) <= set(everstep.fine("list", "approval", "--status", "running", "--all", "--arns").splitlines())
    everstep.fine("stop", "-", "-y", stdin=listed)
    assert (everstep("stop", "-", stdin="").exit_code, everstep("stop", "-", stdin="nonsense").exit_code) == (0, 1)


def test_a_person_is_asked_whether_all_of_several_are_meant(everstep: Command) -> None:
    arns = [everstep.fine("start", "approval").strip() for _ in range(2)]

    def answered(answer: str, *arguments: str, stdin: bytes | None = None) -> str:
        ours, theirs = pty.openpty()
        # The terminal is the process's own, as a shell's is, so that it is found when standard input is a pipe.
        begun = "import os; os.setsid(); os.close(os.open(os.ttyname(2), os.O_RDWR)); from everstep.cli.main import main; main()"
        command, environ = [sys.executable, "-c", begun, *arguments], os.environ | everstep.environ
        piped = theirs if stdin is None else subprocess.PIPE
        with subprocess.Popen(command, stdin=piped, stderr=theirs, stdout=subprocess.DEVNULL, env=environ) as asking:
            os.close(theirs)
            if stdin is not None:
                assert asking.stdin is not None
                asking.stdin.write(stdin)
                asking.stdin.close()
            os.write(ours, f"{answer}\n".encode())
            shown = b""
            with suppress(OSError):
                while data := os.read(ours, 4096):
                    shown += data
        os.close(ours)
        return shown.decode()

    assert "stop these 2 executions? [y/N]" in (shown := answered("n", "stop", *arns))
    assert "nothing was done" in shown
    assert {everstep.parsed("show", arn)["Status"] for arn in arns} == {"RUNNING"}
    answered("y", "stop", "-", stdin="\n".join(arns).encode())
    assert {everstep.parsed("show", arn)["Status"] for arn in arns} == {"STOPPED"}


def test_an_execution_is_run_again_with_its_input(everstep: Command, server: Running) -> None:
    arn = everstep.fine("start", "quick", "--input", '{"a": 5}', "--wait").split()[0]

    again = everstep.parsed("run-again", arn)

    assert again["RunAgainOf"] == arn
    until(lambda: status_of(server.client, again["DurableExecutionArn"]) == "SUCCEEDED", "the end")
    assert everstep.parsed("show", again["DurableExecutionArn"])["Result"] == '{"a":5}'


def test_an_execution_is_paused_resumed_stopped_and_deleted(everstep: Command, server: Running, waiting: str) -> None:
    until(lambda: any(event["EventType"] == "InvocationCompleted" for event in events_of(server.client, waiting)), "the suspension")
    assert everstep.parsed("pause", waiting, "--reason", "a look")["Status"] == "PAUSED"
    assert "· PAUSED" in everstep.fine("show", waiting)
    assert everstep.parsed("resume", waiting)["Status"] == "RUNNING"
    assert everstep.fine("stop", waiting, "--message", "enough", "--type", "Tired") == f"{waiting} is STOPPED\n"
    assert server.client.get_durable_execution(DurableExecutionArn=waiting)["Error"] == {"ErrorMessage": "enough", "ErrorType": "Tired"}
    assert everstep.parsed("delete", waiting)["Status"] in ("DELETING", "DELETED")
    until(lambda: everstep("show", waiting).exit_code == 1, "the deletion")


@pytest.mark.parametrize(
    ("arguments", "code", "said"),
    [
        (("start", "nobody"), 1, "Function not found"),
        (("start", "quick", "--input", "{"), 2, "--input is not JSON"),
        (("start", "quick", "--input", "lamp"), 2, "write it in quotes: '\"lamp\"'"),
        (("start", "quick", "--input", "@no.json"), 2, "no.json cannot be read"),
        (("start", "quick", "--endpoint-url", "http://127.0.0.1:9"), 1, "Nothing answers there: is the server running?"),
        (("start", "quick", "--profile", "nobody"), 2, "the profile nobody cannot be used"),
        (("start",), 2, "Missing argument"),
        (("list", "--status", "gone"), 2, "there is no status 'gone'"),
        (("list", "--waiting-type", "context"), 2, "they wait in STEP, WAIT, CALLBACK, CHAINED_INVOKE"),
        (("list", "order:live", "--waiting", "approval"), 2, "say order without live"),
        (("list", "--since", "yesterday"), 2, "write 30m, 2h or 3d"),
        (("show", "zzzz"), 1, "no function has an execution that is called 'zzzz'"),
        (("show", "zzzz", "--function", "quick"), 1, "see `everstep list quick`"),
        (("callback", "succeed", "x", "--result", "1", "--text", "1"), 2, "not both"),
    ],
)
def test_what_cannot_be_done_is_said(everstep: Command, arguments: tuple[str, ...], code: int, said: str) -> None:
    result = everstep(*arguments)

    assert (result.exit_code, said in result.stderr) == (code, True), result.output


def test_an_execution_is_named_by_its_name_alone(everstep: Command) -> None:
    everstep.fine("start", "quick", "--name", "only-one", "--wait")

    assert everstep.fine("show", "only-one").startswith("only-one · SUCCEEDED")


def test_events_are_told_to_the_millisecond(everstep: Command) -> None:
    arn = everstep("start", "quick", "--wait").stdout.splitlines()[0]

    first, *_ = everstep.fine("history", arn).splitlines()

    assert re.fullmatch(r" +0:00:00\.000  ExecutionStarted", first)


def test_an_execution_is_forked_where_a_step_failed_with_another_result(everstep: Command) -> None:
    arn = everstep("start", "failing", "--wait").stdout.splitlines()[0]

    anew = everstep("fork", arn, "--from", "fail", "--wait")
    assert (anew.exit_code, "ValueError: out of stock" in anew.stdout) == (1, True)
    edited = everstep.fine("fork", arn, "--from", "fail", "--edit-result", "null", "--name", "rescued", "--wait")
    assert "rescued · SUCCEEDED" in edited
    assert everstep.parsed("list", "failing", "--name", "rescued")[0]["Status"] == "SUCCEEDED"


def test_a_fork_begins_at_an_operation_by_its_path_or_its_id(everstep: Command) -> None:
    arn = everstep("start", "order", "--input", '{"amount": 2}', "--wait").stdout.splitlines()[0]
    operations = everstep.parsed("show", arn)["Operations"]

    by_path = everstep.fine("fork", arn, "--from", "double#2", "--edit-result", "100", "--wait")
    assert '· SUCCEEDED → {"total":100}' in by_path
    by_id = everstep.fine("fork", arn, "--from", operations[0]["Id"][:12], "--edit-result", "7", "--wait")
    assert '· SUCCEEDED → {"total":14}' in by_id
