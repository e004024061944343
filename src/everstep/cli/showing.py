"""What is shown on a terminal: colours by status, times as people say them, JSON for programs.

Rule: whatever is said in colours is said in words as well; programs get the exact values, people those that matter.
"""

from __future__ import annotations

import sys
import time
from collections.abc import Generator, Iterable
from contextlib import contextmanager, redirect_stdout
from datetime import timedelta
from typing import TYPE_CHECKING, Final, TextIO

import msgspec
from rich.console import Console
from rich.text import Text

if TYPE_CHECKING:
    from everstep.testing.drawing import Line
    from everstep.testing.records import RecordedExecution

STYLES: Final = {
    "SUCCEEDED": "green",
    "FAILED": "red",
    "TIMED_OUT": "red",
    "STOPPED": "magenta",
    "CANCELLED": "dim",
    "PENDING": "yellow",
    "PAUSED": "yellow",
    "PAUSING": "yellow",
    "RUNNING": "cyan",
    "STARTED": "cyan",
    "READY": "cyan",
    "DELETING": "dim",
}
_AS_WIDE_AS_NEEDED: Final = 10_000
_TO_BE_EXACT_S: Final = 9.95
_UNITS: Final = ((86_400, "d"), (3_600, "h"), (60, "m"))


def console() -> Console:
    """The terminal, or whatever stands in its place. What is piped is not wrapped, and a table is as wide as it needs to be."""
    if sys.stdout.isatty():
        return Console(highlight=False, markup=False)
    return Console(highlight=False, markup=False, soft_wrap=True, width=_AS_WIDE_AS_NEEDED)


def tree(lines: Iterable[Line]) -> Text:
    """A tree of operations, each line's status in its colour."""
    return Text("\n").join(outcome(line.status, line.text) for line in lines)


def outcome(name: str, line: str) -> Text:
    """A line that says a status, which stands out in its colour."""
    text = Text(line)
    text.highlight_words([name], STYLES.get(name, ""))
    return text


def status(name: str) -> Text:
    return Text(name, STYLES.get(name, ""))


def ago(at_ms: float) -> str:
    """How long ago that was, or in how long it will be."""
    seconds = time.time() - at_ms / 1000
    return f"in {span(round(-seconds))}" if seconds <= -1 else f"{span(round(max(seconds, 0)))} ago"


def span(seconds: float | timedelta) -> str:
    """A length of time, with two units at the most; a float of less than ten seconds as exactly as it says something."""
    exact = seconds.total_seconds() if isinstance(seconds, timedelta) else seconds
    if isinstance(exact, float) and 0 < exact < _TO_BE_EXACT_S:
        return f"{exact:.1f}s" if exact >= 1 else f"{round(exact * 1_000)}ms"
    left = round(exact)
    for size, unit in _UNITS:
        if left >= size:
            below = next((one for one in ((3_600, "h"), (60, "m"), (1, "s")) if one[0] < size), (1, "s"))
            rest = left % size // below[0]
            return f"{left // size}{unit}" + (f" {rest}{below[1]}" if rest else "")
    return f"{left}s"


def timeline(record: RecordedExecution[str | None]) -> str:
    """Its events, one a line, each with when it happened after the start, to the millisecond."""
    from everstep.testing.drawing import timeline

    return timeline(record.events, _to_the_millisecond)


def _to_the_millisecond(time: timedelta) -> str:
    whole = timedelta(days=time.days, seconds=time.seconds)
    return f"{whole}.{time.microseconds // 1_000:03}"


def print_json(value: object) -> None:
    sys.stdout.write(msgspec.json.format(msgspec.json.encode(value), indent=2).decode() + "\n")


def print_json_line(value: object, output: TextIO | None = None) -> None:
    """A line of its own, and at once, for what comes piece by piece. output: standard output, unless said."""
    to = sys.stdout if output is None else output
    to.write(msgspec.json.encode(value).decode() + "\n")
    to.flush()


@contextmanager
def prints_aside() -> Generator[TextIO]:
    """While the block runs, what handlers print goes to standard error. Yields standard output, which is for JSON alone then."""
    output = sys.stdout
    with redirect_stdout(sys.stderr):
        yield output
