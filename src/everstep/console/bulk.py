"""What is done to many executions at once: to those that were chosen, or to all that a search matches.

Rule: all that match are counted first, and what is then done is done to no more than were counted: to none that began later. Of those
that refuse it is said which and why.
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Final

from starlette.responses import Response

from everstep.console.actions import BY_CONSOLE
from everstep.console.api import Api, Refused
from everstep.console.searches import NotATime, Search, search
from everstep.console.values import OPEN, STATUSES
from everstep.console.visits import Visit

MOST: Final = 1_000
"""Executions that are acted on at once."""
AT_A_TIME: Final = 8
SHOWN: Final = 50
"""Refusals."""


@dataclass(frozen=True, slots=True)
class Act:
    """name: as its button says. done: as what came of it says. statuses: of the executions that it is for."""

    name: str
    done: str
    statuses: Sequence[str]
    act: Callable[[Api, str], Awaitable[object]]


async def _stop(api: Api, arn: str) -> None:
    await api.stop(arn, BY_CONSOLE)


async def _run_again(api: Api, arn: str) -> None:
    await api.run_again(arn)


ACTS: Final[Mapping[str, Act]] = {
    "stop": Act("Stop", "stopped", OPEN, _stop),
    "again": Act("Run again", "run again", [one for one in STATUSES if one not in (*OPEN, "DELETING")], _run_again),
}


async def act_on_chosen(visit: Visit) -> Response:
    act = ACTS.get(visit.field("verb"))
    if act is None:
        return visit.problem(400, "Not done", "It was not said what to do with the chosen executions.")
    return await _done(visit, act, visit.form.get("arn", [])[:MOST])


async def matching(visit: Visit) -> Response:
    """How many match, and the form that acts on them."""
    act = ACTS.get(str(visit.request.path_params["verb"]))
    if act is None:
        return visit.problem(404, "No such page", "There is nothing here.")
    try:
        wanted = search(visit.query, visit.request.query_params.getlist("status")).among(act.statuses)
    except NotATime as error:
        return visit.problem(400, "Not a time", f"{error} is no time: write it like 2026-11-24T15:30.")
    counted_at = datetime.fromtimestamp(visit.now_s, UTC).replace(tzinfo=None).isoformat(timespec="milliseconds")
    found, is_all = await _found(visit.api, wanted, MOST)
    return visit.page(
        "bulk.html", act=act, verb=visit.request.path_params["verb"], wanted=wanted, count=len(found), is_all=is_all, counted_at=counted_at
    )


async def act_on_matching(visit: Visit) -> Response:
    act = ACTS.get(str(visit.request.path_params["verb"]))
    most = visit.field("count")
    if act is None or not most.isdecimal():
        return visit.problem(400, "Not done", "It was not said what to do with how many executions.")
    try:
        wanted = search(visit.field, visit.form.get("status", [])).among(act.statuses)
    except NotATime as error:
        return visit.problem(400, "Not a time", f"{error} is no time.")
    if "before" not in wanted.kept:
        return visit.problem(400, "Not done", "It was not said when the executions were counted.")
    found, _ = await _found(visit.api, wanted, min(int(most), MOST))
    return await _done(visit, act, found)


async def _found(api: Api, wanted: Search, most: int) -> tuple[Sequence[str], bool]:
    """The ARNs of the newest that match, and whether that are all."""
    found: list[str] = []
    marker: str | None = None
    while wanted.statuses:
        asked = [("MaxItems", str(min(most, MOST))), *wanted.asked()]
        page = await api.executions([*asked, ("Marker", marker)] if marker else asked)
        found += [one.durable_execution_arn for one in page.executions]
        marker = page.next_marker
        if marker is None or len(found) >= most:
            return found[:most], marker is None and len(found) <= most
    return found, True


async def _done(visit: Visit, act: Act, arns: Sequence[str]) -> Response:
    refused: dict[str, Refused] = {}
    room = asyncio.Semaphore(AT_A_TIME)

    async def one(arn: str) -> None:
        async with room:
            try:
                await act.act(visit.api, arn)
            except Refused as error:
                refused[arn] = error

    async with asyncio.TaskGroup() as group:
        for arn in arns:
            group.create_task(one(arn))
    for error in refused.values():
        if error.needs_sign_in:
            raise error
    told = [(arn, refused[arn].message) for arn in arns if arn in refused]
    return visit.page("done.html", act=act, count=len(arns), refused=told[:SHOWN], refusals=len(told))
