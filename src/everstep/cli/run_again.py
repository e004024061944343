"""`everstep run-again`."""

from __future__ import annotations

from typing import TYPE_CHECKING

from everstep.cli.connecting import AsJson, EndpointUrl, Function, Place, Profile, Region
from everstep.cli.operate import Executions, Sure, Told, operate

if TYPE_CHECKING:
    from everstep.client.executions import ExecutionsApi


def run_again(
    executions: Executions,
    function: Function = None,
    yes: Sure = False,
    json: AsJson = False,
    endpoint_url: EndpointUrl = None,
    region: Region = None,
    profile: Profile = None,
) -> None:
    """Start new executions of the same function and version, with the same input, from the beginning; print their ARNs."""

    def act(api: ExecutionsApi, arn: str) -> Told:
        again = api.run_again(arn)
        return Told({"DurableExecutionArn": again, "RunAgainOf": arn}, again)

    operate("run-again", Place(endpoint_url, region, profile), executions, function, act, is_sure=yes, as_json=json)
