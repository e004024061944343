"""Time travel: the form that begins a new execution where this one stood at an operation, and what it does.

Rule: whatever was written into the form is still there when it is not taken.
"""

from __future__ import annotations

from typing import Final

from starlette.responses import Response

from everstep.console.api import Refused
from everstep.console.envelopes import opened
from everstep.console.executions import recorded
from everstep.console.timeline import details, members, text, timeline
from everstep.console.values import editable, json_problem
from everstep.console.visits import Visit

WITHOUT_RESULT: Final = "Wait"


async def fork_page(visit: Visit) -> Response:
    return await _form(visit, visit.query("operation"))


async def fork(visit: Visit) -> Response:
    operation_id, name, is_edited = visit.field("operation"), visit.field("name").strip(), visit.field("from") == "result"
    result = visit.field("result") if is_edited else None
    problem = ""
    if result is not None and (said := json_problem(result)):
        problem = f"The result is no JSON: {said}. A text stands in quotes."
    else:
        try:
            return visit.to_execution(await visit.api.fork(visit.arn, operation_id, name, result))
        except Refused as error:
            if error.needs_sign_in:
                raise
            problem = error.message
    return await _form(visit, operation_id, 422, problem, is_edited=is_edited, name=name, result=visit.field("result"))


async def _form(
    visit: Visit,
    operation_id: str,
    status: int = 200,
    problem: str = "",
    *,
    is_edited: bool = False,
    name: str = "",
    result: str | None = None,
) -> Response:
    """result: what was written, None if nothing was yet: then what is recorded."""
    shown, note = await visit.api.execution(visit.arn, with_data=False), ""
    events = await recorded(visit.api, visit.arn, operation_id)
    told = timeline(events).operations
    if not told:
        return visit.problem(404, "No such operation", "The execution has no such operation, or its history is not there any more.")
    if result is None:
        results = [text(members(details(event).get("Result")).get("Payload")) for event in events]
        found = opened(next((one for one in reversed(results) if one), ""))
        result, note = ("", found.note) if found.note else (editable(found.text), "")
    return visit.page(
        "fork.html",
        status,
        shown=shown,
        arn=visit.arn,
        operation=told[0],
        has_result=told[0].kind != WITHOUT_RESULT,
        problem=problem,
        is_edited=is_edited,
        fork_name=name,
        result=result,
        note=note,
    )
