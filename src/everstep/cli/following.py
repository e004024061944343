"""An execution as it goes on: what is new is read again and again until it ends, and shown as it changes.

Rule: on a terminal the tree of operations is drawn anew in its place, and how callbacks are answered stands above it. Elsewhere each event
is a line, written once, when it is there.
"""

from __future__ import annotations

import sys
import time
from collections.abc import Callable, Generator, Iterable, Iterator, Sequence
from contextlib import contextmanager
from typing import TYPE_CHECKING, Final, TypeAlias, cast

import typer

from everstep.cli import showing
from everstep.cli.telling import waiting
from everstep.protocol.shapes import ExecutionStatus

if TYPE_CHECKING:
    from everstep.client.executions import ExecutionsApi, JsonObject
    from everstep.testing.records import RecordedExecution

FIRST_PAUSE_S: Final = 0.1
LONGEST_PAUSE_S: Final = 2.0
_OPEN: Final = frozenset({"RUNNING", "PAUSING", "PAUSED"})

Record: TypeAlias = "RecordedExecution[str | None]"
Show: TypeAlias = Callable[[Record, str | None], None]
"""Is told what is recorded, whenever that has changed, and where its callbacks are to be answered, if that is not to be guessed."""


def record_of(api: ExecutionsApi, arn: str) -> Record:
    """The execution as it is recorded now. Raises ServiceError, UsageError."""
    status = _status(api, arn)
    return _record(arn, status, api.history(arn))


def _status(api: ExecutionsApi, arn: str) -> ExecutionStatus:
    return cast("ExecutionStatus", api.describe(arn)["Status"])


def _record(arn: str, status: ExecutionStatus, events: Sequence[JsonObject]) -> Record:
    """status: as it was before the events were read."""
    from everstep.testing.from_history import recorded

    record = recorded(arn, events, decode=lambda text: text, read=lambda text, _: text)
    if record.ended_at is None and status in _OPEN:  # whether it is paused is not to be seen in its history
        record.status = status
    return record


def follow(api: ExecutionsApi, arn: str, *, show: Show, url: str | None = None) -> Record:
    """Show the execution until it ends. Returns what is recorded then. url: where callbacks are to be answered. Raises ServiceError."""
    events: list[JsonObject] = []
    shown: ExecutionStatus | None = None
    pause_s = FIRST_PAUSE_S
    while True:
        status = _status(api, arn)
        new = api.history(arn, after=cast("int", events[-1]["EventId"]) if events else 0)
        events += new
        if new or status != shown:
            record, shown = _record(arn, status, events), status
            show(record, url)
            if record.ended_at is not None:
                return record
        time.sleep(pause_s)
        pause_s = FIRST_PAUSE_S if new else min(pause_s * 1.5, LONGEST_PAUSE_S)


@contextmanager
def shown() -> Generator[Show]:
    """On a terminal the tree, in its place, below a line for each callback that waits; elsewhere a line for each event as well."""
    if not sys.stdout.isatty():
        yield Lines()
        return
    from rich.live import Live

    told: set[str] = set()
    with Live(console=showing.console(), auto_refresh=False, transient=True) as live:

        def show(record: Record, url: str | None) -> None:
            for line in _untold(waiting(record, url), told):
                live.console.print(line, soft_wrap=True)  # as one line, to be copied
            live.update(showing.tree(record.lines()), refresh=True)

        yield show


def _untold(lines: Iterable[str], told: set[str]) -> Iterator[str]:
    """Those that are not among the told ones, where they then are."""
    for line in lines:
        if line not in told:
            told.add(line)
            yield line


class Lines:
    """Each event, and each callback that waits, as a line, once."""

    def __init__(self) -> None:
        self._events = 0
        self._callbacks: set[str] = set()

    def __call__(self, record: Record, url: str | None) -> None:
        for line in showing.timeline(record).splitlines()[self._events :]:
            typer.echo(line)
        self._events = len(record.events)
        for line in _untold(waiting(record, url), self._callbacks):
            typer.echo(line)


class Objects:
    """Each event as a JSON object on a line, once."""

    def __init__(self) -> None:
        self._events = 0

    def __call__(self, record: Record, url: str | None) -> None:
        for event in record.events[self._events :]:
            showing.print_json_line(event)
        self._events = len(record.events)


def finish(api: ExecutionsApi, arn: str, *, as_json: bool) -> typer.Exit:
    """Follow to the end, show the outcome, and return how the command exits: 0 if it succeeded, 1 if not."""
    if as_json:
        record = follow(api, arn, show=Objects())
    else:
        with shown() as show:
            record = follow(api, arn, show=show)
        showing.console().print(showing.tree(record.lines()))
    return typer.Exit(0 if record.status == "SUCCEEDED" else 1)


def in_full(description: JsonObject, record: Record) -> dict[str, object]:
    """The execution for programs: what GetDurableExecution says, and its operations, in the API's form."""
    from everstep.server.wire import operations_in_seconds

    return {**description, "Operations": operations_in_seconds(one for one in record.recorded if one.type != "EXECUTION")}
