"""`everstep pause`."""

from __future__ import annotations

from typing import Annotated

import typer

from everstep.cli.connecting import AsJson, EndpointUrl, Function, Place, Profile, Region
from everstep.cli.operate import Executions, Sure, changing, operate


def pause(
    executions: Executions,
    function: Function = None,
    reason: Annotated[str | None, typer.Option(help="As it stands in the history.")] = None,
    yes: Sure = False,
    json: AsJson = False,
    endpoint_url: EndpointUrl = None,
    region: Region = None,
    profile: Profile = None,
) -> None:
    """Let no further invocation of executions begin; what they wait for goes on."""
    act = changing(lambda api, arn: api.pause(arn, reason))
    operate("pause", Place(endpoint_url, region, profile), executions, function, act, is_sure=yes, as_json=json)
