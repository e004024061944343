"""`everstep export`: histories as files, for `everstep verify` and `everstep estimate`."""

from __future__ import annotations

import re
from datetime import datetime
from pathlib import Path
from typing import Annotated, cast

import typer

from everstep.cli.finding import statuses_of
from everstep.errors import DurableError


def export(
    function: Annotated[str, typer.Argument(help="NAME, NAME:QUALIFIER or an ARN; or the ARN of one execution.")],
    directory: Annotated[Path, typer.Option(help="Where to write one file for each execution.")] = Path("histories"),
    status: Annotated[list[str] | None, typer.Option(help="Can be repeated. Default: those that are open.")] = None,
    started_after: Annotated[datetime | None, typer.Option(help="UTC, unless it has an offset.")] = None,
    started_before: Annotated[datetime | None, typer.Option(help="The same.")] = None,
    most: Annotated[int | None, typer.Option("--max", min=1, help="How many at the most, those started last first.")] = None,
    endpoint_url: Annotated[str | None, typer.Option(help="The service that has them; else AWS, as the environment says.")] = None,
    region: Annotated[str | None, typer.Option(help="Instead of AWS_REGION.")] = None,
) -> None:
    """Write the histories of a function's executions, with their payloads, as JSON files."""
    import msgspec

    from everstep.client.executions import ExecutionsApi, client_for
    from everstep.histories.sources import OPEN, histories_of, history_of

    try:
        statuses = statuses_of(status) if status else OPEN
        api = ExecutionsApi(client_for(endpoint_url, region))
        if "/durable-execution/" in function:
            found = iter([history_of(api, {"DurableExecutionArn": function, **api.describe(function)})])
        else:
            found = histories_of(api, function, statuses, started_after=_utc(started_after), started_before=_utc(started_before), most=most)
        number = 0
        for history in found:
            number += 1
            path = directory / _file_name(cast("str", history["DurableExecutionArn"]))
            directory.mkdir(parents=True, exist_ok=True)
            path.write_bytes(msgspec.json.format(msgspec.json.encode(history), indent=1) + b"\n")
    except (DurableError, OSError) as error:
        typer.echo(f"everstep export: {error}", err=True)
        raise typer.Exit(2) from None
    typer.echo(f"{number} histories in {directory}" if number else f"{function} has no executions that are {' or '.join(statuses)}")


def _utc(moment: datetime | None) -> datetime | None:
    from datetime import UTC

    return moment.replace(tzinfo=UTC) if moment is not None and moment.tzinfo is None else moment


def _file_name(arn: str) -> str:
    """The execution's name, and its id, which no other one has."""
    return re.sub(r"[^\w-]", "-", "-".join(arn.split("/")[-2:])) + ".json"
