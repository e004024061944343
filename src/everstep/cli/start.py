"""`everstep start`: a new execution of a function that is deployed."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Annotated

import typer

from everstep.cli.connecting import AsJson, EndpointUrl, Place, Profile, Region
from everstep.errors import UsageError


def start(
    function: Annotated[str, typer.Argument(help="NAME, NAME:QUALIFIER or an ARN. Without a qualifier: $LATEST.")],
    input: Annotated[str, typer.Option(help="JSON; @FILE, or - for standard input.")] = "null",  # noqa: A002  # the option's name
    name: Annotated[str | None, typer.Option(help="Of the execution; the same name and input again is the same execution.")] = None,
    wait: Annotated[bool, typer.Option("--wait", help="Show it until it ends; exit code 1 if it does not succeed.")] = False,
    json: AsJson = False,
    endpoint_url: EndpointUrl = None,
    region: Region = None,
    profile: Profile = None,
) -> None:
    """Start an execution and print its ARN."""
    from everstep.cli import following, showing
    from everstep.client.executions import split_qualifier

    with Place(endpoint_url, region, profile).api("start") as api:
        payload = read_json(input)
        arn = api.start(function if split_qualifier(function)[1] else f"{function}:$LATEST", payload, name=name)
        if json:
            showing.print_json_line({"DurableExecutionArn": arn})
        else:
            typer.echo(arn)
        if wait:
            raise following.finish(api, arn, as_json=json)


def read_json(given: str, option: str = "--input") -> str:
    """The JSON that is meant: a text, @FILE or - for standard input. option: that it was given by. Raises UsageError."""
    import msgspec

    if given == "-":
        text, where = sys.stdin.read(), "standard input"
    elif given.startswith("@"):
        where = given[1:]
        try:
            text = Path(where).read_text(encoding="utf-8")
        except (OSError, UnicodeDecodeError) as error:
            raise UsageError(f"{where} cannot be read: {error}") from None
    else:
        text, where = given, option
    try:
        msgspec.json.decode(text)
    except msgspec.DecodeError as error:
        hint = f" For a text, write it in quotes: '\"{text}\"'" if where == option and text.isidentifier() else ""
        raise UsageError(f"{where} is not JSON: {error}.{hint}") from None
    return text
