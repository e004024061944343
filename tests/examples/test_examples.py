"""Every example on the real embedded service, in virtual time; and that none is without a row, a word in the index, a program."""

from __future__ import annotations

import importlib
import logging
import runpy
import sys
from datetime import timedelta
from pathlib import Path

import pytest

import examples
from tests.examples.checklist import CHECKLIST
from tests.examples.row import Row, told
from tests.examples.rows import TABLE

FOLDER = Path(examples.__file__).parent
MODULES = sorted(".".join(path.relative_to(FOLDER).with_suffix("").parts) for path in FOLDER.glob("*/*.py") if path.stem != "__init__")


@pytest.mark.parametrize("warm", [True, False], ids=["warm", "cold"])
@pytest.mark.parametrize("row", TABLE, ids=lambda row: row.id)
def test_an_example_comes_to_what_its_row_says(row: Row, warm: bool, monkeypatch: pytest.MonkeyPatch) -> None:
    """cold: every resume replays."""
    for durable in row.durables:
        monkeypatch.setattr(durable, "warm_executions", 256 if warm else 0)

    played = row.play()

    failure = played.failure and (played.failure.error_type, played.failure.message)
    assert (failure, played.result) == (row.failure, row.result)
    assert told(played.operations) == row.operations
    if row.took is not None:
        assert timedelta(seconds=round(played.took.total_seconds())) == row.took


@pytest.mark.filterwarnings("ignore:.* found in sys.modules:RuntimeWarning")
@pytest.mark.parametrize("module", MODULES)
def test_an_example_is_a_program(module: str, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sys, "argv", [module])

    runpy.run_module(f"examples.{module}", run_name="__main__", alter_sys=True)

    result, after = capsys.readouterr().out.splitlines()
    assert result
    assert after.startswith("(after ")


@pytest.mark.parametrize("module", MODULES)
def test_an_example_says_what_it_shows(module: str) -> None:
    text = importlib.import_module(f"examples.{module}").__doc__ or ""

    assert len(text.splitlines()[0]) > 20


def test_every_example_has_a_row() -> None:
    assert sorted({row.module.removeprefix("examples.") for row in TABLE}) == MODULES


def test_rows_can_be_told_apart() -> None:
    ids = [row.id for row in TABLE]

    assert sorted(ids) == sorted(set(ids))


def test_the_checklist_is_covered() -> None:
    assert len(CHECKLIST) == 80
    assert set(CHECKLIST.values()) <= set(MODULES)


def test_the_index_names_every_example_and_no_other() -> None:
    index = [line.split("`")[1] for line in (FOLDER / "README.md").read_text().splitlines() if line.startswith("- [`")]

    assert sorted(index) == sorted(module.replace(".", "/") + ".py" for module in MODULES)


def test_handler_code_that_is_replayed_does_not_log_again(caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.INFO)
    (row,) = (row for row in TABLE if row.module == "examples.logs.custom_logger")

    row.play()

    lines = [(record.name, record.getMessage()) for record in caplog.records if record.name in ("everstep.handler", "darkroom")]
    ordinary = ("darkroom", "an ordinary logger speaks again on every replay")
    assert [line for line in lines if line != ordinary] == [
        ("everstep.handler", "film 36 came in"),
        ("everstep.handler", "in the bath"),
        ("everstep.handler", "film 36 is dry"),
    ]
    assert lines.count(ordinary) == 2
    assert [vars(record).get("operationName") for record in caplog.records if record.getMessage() == "in the bath"] == ["develop"]


def test_an_eager_record_shows_a_step_while_it_runs() -> None:
    (row,) = (row for row in TABLE if row.module == "examples.advanced.checkpointing_eager")

    history = row.play().history

    began = [event["EventTimestamp"] for event in history if event["EventType"] == "StepStarted"]
    ended = [event["EventTimestamp"] for event in history if event["EventType"] == "StepSucceeded"]
    assert [int(str(end)) - int(str(begin)) for begin, end in zip(began, ended, strict=True)] == [1000, 1000]


def test_a_result_above_the_limit_of_contexts_is_not_recorded() -> None:
    (row,) = (row for row in TABLE if row.module == "examples.child_context.checkpoint_size_limit")

    history = row.play().history

    sizes = {event["Name"]: len(str(event["ContextSucceededDetails"])) for event in history if event["EventType"] == "ContextSucceeded"}
    assert {name: size > 262_000 for name, size in sizes.items()} == {"limit -1": True, "limit +0": True, "limit +1": False}


def test_what_stages_encrypt_can_not_be_read_in_the_history() -> None:
    (row,) = (row for row in TABLE if row.module == "examples.serde.stages")

    (recorded,) = (event for event in row.play().history if event["EventType"] == "StepSucceeded")

    assert "aes-256-gcm" in str(recorded)
    assert "broken leg" not in str(recorded)


def test_operations_are_told_in_short() -> None:
    operations = ["Step a", "Step a", "Step lamp 0", "Step lamp 1", "Step lamp 2", "Step lamp 4", "Step lamp 5", "Wait", "Step lamp 6"]

    assert told(operations) == ["2 x Step a", "Step lamp 0 to 2", "Step lamp 4 to 5", "Wait", "Step lamp 6"]
