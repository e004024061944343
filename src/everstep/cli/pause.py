"""`everstep pause`."""

from __future__ import annotations

from typing import Annotated

import typer

from everstep.cli.connecting import AsJson, EndpointUrl, Execution, Function, Place, Profile, Region
from everstep.cli.operate import operate


def pause(
    execution: Execution,
    function: Function = None,
    reason: Annotated[str | None, typer.Option(help="As it stands in the history.")] = None,
    json: AsJson = False,
    endpoint_url: EndpointUrl = None,
    region: Region = None,
    profile: Profile = None,
) -> None:
    """Let no further invocation of an execution begin; what it waits for goes on."""
    place = Place(endpoint_url, region, profile)
    operate("pause", place, execution, function, lambda api, arn: api.pause(arn, reason), as_json=json)
