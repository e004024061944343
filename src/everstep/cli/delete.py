"""`everstep delete`."""

from __future__ import annotations

from everstep.cli.connecting import AsJson, EndpointUrl, Execution, Function, Place, Profile, Region
from everstep.cli.operate import operate


def delete(
    execution: Execution,
    function: Function = None,
    json: AsJson = False,
    endpoint_url: EndpointUrl = None,
    region: Region = None,
    profile: Profile = None,
) -> None:
    """Remove an execution that has ended."""
    operate("delete", Place(endpoint_url, region, profile), execution, function, lambda api, arn: api.delete(arn), as_json=json)
