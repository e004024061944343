"""`everstep resume`."""

from __future__ import annotations

from typing import Annotated

import typer

from everstep.cli.connecting import AsJson, EndpointUrl, Execution, Function, Place, Profile, Region
from everstep.cli.operate import operate


def resume(
    execution: Execution,
    function: Function = None,
    reason: Annotated[str | None, typer.Option(help="As it stands in the history.")] = None,
    json: AsJson = False,
    endpoint_url: EndpointUrl = None,
    region: Region = None,
    profile: Profile = None,
) -> None:
    """Let a paused execution go on."""
    place = Place(endpoint_url, region, profile)
    operate("resume", place, execution, function, lambda api, arn: api.resume(arn, reason), as_json=json)
