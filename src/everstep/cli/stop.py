"""`everstep stop`."""

from __future__ import annotations

from typing import Annotated

import typer

from everstep.cli.connecting import AsJson, EndpointUrl, Execution, Function, Place, Profile, Region
from everstep.cli.operate import operate


def stop(
    execution: Execution,
    function: Function = None,
    message: Annotated[str | None, typer.Option(help="Why, as the execution's error.")] = None,
    error_type: Annotated[str | None, typer.Option("--type", help="Of that error.")] = None,
    json: AsJson = False,
    endpoint_url: EndpointUrl = None,
    region: Region = None,
    profile: Profile = None,
) -> None:
    """Close an execution as STOPPED; one that has ended stays as it is."""
    from everstep.protocol.shapes import ErrorObject

    error = None if message is None and error_type is None else ErrorObject(error_message=message, error_type=error_type)
    place = Place(endpoint_url, region, profile)
    operate("stop", place, execution, function, lambda api, arn: api.stop(arn, error), as_json=json)
