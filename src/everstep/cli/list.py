"""`everstep list`: executions in a table."""

from __future__ import annotations

import heapq
import re
import time
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from itertools import islice
from typing import TYPE_CHECKING, Annotated, Final, cast, get_args

import typer

from everstep.cli.connecting import AsJson, EndpointUrl, Place, Profile, Region
from everstep.errors import UsageError

if TYPE_CHECKING:
    from everstep.client.executions import ExecutionsApi, JsonObject
    from everstep.protocol.shapes import ExecutionStatus

_UNITS: Final = {"s": 1, "m": 60, "h": 3_600, "d": 86_400, "w": 604_800}


def list_executions(
    function: Annotated[str | None, typer.Argument(help="NAME, NAME:QUALIFIER or an ARN; without, all durable functions.")] = None,
    status: Annotated[list[str] | None, typer.Option(help="Can be repeated.")] = None,
    name: Annotated[str | None, typer.Option(help="The execution's.")] = None,
    since: Annotated[str | None, typer.Option(help="Started after: 2h, 3d, or a date and time, UTC unless it has an offset.")] = None,
    until: Annotated[str | None, typer.Option(help="Started before: the same.")] = None,
    limit: Annotated[int, typer.Option(min=1, help="How many at the most, those started last first.")] = 20,
    json: AsJson = False,
    endpoint_url: EndpointUrl = None,
    region: Region = None,
    profile: Profile = None,
) -> None:
    """List executions, those started last first."""
    from everstep.cli import showing

    with Place(endpoint_url, region, profile).api("list") as api:
        statuses = statuses_of(status or [])
        after, before = moment(since), moment(until)
        functions = [function] if function is not None else list(api.durable_functions())
        found = list(islice(_executions(api, functions, statuses, name, after, before, limit), limit))
    if json:
        showing.print_json(found)
    elif found:
        _print_table(found)
    else:
        typer.echo("no executions", err=True)


def statuses_of(given: list[str]) -> list[ExecutionStatus]:
    """Raises UsageError."""
    from everstep.protocol.shapes import ExecutionStatus

    known = get_args(ExecutionStatus)
    wrong = next((one for one in given if one.upper() not in known), None)
    if wrong is not None:
        raise UsageError(f"there is no status {wrong!r}; there are {', '.join(known)}")
    return [cast("ExecutionStatus", one.upper()) for one in given]


def moment(given: str | None) -> datetime | None:
    """A date and time, or how long ago it was. Raises UsageError."""
    if given is None:
        return None
    ago = re.fullmatch(r"(\d+)([smhdw])", given)
    if ago is not None:
        return datetime.fromtimestamp(time.time(), UTC) - timedelta(seconds=int(ago[1]) * _UNITS[ago[2]])
    try:
        at = datetime.fromisoformat(given)
    except ValueError:
        raise UsageError(f"{given!r} is no time: write 30m, 2h or 3d for that long ago, or 2026-05-04T12:00") from None
    return at if at.tzinfo is not None else at.replace(tzinfo=UTC)


def _executions(
    api: ExecutionsApi,
    functions: list[str],
    statuses: list[ExecutionStatus],
    name: str | None,
    after: datetime | None,
    before: datetime | None,
    limit: int,
) -> Iterator[JsonObject]:
    """Of all functions and statuses together, those started last first. One status at a time is asked for, as AWS answers no more."""
    from everstep.client.executions import PAGE

    page = min(limit, PAGE)
    asked: list[list[ExecutionStatus]] = [[one] for one in statuses] or [[]]
    streams = [
        api.list(function, statuses=one, name=name, started_after=after, started_before=before, page=page)
        for function in functions
        for one in asked
    ]
    return heapq.merge(*streams, key=_started_ms, reverse=True)


def _started_ms(summary: JsonObject) -> int:
    from everstep.histories.events import moment_ms

    return moment_ms(summary["StartTimestamp"])


def _print_table(found: list[JsonObject]) -> None:
    from rich import box
    from rich.table import Table

    from everstep.cli import showing
    from everstep.histories.events import moment_ms

    table = Table(box=box.SIMPLE_HEAD, pad_edge=False)
    for heading in ("STATUS", "FUNCTION", "NAME", "ID", "STARTED", "TOOK"):
        table.add_column(heading, no_wrap=heading != "NAME", overflow="fold")
    for one in found:
        began, ended = _started_ms(one), one.get("EndTimestamp")
        took = "" if ended is None else showing.span((moment_ms(ended) - began) / 1000)
        arn = str(one["DurableExecutionArn"])
        function = arn.partition("/durable-execution/")[0].partition(":function:")[2].removesuffix(":$LATEST")
        cells = (function, str(one["DurableExecutionName"]), arn.rpartition("/")[2][:8], showing.ago(began), took)
        table.add_row(showing.status(str(one["Status"])), *cells)
    showing.console().print(table)
