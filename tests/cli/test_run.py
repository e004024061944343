"""`everstep run` and `everstep dev`, as processes."""

from __future__ import annotations

import json
import os
import pty
import re
import signal
import socket
import subprocess
import sys
from collections.abc import Callable, Generator, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Final, cast

import psutil
import pytest
from typer.testing import CliRunner

from everstep.cli.app import application
from everstep.client.executions import ExecutionsApi, JsonObject, client_for
from tests.docs.snippets import ROOT
from tests.server.running import until

COMMAND: Final = [sys.executable, "-m", "everstep.cli.main"]
APP: Final = """
from everstep import DurableContext, durable

@durable
async def order(event: str, ctx: DurableContext) -> str:
    async def charge() -> str:
        return "payment 1"
    payment = await ctx.step(charge, name="charge")
    ctx.logger.warning("asks for approval")
    callback = await ctx.create_callback(name="approval", returns=str)
    return f"{event}: {payment}, {await callback}"
"""


def run(*arguments: str) -> tuple[int, str, str]:
    result = CliRunner().invoke(application(), ["run", *arguments])
    return result.exit_code, result.stdout, result.stderr


@contextmanager
def process(directory: Path, *arguments: str) -> Generator[tuple[subprocess.Popen[str], Callable[[], str]]]:
    """The command, and what it has printed so far."""
    output = directory / "output.txt"
    with output.open("w") as file:
        environ = {**os.environ, "PYTHONUNBUFFERED": "1"}
        running = subprocess.Popen([*COMMAND, *arguments], cwd=directory, stdout=file, stderr=file, text=True, env=environ)
    try:
        yield running, output.read_text
    finally:
        running.terminate()
        assert running.wait(20) is not None


def test_a_handler_runs_to_its_end() -> None:
    code, shown, _ = run("tests.server.functions:quick", "--input", '{"a": 1}')

    assert code == 0
    assert "StepSucceeded" in shown
    assert '· SUCCEEDED → {"a":1}' in shown


def test_on_a_terminal_the_tree_is_drawn_in_its_place_and_left_there_at_the_end() -> None:
    ours, theirs = pty.openpty()
    command = [*COMMAND, "run", "tests.server.functions:order", "--input", '{"amount": 2}']
    environ = {**os.environ, "TERM": "xterm-256color", "COLUMNS": "100"}
    with subprocess.Popen(command, stdin=theirs, stdout=theirs, stderr=theirs, env=environ, cwd=ROOT) as running:
        os.close(theirs)
        shown = "".join(read_all(ours))

    assert running.returncode == 0
    assert "Wait · \x1b[36mSTARTED\x1b[0m" in shown, "drawn while it waited"
    assert "\x1b[2K" in shown, "a drawing takes the place of the one before it"
    assert "\x1b[32mSUCCEEDED\x1b[0m" in shown.splitlines()[-1]
    assert 'SUCCEEDED\x1b[0m → {"total":8}' in shown


def test_on_a_terminal_the_command_that_answers_a_callback_is_one_line_however_narrow_it_is(tmp_path: Path) -> None:
    (tmp_path / "shop.py").write_text(APP)
    ours, theirs = pty.openpty()
    environ = {**os.environ, "TERM": "xterm-256color", "COLUMNS": "60"}
    command = [*COMMAND, "run", "shop:order", "--input", '"17"']
    shown = ""
    with subprocess.Popen(command, stdin=theirs, stdout=theirs, stderr=theirs, env=environ, cwd=tmp_path) as running:
        os.close(theirs)
        for part in read_all(ours):
            shown += part
            if found := re.search(r"everstep (callback succeed \S+) --result JSON (--endpoint-url http://127.0.0.1:\d+)\r", shown):
                CliRunner().invoke(application(), [*found[1].split(), "--result", '"yes"', *found[2].split()])
                break
        shown += "".join(read_all(ours))

    assert running.returncode == 0, shown


def read_all(terminal: int) -> Iterator[str]:
    """What is written to it, until nobody has it open any more."""
    with suppress(OSError):
        while data := os.read(terminal, 65_536):
            yield data.decode(errors="replace")
    os.close(terminal)


def test_programs_get_the_whole_execution() -> None:
    code, shown, _ = run("tests.server.functions:failing", "--json", "--log-level", "error")

    found = json.loads(shown)
    assert (code, found["Status"], found["Error"]["ErrorMessage"]) == (1, "FAILED", "out of stock")
    assert [operation["Status"] for operation in found["Operations"]] == ["FAILED"]


def test_what_a_handler_prints_does_not_stand_among_the_json() -> None:
    code, shown, errors = run("tests.cli.functions:printing", "--input", '"a"', "--json")

    assert (code, json.loads(shown)["Result"]) == (0, '"a"')
    assert "printed by the handler" in errors


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (("nowhere:handler",), "there is no module 'nowhere'"),
        (("tests/server/functions.py:quick",), "A module is named without .py: tests.server.functions:quick"),
        (("tests.server.functions:plain",), "decorate it with @durable"),
        (("tests.server.functions:quick", "--input", "{"), "is not JSON"),
        (("tests.server.functions:quick", "--store", "nosql://x"), "nosql"),
    ],
)
def test_what_cannot_run_is_said(arguments: tuple[str, ...], said: str) -> None:
    code, _, errors = run(*arguments)

    assert (code, said in errors) == (2, True), errors


def test_a_callback_is_answered_from_outside_and_an_interrupted_run_goes_on(tmp_path: Path) -> None:
    (tmp_path / "shop.py").write_text(APP)
    arguments = ("run", "shop:order", "--input", '"17"', "--store", "sqlite:///run.db", "--name", "first")

    with process(tmp_path, *arguments) as (interrupted, printed):
        until(lambda: "everstep callback succeed" in printed(), "the callback")
        interrupted.send_signal(signal.SIGINT)
        assert interrupted.wait(20) == 130
        assert "it goes on with --store sqlite:///run.db --name first" in printed()
    with process(tmp_path, *arguments) as (running, printed):
        until(lambda: "everstep callback succeed" in printed(), "the callback")
        found = re.search(r"everstep (callback succeed \S+) --result JSON (--endpoint-url \S+)", printed())
        assert found is not None
        answer = CliRunner().invoke(application(), [*found[1].split(), "--result", '"yes"', *found[2].split()])
        assert answer.exit_code == 0, answer.output
        assert running.wait(20) == 0
        assert "17: payment 1, yes" in printed()


def test_code_is_loaded_anew_when_it_changes_and_executions_go_on(tmp_path: Path) -> None:
    app = tmp_path / "shop.py"
    app.write_text(APP)
    with socket.create_server(("127.0.0.1", 0)) as listener:
        port = listener.getsockname()[1]
    api = ExecutionsApi(client_for(f"http://127.0.0.1:{port}", "us-east-1", {"AWS_MAX_ATTEMPTS": "1"}))

    with process(tmp_path, "dev", "shop.py", "--port", str(port)) as (developing, printed):
        until(lambda: printed().count("answers at") == 1, "the first start")
        arn = api.start("order:$LATEST", '"17"')
        until(lambda: "asks for approval" in printed(), "the log")

        app.write_text("import nothing_like_it\n")
        until(lambda: "waits for the code to change" in printed(), "the refusal")
        assert "shop.py does not import:" in printed()
        assert "No module named 'nothing_like_it'" in printed()
        assert "importlib" not in printed()

        app.write_text(APP.replace("{event}:", "new code, {event}:"))
        until(lambda: printed().count("answers at") == 2, "the second start")
        (callback,) = [event for event in api.history(arn) if event["EventType"] == "CallbackStarted"]
        details = cast("JsonObject", callback["CallbackStartedDetails"])
        api.succeed_callback(str(details["CallbackId"]), '"yes"')
        until(lambda: api.describe(arn)["Status"] == "SUCCEEDED", "the end")
        assert api.describe(arn)["Result"] == '"new code, 17: payment 1, yes"'

        developing.send_signal(signal.SIGINT)
        assert developing.wait(20) == 0


def test_a_server_whose_start_is_a_line_of_json_prints_nothing_else_to_standard_output(tmp_path: Path) -> None:
    charging = APP.replace('return "payment 1"', 'print("charged"); return "payment 1"')
    (tmp_path / "shop.py").write_text(f"print('imported')\n{charging}")
    with socket.create_server(("127.0.0.1", 0)) as listener:
        port = listener.getsockname()[1]
    command = [*COMMAND, "dev", "shop.py", "--port", str(port), "--json"]
    with subprocess.Popen(command, cwd=tmp_path, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True) as developing:
        assert developing.stdout is not None
        url = json.loads(developing.stdout.readline())["Url"]
        api = ExecutionsApi(client_for(url, "us-east-1", {"AWS_MAX_ATTEMPTS": "1"}))
        arn = api.start("order:$LATEST", '"17"')
        until(lambda: any(event["EventType"] == "CallbackStarted" for event in api.history(arn)), "the callback")
        developing.send_signal(signal.SIGINT)
        printed, errors = developing.communicate(timeout=20)

    assert printed == ""
    assert "imported\n" in errors
    assert "charged\n" in errors


def test_a_server_ends_with_the_command_that_started_it_even_if_that_is_killed(tmp_path: Path) -> None:
    (tmp_path / "shop.py").write_text(APP)
    with socket.create_server(("127.0.0.1", 0)) as listener:
        port = listener.getsockname()[1]

    with process(tmp_path, "dev", "shop.py", "--port", str(port), "--json") as (developing, printed):
        until(lambda: '"Url"' in printed(), "the start")
        told = next(json.loads(line) for line in printed().splitlines() if line.startswith("{"))
        (serving,) = psutil.Process(developing.pid).children()
        developing.kill()

        assert (told["Url"], told["Functions"]) == (f"http://127.0.0.1:{port}", ["order"])
        assert psutil.wait_procs([serving], timeout=20)[0] == [serving]
    assert "everstep server is stopping" in printed()


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (("no.py",), "there is no file no.py"),
        (("app.txt",), "is no Python file"),
        (("app.py", "--store", "memory://"), "would not survive a reload"),
    ],
)
def test_what_cannot_be_developed_is_said(arguments: tuple[str, ...], said: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    for name in ("app.py", "app.txt"):
        (tmp_path / name).touch()

    result = CliRunner().invoke(application(), ["dev", *arguments])

    assert (result.exit_code, said in result.stderr) == (2, True)
