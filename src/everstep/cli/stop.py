"""`everstep stop`."""

from __future__ import annotations

from typing import Annotated

import typer

from everstep.cli.connecting import AsJson, EndpointUrl, Function, Place, Profile, Region
from everstep.cli.operate import Executions, Sure, changing, operate


def stop(
    executions: Executions,
    function: Function = None,
    message: Annotated[str | None, typer.Option(help="Why, as the execution's error.")] = None,
    error_type: Annotated[str | None, typer.Option("--type", help="Of that error.")] = None,
    yes: Sure = False,
    json: AsJson = False,
    endpoint_url: EndpointUrl = None,
    region: Region = None,
    profile: Profile = None,
) -> None:
    """Close executions as STOPPED; what has ended stays as it is."""
    from everstep.protocol.shapes import ErrorObject

    error = None if message is None and error_type is None else ErrorObject(error_message=message, error_type=error_type)
    act = changing(lambda api, arn: api.stop(arn, error))
    operate("stop", Place(endpoint_url, region, profile), executions, function, act, is_sure=yes, as_json=json)
