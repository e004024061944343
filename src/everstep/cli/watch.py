"""`everstep watch`: an execution as it goes on."""

from __future__ import annotations

from everstep.cli.connecting import AsJson, EndpointUrl, Execution, Function, Place, Profile, Region


def watch(
    execution: Execution,
    function: Function = None,
    json: AsJson = False,
    endpoint_url: EndpointUrl = None,
    region: Region = None,
    profile: Profile = None,
) -> None:
    """Show an execution until it ends; with --json each event is a line. Exit code 1 if it does not succeed."""
    from everstep.cli import following
    from everstep.cli.references import arn_of

    with Place(endpoint_url, region, profile).api("watch") as api:
        raise following.finish(api, arn_of(api, execution, function), as_json=json)
