"""The page of executions: found by what they are, newest first, with counts per status."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Final
from urllib.parse import urlencode

from starlette.responses import Response

from everstep.console.values import STATUSES
from everstep.console.visits import Visit

PAGE: Final = 50
_TEXTS: Final = {"function": "FunctionName", "name": "DurableExecutionName", "error": "ErrorType"}
_TIMES: Final = {"after": "StartedAfter", "before": "StartedBefore"}


async def executions(visit: Visit) -> Response:
    """A page of the list. It renews itself while it shows the newest."""
    asked: list[tuple[str, str]] = [("MaxItems", str(PAGE))]
    kept: list[tuple[str, str]] = []
    for field, parameter in _TEXTS.items():
        if value := visit.query(field).strip():
            asked.append((parameter, value))
            kept.append((field, value))
    for field, parameter in _TIMES.items():
        if value := visit.query(field):
            try:
                moment = datetime.fromisoformat(value).replace(tzinfo=UTC)
            except ValueError:
                return visit.problem(400, "Not a time", f"{value} is no time: write it like 2026-11-24T15:30.")
            asked.append((parameter, moment.isoformat()))
            kept.append((field, value))
    statuses = [one for one in visit.request.query_params.getlist("status") if one in STATUSES]
    asked += [("Statuses", one) for one in statuses]
    filters = urlencode([*kept, *(("status", one) for one in statuses)])
    marker = visit.query("marker")
    if marker:
        asked.append(("Marker", marker))
    page = await visit.api.executions(asked)
    return visit.page(
        "executions.html",
        found=page.executions,
        next_marker=page.next_marker,
        filters=filters,
        others=urlencode(kept),
        fields=dict.fromkeys((*_TEXTS, *_TIMES), "") | dict(kept),
        statuses=statuses,
        marker=marker,
        all_statuses=STATUSES,
        is_live=not marker,
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
