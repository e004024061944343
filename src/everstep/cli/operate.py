"""What the commands that change an execution have in common: they find it, change it, and say how it stands then."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING

import typer

from everstep.cli.connecting import Place

if TYPE_CHECKING:
    from everstep.client.executions import ExecutionsApi


def operate(
    command: str, place: Place, execution: str, function: str | None, act: Callable[[ExecutionsApi, str], None], *, as_json: bool
) -> None:
    """act: what is done, given the service and the ARN. Raises typer.Exit."""
    from everstep.cli import showing
    from everstep.cli.connecting import is_unknown
    from everstep.cli.references import arn_of
    from everstep.errors import ServiceError

    with place.api(command) as api:
        arn = arn_of(api, execution, function)
        act(api, arn)
        try:
            status = str(api.describe(arn)["Status"])
        except ServiceError as error:
            if not is_unknown(error):
                raise
            status = "DELETED"
    if as_json:
        showing.print_json({"DurableExecutionArn": arn, "Status": status})
    else:
        typer.echo(f"{arn} is {status}")
