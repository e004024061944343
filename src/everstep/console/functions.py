"""The pages of functions: what there is, and of each how its latest executions went."""

from __future__ import annotations

import json
from collections import Counter
from typing import Final

from starlette.responses import Response

from everstep.console.api import Function
from everstep.console.figures import figures, pace
from everstep.console.schemas import example
from everstep.console.values import OPEN, STATUSES, editable
from everstep.console.visits import Visit

PACED: Final = 1_000
"""Executions that rates are made of."""
SAMPLE: Final = 30
"""Executions that the operations' figures are made of, and of each of them at most so many events:"""
SAMPLED_EVENTS: Final = 1_000


async def functions(visit: Visit) -> Response:
    marker = visit.query("marker")
    page = await visit.api.functions(marker or None)
    counted = await visit.api.counts()
    counts: dict[str, Counter[str]] = {}
    for one in counted.counts:
        counts.setdefault(one.function_name, Counter())[one.status] += one.count
    rows = [(function, counts.get(function.function_name, Counter[str]())) for function in page.functions]
    return visit.page("functions.html", rows=rows, next_marker=page.next_marker)


async def function(visit: Visit) -> Response:
    """A function, and the form that starts an execution of it. `like`: with the input of that one."""
    if like := visit.query("like"):
        before = await visit.api.execution(like)
        return await with_form(visit, before.function, payload=editable(before.input_payload or "null"), qualifier=before.version)
    return await with_form(visit, str(visit.request.path_params["name"]))


async def with_form(
    visit: Visit, name: str, *, status: int = 200, problem: str = "", payload: str | None = None, qualifier: str = ""
) -> Response:
    """The same with what was filled in. problem: why it was not taken."""
    shown: Function = await visit.api.function(name)
    versions, aliases = await visit.api.versions(name), await visit.api.aliases(name)
    counted = await visit.api.counts()
    schema = await visit.api.input_schema(name)
    counts = {one.status: one.count for one in counted.counts if one.function_name == name}
    return visit.page(
        "function.html",
        status,
        shown=shown,
        versions=versions,
        aliases=aliases,
        counts=[(one, counts[one]) for one in STATUSES if one in counts],
        problem=problem,
        schema=schema,
        payload=(json.dumps(example(schema), indent=2) if schema else "{}") if payload is None else payload,
        qualifier=qualifier,
    )


async def function_figures(visit: Visit) -> Response:
    """What its latest executions say of its operations. Read after the page, for it takes a call for each of them."""
    name = str(visit.request.path_params["name"])
    latest = (await visit.api.executions([("FunctionName", name), ("MaxItems", str(PACED))])).executions
    told = [(await visit.histories.beginning(visit.api, one.durable_execution_arn, SAMPLED_EVENTS))[0] for one in latest[:SAMPLE]]
    open_ones = sum(one.status in OPEN for one in latest[:SAMPLE])
    return visit.page(
        "_figures.html", function=name, pace=pace(latest, visit.now_s), rows=figures(told), sampled=len(told), open_ones=open_ones
    )
