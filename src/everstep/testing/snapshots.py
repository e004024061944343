"""Histories as files that a test compares: what `GetDurableExecutionHistory` answers, so other tools read them as well.

Rule: what no test can hold still (times, ids of requests, the delay that jitter chose, lines of stack traces) is in the file,
and is not compared.
"""

from __future__ import annotations

import difflib
import json
from collections.abc import Sequence
from pathlib import Path
from typing import Final, TypeAlias, cast

from everstep.errors import UsageError
from everstep.testing.records import RecordedExecution

UPDATE_OPTION: Final = "--everstep-update-snapshots"
JsonValue: TypeAlias = "bool | int | float | str | list[JsonValue] | dict[str, JsonValue] | None"
_NOT_COMPARED: Final = frozenset({"EventTimestamp", "RequestId", "CallbackId", "StackTrace", "NextAttemptDelaySeconds"})


def history_json(execution: RecordedExecution[object]) -> str:
    """The history as a file. Timestamps are seconds, as on the wire."""
    history = {
        "DurableExecutionArn": execution.arn,
        "Status": execution.status,
        "Events": [_in_seconds(cast("JsonValue", event)) for event in execution.events],
    }
    return json.dumps(history, indent=1, ensure_ascii=False) + "\n"


def compare(execution: RecordedExecution[object], path: Path, *, is_updated: bool) -> None:
    """Fail if the history is another than the file's. is_updated: write the file instead, if it is another."""
    new = history_json(execution)
    difference = _difference(path.read_text(encoding="utf-8"), new) if path.is_file() else None
    if difference == []:
        return
    if is_updated:
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(new, encoding="utf-8")
        return
    if difference is None:
        raise AssertionError(f"there is no snapshot {path} yet: run pytest with {UPDATE_OPTION} to write it")
    shown = "\n".join(difference)
    raise AssertionError(f"the history is another than in {path}; if it is meant to be, run pytest with {UPDATE_OPTION}:\n{shown}")


def _difference(old: str, new: str) -> list[str]:
    try:
        was, now = json.loads(old)["Events"], json.loads(new)["Events"]
    except (ValueError, KeyError, TypeError) as error:
        raise UsageError(f"the snapshot is no history ({error}); delete it and run pytest with {UPDATE_OPTION}") from None
    return list(difflib.unified_diff(_lines(was), _lines(now), "snapshot", "recorded", lineterm="", n=4))


def _lines(events: Sequence[JsonValue]) -> list[str]:
    return [json.dumps(_held_still(event), ensure_ascii=False) for event in events]


def _held_still(value: JsonValue) -> JsonValue:
    if isinstance(value, dict):
        kept = {key: member for key, member in value.items() if key not in _NOT_COMPARED and not key.endswith("Timestamp")}
        return {key: _held_still(member) for key, member in kept.items()}
    return [_held_still(member) for member in value] if isinstance(value, list) else value


def _in_seconds(value: JsonValue, name: str = "") -> JsonValue:
    """With timestamps as they are on the wire. name: of the member that has the value."""
    if isinstance(value, dict):
        return {key: _in_seconds(member, key) for key, member in value.items()}
    return value / 1000 if isinstance(value, int | float) and name.endswith("Timestamp") else value
