"""Histories are read in every form in which programs print them, and refused where they can't be replayed."""

from __future__ import annotations

import json
from collections.abc import Callable
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest

from everstep.errors import UsageError
from everstep.histories.events import moment_ms
from everstep.histories.reading import files_of, read_recording
from everstep.histories.recording import Recording
from everstep.testing import RecordedExecution, Runner
from everstep.testing.snapshots import JsonValue, history_json
from tests.histories.official import HISTORIES
from tests.testing.handlers import Order, order

AT = datetime(2026, 3, 2, 9, 0, 0, 123000, tzinfo=UTC)
AT_MS = 1772442000123


@pytest.fixture
def execution(durable_runner: Runner) -> RecordedExecution[object]:
    durable_runner.on_callback("approval", returns="yes")
    return durable_runner.run(order, Order("17", 120))


def written(execution: RecordedExecution[object]) -> dict[str, Any]:
    history: dict[str, Any] = json.loads(history_json(execution))
    return history


def mapped(value: JsonValue, timestamp: Callable[[float], JsonValue]) -> JsonValue:
    """The JSON with its timestamps in another form."""
    if isinstance(value, dict):
        return {
            key: timestamp(member) if key.endswith("Timestamp") and isinstance(member, int | float) else mapped(member, timestamp)
            for key, member in value.items()
        }
    return [mapped(member, timestamp) for member in value] if isinstance(value, list) else value


@pytest.mark.parametrize(
    "printed",
    [
        AT_MS,
        AT_MS / 1000,
        "1772442000.123",
        "2026-03-02T09:00:00.123000+00:00",
        "2026-03-02T09:00:00.123Z",
        "2026-03-02 10:00:00.123000+01:00",
        "2026-03-02T09:00:00.123",
    ],
)
def test_a_timestamp_is_read_however_it_was_printed(printed: object) -> None:
    assert moment_ms(printed) == AT_MS


def in_iso(seconds: float) -> str:
    return datetime.fromtimestamp(seconds, UTC).isoformat()


def in_ms(seconds: float) -> int:
    return round(seconds * 1000)


@pytest.mark.parametrize("timestamp", [float, in_ms, in_iso], ids=["seconds", "milliseconds", "ISO 8601"])
def test_what_is_read_is_what_was_recorded(execution: RecordedExecution[object], timestamp: Callable[[float], JsonValue]) -> None:
    text = json.dumps(mapped(written(execution), timestamp))

    recording = read_recording(text, "a file")

    assert (recording.arn, recording.name, recording.status, recording.result) == (
        execution.arn,
        execution.name,
        "SUCCEEDED",
        execution.text,
    )
    assert [_essence(operation) for operation in recording.operations[1:]] == [_essence(operation) for operation in execution.recorded[1:]]


def _essence(operation: Any) -> tuple[object, ...]:
    details = operation.context_details
    kept = None if details is None else (details.result, details.error, bool(details.replay_children))
    return (
        *(operation.id, operation.type, operation.status, operation.start_timestamp, operation.end_timestamp),
        *(operation.name, operation.sub_type, operation.parent_id, operation.step_details, kept),
        *(operation.wait_details, operation.callback_details),
    )


def read(history: object) -> Recording:
    return read_recording(json.dumps(history), "history.json")


def test_pages_and_bare_events_are_read_as_well(execution: RecordedExecution[object]) -> None:
    history = written(execution)
    events = history["Events"]

    whole = read(history)
    assert read(events).operations == whole.operations
    assert read([{"Events": events[:5], "NextMarker": "x"}, {"Events": events[5:]}]).operations == whole.operations
    assert read({"Events": list(reversed(events))}).operations == whole.operations


def test_an_open_execution_is_read_as_such(durable_runner: Runner) -> None:
    execution = durable_runner.start(order, Order("17", 120)).record()

    recording = read(written(execution))

    assert (recording.status, recording.is_open) == ("RUNNING", True)
    (charge,) = [operation for operation in recording.operations if operation.name == "charge"]
    assert charge.status == "PENDING"
    assert charge.step_details is not None
    assert (charge.step_details.attempt, charge.step_details.next_attempt_timestamp) == (1, charge.start_timestamp + 10_000)


def test_results_that_were_too_large_are_known_by_what_was_recorded_instead() -> None:
    recording = read_recording((HISTORIES / "big.json").read_text(), "big.json")

    replayed = {
        operation.name
        for operation in recording.operations
        if operation.context_details is not None and operation.context_details.replay_children
    }

    assert replayed == {"big child", "big map", "map-item-0", "map-item-1"}


def without_data(event: dict[str, Any]) -> dict[str, Any]:
    def left_out(value: JsonValue) -> JsonValue:
        if isinstance(value, dict):
            return {"Truncated": True} if "Truncated" in value else {key: left_out(member) for key, member in value.items()}
        return value

    return {key: left_out(member) for key, member in event.items()}


def test_a_history_without_payloads_says_how_to_export_it(execution: RecordedExecution[object]) -> None:
    events = [without_data(event) for event in written(execution)["Events"]]

    with pytest.raises(UsageError, match=r"history.json was exported without payloads.*everstep export.*--include-execution-data"):
        read({"Events": events})
    with pytest.raises(UsageError, match=r"1 of the \d+ payloads in history.json were cut off"):
        read({"Events": [*written(execution)["Events"][:-1], events[-1]]})


@pytest.mark.parametrize(
    ("found", "said"),
    [
        ({"Events": []}, "begins with nothing instead of ExecutionStarted: export the whole history"),
        ({"Events": [{"EventType": "StepStarted", "EventId": 2, "EventTimestamp": 1}]}, "begins with StepStarted"),
        ({"Events": [], "NextMarker": "more"}, "is a page of a longer history"),
        ({"Events": [{"EventId": 1}]}, "an event has no EventType"),
        ({"Events": [{"EventType": "ExecutionStarted", "EventTimestamp": "noon"}]}, "has no EventTimestamp that can be read"),
        ({"Status": "RUNNING"}, 'is no history: it has Status, and a history has "Events"'),
        ("text", "is no history"),
        ([1], "is no history"),
        ({"InitialExecutionState": {}}, "no DurableExecutionArn"),
    ],
)
def test_what_is_no_history_is_refused(found: object, said: str) -> None:
    with pytest.raises(UsageError, match=r"history\.json") as refused:
        read(found)

    assert said in str(refused.value)


def test_a_file_that_is_no_json_is_refused() -> None:
    with pytest.raises(UsageError, match=r"x\.yaml is not JSON"):
        read_recording("Events:\n- a", "x.yaml")


def test_a_directory_stands_for_the_files_below_it(tmp_path: Path) -> None:
    (tmp_path / "below").mkdir()
    (tmp_path / "below" / "a.json").touch()
    (tmp_path / "b.json").touch()
    (tmp_path / "c.txt").touch()

    assert sorted(path.name for path in files_of([tmp_path])) == ["a.json", "b.json"]
    with pytest.raises(UsageError, match="there is no file"):
        list(files_of([tmp_path / "d.json"]))
    (tmp_path / "empty").mkdir()
    with pytest.raises(UsageError, match=r"there are no \.json files"):
        list(files_of([tmp_path / "empty"]))
