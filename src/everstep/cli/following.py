"""An execution as it goes on: read again and again until it ends, and shown as it changes.

Rule: on a terminal the tree of operations is drawn anew in its place. Elsewhere each event is a line, written once, when it is there.
"""

from __future__ import annotations

import sys
import time
from typing import TYPE_CHECKING, Final, TypeAlias, cast

import typer

from everstep.cli import showing
from everstep.protocol.shapes import ExecutionStatus

if TYPE_CHECKING:
    from everstep.client.executions import ExecutionsApi, JsonObject
    from everstep.testing.records import RecordedExecution

FIRST_PAUSE_S: Final = 0.1
LONGEST_PAUSE_S: Final = 2.0
_OPEN: Final = frozenset({"RUNNING", "PAUSING", "PAUSED"})

Record: TypeAlias = "RecordedExecution[str | None]"


def record_of(api: ExecutionsApi, arn: str) -> Record:
    """The execution as it is recorded now. Raises ServiceError, UsageError."""
    from everstep.testing.from_history import recorded

    status = cast("ExecutionStatus", api.describe(arn)["Status"])
    record = recorded(arn, api.history(arn), decode=lambda text: text, read=lambda text, _: text)
    if record.ended_at is None and status in _OPEN:  # whether it is paused is not to be seen in its history
        record.status = status
    return record


def follow(api: ExecutionsApi, arn: str, *, as_json: bool) -> Record:
    """Show the execution until it ends. Returns what is recorded then. Raises ServiceError."""
    if sys.stdout.isatty() and not as_json:
        return _drawn(api, arn)
    told = 0
    pause_s = FIRST_PAUSE_S
    while True:
        record = record_of(api, arn)
        news = record.events[told:]
        if as_json:
            for event in news:
                showing.print_json_line(event)
        elif news:
            for line in record.timeline().splitlines()[told:]:
                typer.echo(line)
        told = len(record.events)
        if record.ended_at is not None:
            return record
        time.sleep(pause_s)
        pause_s = FIRST_PAUSE_S if news else min(pause_s * 1.5, LONGEST_PAUSE_S)


def _drawn(api: ExecutionsApi, arn: str) -> Record:
    from rich.live import Live

    pause_s = FIRST_PAUSE_S
    with Live(console=showing.console(), auto_refresh=False, transient=True) as live:
        seen = -1
        while True:
            record = record_of(api, arn)
            live.update(showing.tree(record.lines()), refresh=True)
            if record.ended_at is not None:
                return record
            time.sleep(pause_s)
            pause_s = FIRST_PAUSE_S if len(record.events) != seen else min(pause_s * 1.5, LONGEST_PAUSE_S)
            seen = len(record.events)


def finish(api: ExecutionsApi, arn: str, *, as_json: bool) -> typer.Exit:
    """Follow to the end, show the outcome, and return how the command exits: 0 if it succeeded, 1 if not."""
    record = follow(api, arn, as_json=as_json)
    if not as_json:
        showing.console().print(showing.tree(record.lines()))
    return typer.Exit(0 if record.status == "SUCCEEDED" else 1)


def in_full(description: JsonObject, record: Record) -> dict[str, object]:
    """The execution for programs: what GetDurableExecution says, and its operations, in the API's form."""
    from everstep.server.wire import operations_in_seconds

    return {**description, "Operations": operations_in_seconds(one for one in record.recorded if one.type != "EXECUTION")}
