"""`everstep fork`: a new execution that begins where another one stood."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated

import typer

from everstep.cli.connecting import AsJson, EndpointUrl, Execution, Function, Place, Profile, Region, of_our_own
from everstep.cli.start import read_json
from everstep.errors import UsageError

if TYPE_CHECKING:
    from everstep.cli.following import Record


def fork(
    execution: Execution,
    operation: Annotated[
        str, typer.Option("--from", metavar="OPERATION", help="From which on it runs anew: its name, its path, or the beginning of its id.")
    ],
    function: Function = None,
    edit_result: Annotated[
        str | None,
        typer.Option(help="Instead the operation has succeeded with this, and it goes on after it: JSON; @FILE, or - for standard input."),
    ] = None,
    name: Annotated[str | None, typer.Option(help="Of the new execution.")] = None,
    wait: Annotated[bool, typer.Option("--wait", help="Show it until it ends; exit code 1 if it does not succeed.")] = False,
    json: AsJson = False,
    endpoint_url: EndpointUrl = None,
    region: Region = None,
    profile: Profile = None,
) -> None:
    """Begin a new execution where this one stood at an operation, on a server of your own; print its ARN."""
    from everstep.cli import following, showing
    from everstep.cli.references import arn_of

    place = Place(endpoint_url, region, profile)
    with place.api("fork") as api:
        result = None if edit_result is None else read_json(edit_result, "--edit-result")
        arn = arn_of(api, execution, function)
        target = operation_of(following.record_of(api, arn), operation)
        with of_our_own("fork executions", place):
            forked = api.fork(arn, target, name=name, result=result)
        if json:
            showing.print_json_line({"DurableExecutionArn": forked})
        else:
            typer.echo(forked)
        if wait:
            raise following.finish(api, forked, as_json=json)


def operation_of(record: Record, reference: str) -> str:
    """The id of the operation that is meant. Raises UsageError."""
    by_id = [one.id for one in record.operations if one.id.startswith(reference)]
    if len(by_id) == 1:
        return by_id[0]
    try:
        return record.operation(reference).id
    except LookupError as error:
        raise UsageError(str(error.args[0])) from None
