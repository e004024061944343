"""The page of executions: found by what they are, newest first, with counts per status."""

from __future__ import annotations

from typing import Final
from urllib.parse import urlencode

from starlette.responses import Response

from everstep.console.searches import KINDS, NotATime, search
from everstep.console.values import STATUSES
from everstep.console.visits import Visit

PAGE: Final = 50
LOOKED_FURTHER: Final = 5
"""Times, for one page."""


async def executions(visit: Visit) -> Response:
    """A page of the list. It renews itself while it shows the newest."""
    try:
        wanted = search(visit.query, visit.request.query_params.getlist("status"))
    except NotATime as error:
        return visit.problem(400, "Not a time", f"{error} is no time: write it like 2026-11-24T15:30.")
    asked = [("MaxItems", str(PAGE)), *wanted.asked()]
    marker = visit.query("marker")
    if marker:
        asked.append(("Marker", marker))
    position = await visit.api.position("", "", 0)  # asked first, so that the page hears of whatever comes later
    page = await visit.api.executions(asked)
    found = list(page.executions)
    for _ in range(LOOKED_FURTHER):  # a search that has to look into executions answers with those that it came across
        if len(found) >= PAGE or page.next_marker is None:
            break
        further = [one for one in asked if one[0] not in ("Marker", "MaxItems")]
        page = await visit.api.executions([*further, ("MaxItems", str(PAGE - len(found))), ("Marker", page.next_marker)])
        found += page.executions
    return visit.page(
        "executions.html",
        found=found,
        next_marker=page.next_marker,
        wanted=wanted,
        filters=wanted.query(),
        marker=marker,
        all_statuses=STATUSES,
        kinds=KINDS,
        is_live=not marker,
        position=position,
    )


async def counts(visit: Visit) -> Response:
    """How many there are in each status, of one function or all."""
    function = visit.query("function")
    counted = await visit.api.counts()
    total = dict.fromkeys(STATUSES, 0)
    for one in counted.counts:
        if function in ("", one.function_name) and one.status in total:
            total[one.status] += one.count
    return visit.page(
        "_counts.html", counts=total, others=urlencode([("function", function)]) if function else "", at=counted.counted_timestamp
    )
