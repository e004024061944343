"""`everstep verify`: may this code be deployed while these executions run?"""

from __future__ import annotations

import asyncio
import sys
from collections.abc import Callable, Iterator
from contextlib import nullcontext
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, cast

import typer

from everstep.cli.connecting import AsJson, EndpointUrl, Place, Profile, Region
from everstep.errors import DurableError, UsageError

if TYPE_CHECKING:
    from everstep.handler import DurableHandler
    from everstep.histories.recording import Recording


def verify(
    context: typer.Context,
    handler: Annotated[str, typer.Argument(metavar="MODULE:HANDLER", help="The code that is to go on with the executions.")],
    histories: Annotated[
        list[Path] | None, typer.Argument(metavar="[FILE|DIR]...", help="Exported histories; of a directory, all its .json files.")
    ] = None,
    function: Annotated[
        str | None, typer.Option(help="Verify the open executions of this function as well: NAME, NAME:QUALIFIER or an ARN.")
    ] = None,
    format: Annotated[str, typer.Option(help="text, json, junit or github.")] = "text",  # noqa: A002  # the option's name
    json: AsJson = False,
    endpoint_url: EndpointUrl = None,
    region: Region = None,
    profile: Profile = None,
) -> None:
    """Replay recorded executions against the code at hand, without running any step, and report where they part.

    Exit code 0: the code may go on with all of them; 1: not with some; 2: it could not be found out.
    """
    from everstep.cli import showing
    from everstep.histories.report import FORMATS
    from everstep.histories.verification import Verdict, unreadable
    from everstep.histories.verification import verify as replay

    async def verdicts() -> list[Verdict]:
        durable = _handler(handler)
        found: list[Verdict] = []
        for source, read in _recordings(histories or [], function, Place(endpoint_url, region, profile)):
            try:
                found.append(await replay(durable, read()))
            except UsageError as error:
                found.append(unreadable(source, error))
        return found

    try:
        said = "json" if json else format
        if said not in FORMATS:
            raise UsageError(f"there is no format {format!r}; there are {', '.join(FORMATS)}")
        if function is None:
            _refuse_places(context)
        with nullcontext() if said == "text" else showing.prints_aside():
            found = asyncio.run(verdicts())
    except (DurableError, OSError) as error:
        typer.echo(f"everstep verify: {error}", err=True)
        raise typer.Exit(2) from None
    sys.stdout.write(FORMATS[said](found))
    raise typer.Exit(0 if all(verdict.is_ok for verdict in found) else 1)


def _refuse_places(context: typer.Context) -> None:
    """Raises UsageError."""
    for option in ("endpoint_url", "region", "profile"):
        source = context.get_parameter_source(option)
        if source is not None and source.name == "COMMANDLINE":
            raise UsageError(f"--{option.replace('_', '-')} is for --function, whose open executions are then verified")


def _handler(target: str) -> DurableHandler[object, object]:
    """The handler that `module:name` means; a function that is not decorated is made one. Raises UsageError."""
    from everstep.handler import DurableHandler
    from everstep.server.worker import load

    found = load(target)
    return cast("DurableHandler[object, object]", found if isinstance(found, DurableHandler) else DurableHandler(cast("Any", found)))


def _recordings(paths: list[Path], function: str | None, place: Place) -> Iterator[tuple[str, Callable[[], Recording]]]:
    """What to verify, by name. Reading one raises UsageError. Raises UsageError, ServiceError."""
    from everstep.histories.reading import files_of, read_recording, recording_of
    from everstep.histories.sources import open_histories_of

    if not paths and function is None:
        raise UsageError("there is nothing to verify: name files of histories, or --function for the open executions of one")
    for path in files_of(paths):
        yield str(path), partial(read_recording, path.read_bytes(), str(path))
    if function is not None:
        with place.connected() as api:
            for found in open_histories_of(api, function):
                arn = str(found["DurableExecutionArn"])
                yield arn, partial(recording_of, found, arn)
