"""Executions as text: a tree of operations, a timeline of events.

Rule: pure; what is drawn is read from the record.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from datetime import timedelta
from typing import TYPE_CHECKING, Final, NamedTuple, TypeAlias, cast

from everstep.protocol.shapes import ErrorObject

if TYPE_CHECKING:
    from everstep.testing.records import RecordedExecution, RecordedOperation

_MOST_SHOWN: Final = 80
"""Characters of a result."""


def outcome_line(status: str, text: str | None, error: ErrorObject | None) -> str:
    """ "SUCCEEDED → 42", "FAILED: ValueError: no"."""
    if error is not None:
        said = ": ".join(part for part in (error.error_type, error.error_message) if part)
        return f"{status}: {said}" if said else status
    if text and text != "null":
        return f"{status} → {text if len(text) <= _MOST_SHOWN else f'{text[:_MOST_SHOWN]}… ({len(text):,} characters)'}"
    return status


Where: TypeAlias = Mapping[tuple[str, str], str]
"""Places in the handler's code, by the sub-type and the name of the operations that are called there."""


class Line(NamedTuple):
    """A line of a tree. status: of what it shows, for those who colour it."""

    status: str
    text: str


def tree(execution: RecordedExecution[object], top: Sequence[RecordedOperation], where: Where) -> Iterator[Line]:
    after = f" after {roughly(execution.took)}" if execution.ended_at is not None else ""
    outcome = outcome_line(execution.status, execution.text, execution.error)
    yield Line(execution.status, f"{execution.name} · {outcome}{after}")
    yield from _branches(top, "", where)


def _branches(operations: Sequence[RecordedOperation], indent: str, where: Where) -> Iterator[Line]:
    for number, operation in enumerate(operations, 1):
        is_last = number == len(operations)
        attempts = f" · {operation.attempts} attempts" if operation.attempts > 1 else ""
        waited = f" · {roughly(operation.took)}" if operation.type == "WAIT" and operation.ended_at is not None else ""
        outcome = outcome_line(operation.status, None if operation.type == "CONTEXT" else operation.text, operation.error)
        place = where.get((operation.sub_type or "", operation.name or ""))
        called = f" · {place}" if place else ""
        what = f"{operation.label}{waited}{attempts}{_progress(operation)}"
        yield Line(operation.status, f"{indent}{'└─' if is_last else '├─'} {what} · {outcome}{called}")
        yield from _branches(operation.children, indent + ("   " if is_last else "│  "), where)


def _progress(operation: RecordedOperation) -> str:
    """Of an open map or parallel: how many of the branches that began have ended."""
    if operation.sub_type not in ("Map", "Parallel") or operation.ended_at is not None or not operation.children:
        return ""
    ended = sum(child.ended_at is not None for child in operation.children)
    return f" · {ended} of {len(operation.children)} begun"


def timeline(events: Sequence[Mapping[str, object]], write: Callable[[timedelta], object] | None = None) -> str:
    """write: how long after the start an event happened; to the second, unless said."""
    write = write or roughly
    began = _time(events[0]) if events else 0
    return "\n".join(f"{write(timedelta(milliseconds=_time(event) - began))!s:>20}  {_told(event)}" for event in events)


def _told(event: Mapping[str, object]) -> str:
    kind = str(event["EventType"])
    words = [kind, str(event["Name"])] if "Name" in event and not kind.startswith("Execution") else [kind]
    details = cast("Mapping[str, object]", event.get(f"{kind}Details", {}))
    retry = cast("Mapping[str, object]", details.get("RetryDetails", {}))
    if "NextAttemptDelaySeconds" in retry:
        words.append(f"(attempt {retry['CurrentAttempt']}, the next in {retry['NextAttemptDelaySeconds']} s)")
    return " ".join(words)


def _time(event: Mapping[str, object]) -> float:
    at = event["EventTimestamp"]
    assert isinstance(at, int | float)
    return at


def roughly(time: timedelta) -> timedelta:
    """To the second."""
    return timedelta(seconds=round(time.total_seconds()))
