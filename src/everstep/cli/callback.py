"""`everstep callback`: answering what an execution waits for."""

from __future__ import annotations

from typing import Annotated, TypeAlias

import typer

from everstep.cli.connecting import AsJson, EndpointUrl, Place, Profile, Region
from everstep.cli.start import read_json

CallbackId: TypeAlias = Annotated[str, typer.Argument(metavar="ID", help="As `everstep show` prints it.")]


def callbacks() -> typer.Typer:
    """The commands, as a group."""
    group = typer.Typer(help="Answer what an execution waits for.", no_args_is_help=True)
    group.command()(succeed)
    group.command()(fail)
    group.command()(heartbeat)
    return group


def succeed(
    callback_id: CallbackId,
    result: Annotated[str | None, typer.Option(help="JSON; @FILE, or - for standard input.")] = None,
    text: Annotated[str | None, typer.Option(help="Instead: a text, for a callback without a type.")] = None,
    json: AsJson = False,
    endpoint_url: EndpointUrl = None,
    region: Region = None,
    profile: Profile = None,
) -> None:
    """Complete a callback."""
    from everstep.errors import UsageError

    with Place(endpoint_url, region, profile).api("callback succeed") as api:
        if result is not None and text is not None:
            raise UsageError("a callback has one result: --result or --text, not both")
        api.succeed_callback(callback_id, text if result is None else read_json(result, "--result"))
    _tell(callback_id, "succeeded", json)


def fail(
    callback_id: CallbackId,
    message: Annotated[str | None, typer.Option(help="What went wrong.")] = None,
    error_type: Annotated[str | None, typer.Option("--type", help="Of the error.")] = None,
    json: AsJson = False,
    endpoint_url: EndpointUrl = None,
    region: Region = None,
    profile: Profile = None,
) -> None:
    """Complete a callback with a failure."""
    from everstep.protocol.shapes import ErrorObject

    with Place(endpoint_url, region, profile).api("callback fail") as api:
        api.fail_callback(callback_id, ErrorObject(error_message=message, error_type=error_type))
    _tell(callback_id, "failed", json)


def heartbeat(
    callback_id: CallbackId, json: AsJson = False, endpoint_url: EndpointUrl = None, region: Region = None, profile: Profile = None
) -> None:
    """Start the callback's heartbeat timeout anew."""
    with Place(endpoint_url, region, profile).api("callback heartbeat") as api:
        api.heartbeat_callback(callback_id)
    _tell(callback_id, "alive", json)


def _tell(callback_id: str, outcome: str, as_json: bool) -> None:
    from everstep.cli import showing

    if as_json:
        showing.print_json({"CallbackId": callback_id, "Outcome": outcome})
    else:
        typer.echo(f"the callback is told: {outcome}")
