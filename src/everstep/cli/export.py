"""`everstep export`: histories as files, for `everstep verify` and `everstep estimate`."""

from __future__ import annotations

import re
from collections.abc import Iterator
from itertools import islice
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from everstep.cli.connecting import AsJson, EndpointUrl, Place, Profile, Region
from everstep.cli.finding import ErrorType, Name, Since, Sought, Status, Until, WaitingFor, WaitingType

if TYPE_CHECKING:
    from everstep.client.executions import JsonObject


def export(
    function: Annotated[str, typer.Argument(help="NAME, NAME:QUALIFIER or an ARN; or the ARN of one execution.")],
    directory: Annotated[Path, typer.Option(help="Where to write one file for each execution.")] = Path("histories"),
    status: Status = None,
    name: Name = None,
    since: Since = None,
    until: Until = None,
    error_type: ErrorType = None,
    waiting: WaitingFor = None,
    waiting_type: WaitingType = None,
    limit: Annotated[int | None, typer.Option(min=1, help="How many at the most, those started last first. Else all.")] = None,
    json: AsJson = False,
    endpoint_url: EndpointUrl = None,
    region: Region = None,
    profile: Profile = None,
) -> None:
    """Write the histories of a function's executions, with their payloads, as JSON files: of the open ones, unless you say which."""
    import msgspec

    from everstep.cli import showing
    from everstep.client.executions import PAGE
    from everstep.histories.sources import OPEN, history_of

    sought = Sought(
        function=function,
        status=status or (),
        name=name,
        since=since,
        until=until,
        error_type=error_type,
        waiting=waiting,
        waiting_type=waiting_type,
    )
    place = Place(endpoint_url, region, profile)
    written: list[dict[str, object]] = []
    summaries: Iterator[JsonObject]
    with place.api("export") as api:
        if "/durable-execution/" in function:
            summaries = iter([{"DurableExecutionArn": function, **api.describe(function)}])
        else:
            summaries = islice(sought.or_those(OPEN).found(api, place, page=min(limit or PAGE, PAGE)), limit)
        for history in (history_of(api, summary) for summary in summaries):
            path = directory / _file_name(str(history["DurableExecutionArn"]))
            directory.mkdir(parents=True, exist_ok=True)
            path.write_bytes(msgspec.json.format(msgspec.json.encode(history), indent=1) + b"\n")
            written.append({"DurableExecutionArn": history["DurableExecutionArn"], "Status": history["Status"], "File": str(path)})
    if json:
        showing.print_json(written)
    else:
        typer.echo(f"{len(written)} histories in {directory}" if written else f"{function} has no such executions")


def _file_name(arn: str) -> str:
    """The execution's name, and its id, which no other one has."""
    return re.sub(r"[^\w-]", "-", "-".join(arn.split("/")[-2:])) + ".json"
