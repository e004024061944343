"""`everstep estimate`: what executions spend of the service's quotas."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Annotated

import typer

from everstep.cli.connecting import AsJson
from everstep.errors import UsageError


def estimate(
    histories: Annotated[
        list[Path], typer.Argument(metavar="FILE|DIR...", help="Exported histories; of a directory, all its .json files.")
    ],
    json: AsJson = False,
) -> None:
    """Count operations, bytes and invocations against the quotas, and show which construct spends them.

    Exit code 0: all within; 1: some execution exceeds a quota; 2: it could not be found out.
    """
    import msgspec

    from everstep.histories.estimate import Estimate, as_json, as_text
    from everstep.histories.estimate import estimate as estimated
    from everstep.histories.reading import events_of, files_of

    found: list[Estimate] = []
    try:
        for path in files_of(histories):
            try:
                events, _ = events_of(msgspec.json.decode(path.read_bytes()), str(path))
            except msgspec.DecodeError as error:
                raise UsageError(f"{path} is not JSON: {error}") from None
            if events is None:
                raise UsageError(f'{path} is no history: it has no "Events"')
            found.append(estimated(events, str(path)))
    except (UsageError, OSError) as error:
        typer.echo(f"everstep estimate: {error}", err=True)
        raise typer.Exit(2) from None
    sys.stdout.write(as_json(found) if json else "\n".join(map(as_text, found)))
    raise typer.Exit(1 if any(one.exceeded for one in found) else 0)
