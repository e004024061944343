"""What the command writes, and which exit codes it has."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from everstep.cli.lint import lint
from everstep.errors import UsageError
from everstep.lint.check import ALL, SUMMARIES, check
from everstep.lint.output import as_github, as_json, as_sarif, as_text
from everstep.lint.settings import settings

SOURCE = """\
from datetime import datetime
from everstep import DurableContext, durable


@durable
async def order(event: str, ctx: DurableContext) -> str:
\tdue = datetime.now()
\treturn f"{event} {due}"
"""


@pytest.fixture
def orders(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A directory with one file that has one finding."""
    monkeypatch.chdir(tmp_path)
    (tmp_path / "shop").mkdir()
    (tmp_path / "shop" / "orders.py").write_text(SOURCE)
    return tmp_path


def test_text_shows_the_line_and_where_in_it() -> None:
    lines = as_text(check(SOURCE, "orders.py")).splitlines()

    assert lines[0].startswith("orders.py:7:8: EVS001 clock: handler code reads the clock with datetime.datetime.now()")
    assert lines[1:] == ["  7 | \tdue = datetime.now()", "    | \t      ^^^^^^^^^^^^^^"]


def test_json_has_everything_that_a_finding_knows() -> None:
    (one,) = json.loads(as_json(check(SOURCE, "orders.py")))

    assert {key: one[key] for key in ("path", "line", "column", "end_line", "end_column", "rule", "name")} == {
        "path": "orders.py",
        "line": 7,
        "column": 8,
        "end_line": 7,
        "end_column": 22,
        "rule": "EVS001",
        "name": "clock",
    }


def test_sarif_names_rules_and_places() -> None:
    log: dict[str, Any] = json.loads(as_sarif(check(SOURCE, "my shop/ä.py")))
    (run,) = log["runs"]
    (result,) = run["results"]

    assert log["version"] == "2.1.0"
    assert [rule["id"] for rule in run["tool"]["driver"]["rules"]] == list(SUMMARIES)
    assert run["tool"]["driver"]["rules"][result["ruleIndex"]]["id"] == result["ruleId"] == "EVS001"
    place = result["locations"][0]["physicalLocation"]
    assert place["artifactLocation"]["uri"] == "my%20shop/%C3%A4.py"
    assert place["region"] == {"startLine": 7, "startColumn": 8, "endLine": 7, "endColumn": 22}


def test_github_gets_commands_in_one_line_each() -> None:
    (line,) = as_github(check(SOURCE, "a,b.py")).splitlines()

    assert line.startswith("::error file=a%2Cb.py,line=7,endLine=7,col=8,endColumn=22,title=EVS001 clock::handler code reads")


def test_findings_are_written_and_counted(orders: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert lint([]) == 1

    written = capsys.readouterr()
    assert written.out.startswith("shop/orders.py:7:8: EVS001")
    assert written.err == "everstep lint: 1 finding in 1 file\n"


@pytest.mark.parametrize(
    ("arguments", "code"),
    [
        (["--select", "EVS002"], 0),
        (["--select", "clock,chance"], 1),
        (["--ignore", "clock"], 0),
        (["--exclude", "shop"], 0),
        (["--exclude", "*/orders.py"], 0),
        (["--exclude", "shop", "shop/orders.py"], 0),
        (["shop/orders.py", "shop", "."], 1),
        (["--select", "EVS999"], 2),
        (["elsewhere"], 2),
        (["--config", "none.toml"], 2),
        (["--rules"], 0),
    ],
)
def test_exit_codes(orders: Path, arguments: list[str], code: int, capsys: pytest.CaptureFixture[str]) -> None:
    assert lint(arguments) == code


@pytest.mark.parametrize(
    ("table", "code"),
    [
        ('ignore = ["clock"]', 0),
        ('exclude = ["shop"]', 0),
        ('select = ["EVS002", "EVS003"]', 0),
        ('ignore = ["EVS002"]', 1),
        ('ignore = ["watch"]', 2),
        ('ignore = "clock"', 2),
        ('ingore = ["clock"]', 2),
        ("ignore = [", 2),
    ],
)
def test_settings_come_from_the_nearest_pyproject(
    orders: Path, monkeypatch: pytest.MonkeyPatch, table: str, code: int, capsys: pytest.CaptureFixture[str]
) -> None:
    (orders / "pyproject.toml").write_text(f"[tool.everstep.lint]\n{table}\n")
    assert lint([]) == code

    monkeypatch.chdir(orders / "shop")
    assert lint([]) == code


def test_options_go_before_settings() -> None:
    chosen = settings('[tool.everstep.lint]\nselect = ["EVS001"]\nignore = ["EVS002"]', select=["EVS002", "ids"], ignore=[])

    assert chosen.selected == {"EVS002", "EVS003"}
    assert settings().selected == ALL


def test_a_setting_that_is_wrong_says_what_there_is() -> None:
    with pytest.raises(UsageError, match="there are select, ignore, exclude"):
        settings("[tool.everstep.lint]\nfix = true")


def test_a_file_that_is_named_twice_is_read_once(orders: Path, capsys: pytest.CaptureFixture[str]) -> None:
    lint(["shop/orders.py", "shop", "./shop/orders.py"])

    assert "1 finding in 1 file" in capsys.readouterr().err


def test_hidden_and_installed_code_is_left_out(orders: Path, capsys: pytest.CaptureFixture[str]) -> None:
    for place in (".venv", "build", "node_modules"):
        (orders / place).mkdir()
        (orders / place / "orders.py").write_text(SOURCE)

    lint([])

    assert "in 1 file" in capsys.readouterr().err


WITHOUT_EXTRAS = "import sys; sys.modules.update(dict.fromkeys(['typer', 'starlette', 'uvicorn'])); "


def command(*arguments: str, source: str = "") -> subprocess.CompletedProcess[str]:
    """The command in a process that has none of the server's libraries."""
    run = [sys.executable, "-c", f"{WITHOUT_EXTRAS}from everstep.cli.main import main; main()", *arguments]
    return subprocess.run(run, input=source, capture_output=True, text=True, timeout=60, check=False)


def test_the_command_needs_no_extra_and_reads_standard_input() -> None:
    ran = command("lint", "-", "--stdin-filename", "shop/orders.py", source=SOURCE)

    assert (ran.returncode, ran.stdout[:24]) == (1, "shop/orders.py:7:8: EVS0")


def test_flake8_reports_what_the_command_does(orders: Path) -> None:
    allowed = SOURCE.replace("now()", "now()  # everstep: allow[EVS001] for the log")
    (orders / "shop" / "allowed.py").write_text(allowed)

    ran = subprocess.run([sys.executable, "-m", "flake8", "--select", "EVS", "."], capture_output=True, text=True, timeout=60, check=False)

    assert ran.stderr == ""
    (line,) = ran.stdout.splitlines()
    assert line.startswith("./shop/orders.py:7:8: EVS001 handler code reads the clock")


def test_the_hook_of_pre_commit_runs_the_command() -> None:
    hook = (Path(__file__).parents[2] / ".pre-commit-hooks.yaml").read_text()

    assert "id: everstep-lint\n" in hook
    assert "entry: everstep lint\n" in hook
