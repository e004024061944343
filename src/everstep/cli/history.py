"""`everstep history`: the events of an execution."""

from __future__ import annotations

from everstep.cli.connecting import AsJson, EndpointUrl, Execution, Function, Place, Profile, Region


def history(
    execution: Execution,
    function: Function = None,
    json: AsJson = False,
    endpoint_url: EndpointUrl = None,
    region: Region = None,
    profile: Profile = None,
) -> None:
    """Print the events of an execution, oldest first; with --json as `everstep verify` and `everstep estimate` read them."""
    from everstep.cli import showing
    from everstep.cli.following import record_of
    from everstep.cli.references import arn_of
    from everstep.histories.sources import history_of

    with Place(endpoint_url, region, profile).api("history") as api:
        arn = arn_of(api, execution, function)
        if json:
            showing.print_json(history_of(api, {"DurableExecutionArn": arn, **api.describe(arn)}))
        else:
            showing.console().print(showing.timeline(record_of(api, arn)))
