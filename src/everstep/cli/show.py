"""`everstep show`: one execution, with its operations as a tree, its events in time, and its errors."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated

import typer

from everstep.cli.connecting import AsJson, EndpointUrl, Execution, Function, Place, Profile, Region
from everstep.errors import ServiceError

if TYPE_CHECKING:
    from everstep.client.executions import ExecutionsApi


def show(
    execution: Execution,
    function: Function = None,
    timeline: Annotated[bool, typer.Option("--timeline", help="Its events as well, each with when it happened.")] = False,
    json: AsJson = False,
    endpoint_url: EndpointUrl = None,
    region: Region = None,
    profile: Profile = None,
) -> None:
    """Show an execution: its operations as a tree, what it waits for, its errors."""
    from everstep.cli import showing
    from everstep.cli.following import in_full, record_of
    from everstep.cli.references import arn_of
    from everstep.cli.telling import facts

    with Place(endpoint_url, region, profile).api("show") as api:
        arn = arn_of(api, execution, function)
        description, record = api.describe(arn), record_of(api, arn)
        where = {} if endpoint_url is None or json else _places(api, arn)
    if json:
        showing.print_json(in_full(description, record))
        return
    out = showing.console()
    out.print(showing.tree(record.lines(where)))
    for line in facts(description, record):
        out.print(line, soft_wrap=True)  # what is copied from it has no line ends
    if timeline:
        out.print(f"\n{showing.timeline(record)}")


def _places(api: ExecutionsApi, arn: str) -> dict[tuple[str, str], str]:
    """Where the operations are called, by sub-type and name: of a server of ours, as far as it knows."""
    try:
        found = api.call_sites(arn)
    except ServiceError:
        return {}  # a server that has no such operation
    return {(str(one["SubType"]), str(one.get("Name", ""))): f"{one['File']}:{one['Line']}" for one in found}
