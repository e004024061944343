"""`everstep delete`."""

from __future__ import annotations

from everstep.cli.connecting import AsJson, EndpointUrl, Function, Place, Profile, Region
from everstep.cli.operate import Executions, Sure, changing, operate


def delete(
    executions: Executions,
    function: Function = None,
    yes: Sure = False,
    json: AsJson = False,
    endpoint_url: EndpointUrl = None,
    region: Region = None,
    profile: Profile = None,
) -> None:
    """Remove executions that have ended."""
    act = changing(lambda api, arn: api.delete(arn))
    operate("delete", Place(endpoint_url, region, profile), executions, function, act, is_sure=yes, as_json=json)
