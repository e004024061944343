"""`everstep list`: executions in a table."""

from __future__ import annotations

from itertools import islice
from typing import TYPE_CHECKING, Annotated, cast

import typer

from everstep.cli.connecting import AsJson, EndpointUrl, Place, Profile, Region
from everstep.cli.finding import ErrorType, Name, Since, Sought, Status, Until, WaitingFor, WaitingType, started_ms

if TYPE_CHECKING:
    from everstep.client.executions import JsonObject


def list_executions(
    function: Annotated[str | None, typer.Argument(help="NAME, NAME:QUALIFIER or an ARN; without, all durable functions.")] = None,
    status: Status = None,
    name: Name = None,
    since: Since = None,
    until: Until = None,
    error_type: ErrorType = None,
    waiting: WaitingFor = None,
    waiting_type: WaitingType = None,
    limit: Annotated[int, typer.Option(min=1, help="How many at the most, those started last first.")] = 20,
    everything: Annotated[bool, typer.Option("--all", help="However many there are.")] = False,
    arns: Annotated[bool, typer.Option("--arns", help="Their ARNs alone, one a line, for other commands to read.")] = False,
    json: AsJson = False,
    endpoint_url: EndpointUrl = None,
    region: Region = None,
    profile: Profile = None,
) -> None:
    """List executions, those started last first."""
    from everstep.cli import showing
    from everstep.client.executions import PAGE

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
    with place.api("list") as api:
        most = None if everything else limit
        found = list(islice(sought.found(api, place, page=min(most or PAGE, PAGE)), most))
    if arns:
        typer.echo("".join(f"{one['DurableExecutionArn']}\n" for one in found), nl=False)
    elif json:
        showing.print_json(found)
    elif found:
        _print_table(found)
    else:
        typer.echo("no executions", err=True)


def _print_table(found: list[JsonObject]) -> None:
    from rich import box
    from rich.table import Table

    from everstep.cli import showing

    rows = [_cells(one) for one in found]
    headings = [heading for heading in rows[0] if any(row[heading] for row in rows)]
    table = Table(box=box.SIMPLE_HEAD, pad_edge=False)
    for heading in headings:
        table.add_column(heading, no_wrap=heading not in ("NAME", "WAITS IN", "ERROR"), overflow="fold")
    for row in rows:
        table.add_row(*(showing.status(row[heading]) if heading == "STATUS" else row[heading] for heading in headings))
    showing.console().print(table)


def _cells(one: JsonObject) -> dict[str, str]:
    """What the table says of an execution, by heading."""
    from everstep.cli import showing
    from everstep.histories.events import moment_ms

    began, ended = started_ms(one), one.get("EndTimestamp")
    arn = str(one["DurableExecutionArn"])
    cells = {
        "STATUS": str(one["Status"]),
        "FUNCTION": arn.partition("/durable-execution/")[0].partition(":function:")[2].removesuffix(":$LATEST"),
        "NAME": str(one["DurableExecutionName"]),
        "ID": arn.rpartition("/")[2][:8],
    }
    waits = cast("JsonObject | None", one.get("WaitingOperation"))
    if waits is not None:
        due = waits.get("DueTimestamp")
        return cells | {
            "WAITS IN": _operation(waits),
            "SINCE": showing.ago(moment_ms(waits["StartTimestamp"])),
            "UNTIL": "" if due is None else showing.ago(moment_ms(due)),
        }
    return cells | {
        "STARTED": showing.ago(began),
        "TOOK": "" if ended is None else showing.span((moment_ms(ended) - began) / 1000),
        "ERROR": str(one.get("ErrorType") or ""),
    }


def _operation(waits: JsonObject) -> str:
    """What a wait_for_callback calls its callback is told by the name that the user gave."""
    from everstep.testing.answers import OF_WAIT_FOR_CALLBACK

    name = str(waits.get("Name") or "").removesuffix(OF_WAIT_FOR_CALLBACK)
    return f"{waits.get('SubType') or waits['Type']} {name}".strip()
