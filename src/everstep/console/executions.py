"""The page of an execution: what it is, its operations on a timeline, its payloads, its events.

Rule: the page itself needs few calls, so it is there at once; a history of many pages is read for the timeline alone, which comes after
it, a section at a time. While it is open it renews itself when there is something new, see live.py.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final

import msgspec
from starlette.responses import Response

from everstep.console.api import Api, CallSite
from everstep.console.timeline import Event, Operation, Span, Timeline, details, members, text, timeline
from everstep.console.values import OPEN
from everstep.console.visits import Visit

SECTION: Final = 200
"""Operations that are shown at once."""
EVENTS: Final = 100
SMALL: Final = 400
"""Events of a history that comes with the page."""
WIDTH: Final = 1000
"""Of a timeline, in its own units."""
LEAST: Final = 0.0001
"""Of a bar: one of no width would not be drawn. Its outline makes it visible at any scale."""


async def execution(visit: Visit) -> Response:
    """`operation`: the page of that one instead, where no script unfolds it."""
    if chosen := visit.query("operation"):
        return visit.to_operation(visit.arn, chosen)
    position = await visit.api.position(visit.arn, "", 0)  # asked first, so that the page hears of whatever comes later
    told, is_whole = await visit.histories.beginning(visit.api, visit.arn, SMALL)
    section = _section(told, 0, visit.now_s, await visit.api.call_sites(visit.arn)) if is_whole else None
    return await _page(visit, section, position)


async def state(visit: Visit) -> Response:
    """The same without its operations, for what else of it changes."""
    return await _page(visit, None, "")


async def _page(visit: Visit, section: Section | None, position: str) -> Response:
    shown, origin = await visit.api.execution(visit.arn), await visit.api.origin(visit.arn)
    is_open = shown.status in OPEN
    return visit.page("execution.html", shown=shown, origin=origin, is_open=is_open, section=section, arn=visit.arn, position=position)


async def operations(visit: Visit) -> Response:
    """A section of the timeline. `from`: how many operations come before it; `operation`: as in the page."""
    if chosen := visit.query("operation"):
        return visit.to_operation(visit.arn, chosen)
    start = visit.number("from")
    shown = await visit.api.execution(visit.arn, with_data=False)
    told = await visit.histories.whole(visit.api, visit.arn)
    section = _section(told, start, visit.now_s, await visit.api.call_sites(visit.arn))
    return visit.page("_operations.html", shown=shown, is_open=shown.status in OPEN, section=section, arn=visit.arn)


async def operation(visit: Visit) -> Response:
    """The payloads, errors and events of one operation."""
    events = await recorded(visit.api, visit.arn, visit.query("id"))
    told = timeline(events).operations
    sites = await visit.api.call_sites(visit.arn)
    site = sites.get((told[0].sub_type, told[0].name)) if told else None
    return visit.page(
        "_operation.html", operation=told[0] if told else None, site=site, events=[_shown(event) for event in events], arn=visit.arn
    )


async def recorded(api: Api, arn: str, operation_id: str) -> list[Event]:
    """The events of one operation, with their payloads."""
    return [event async for event in api.events(arn) if event.get("Id") == operation_id]


async def events(visit: Visit) -> Response:
    """A page of the history, newest first."""
    page = await visit.api.history(visit.arn, marker=visit.query("marker") or None, size=EVENTS, with_data=True, newest_first=True)
    return visit.page("_events.html", events=[_shown(event) for event in page.events], next_marker=page.next_marker, arn=visit.arn)


class Bar(msgspec.Struct, frozen=True):
    """A span as it is drawn, in units of WIDTH."""

    kind: str
    x: float
    width: float
    is_open: bool
    seconds: float


class Row(msgspec.Struct, frozen=True):
    """site: where the handler calls it, if that is known."""

    operation: Operation
    bars: list[Bar]
    seconds: float
    site: CallSite | None


class Section(msgspec.Struct, frozen=True):
    """rows: from `start` on. more: where the next section starts; None: there is none."""

    start: int
    rows: list[Row]
    invocations: list[Bar]
    more: int | None
    total: int
    seconds: float
    starts_at: float
    waits_for: list[Operation]
    invoked: int


def _section(told: Timeline, start: int, now_s: float, sites: Mapping[tuple[str, str], CallSite]) -> Section:
    until = told.ends_at or max(now_s, told.starts_at)
    scale = WIDTH / max(until - told.starts_at, 0.001)

    def bar(span: Span) -> Bar:
        ends_at = until if span.ends_at is None else min(span.ends_at, until)
        x = min(max((span.starts_at - told.starts_at) * scale, 0.0), float(WIDTH))
        return Bar(span.kind, x, max((ends_at - span.starts_at) * scale, LEAST), span.ends_at is None, max(ends_at - span.starts_at, 0.0))

    chosen = told.operations[start : start + SECTION]
    rows = [
        Row(one, [bar(span) for span in one.spans], max((one.ends_at or until) - one.starts_at, 0.0), sites.get((one.sub_type, one.name)))
        for one in chosen
    ]
    more = start + SECTION if start + SECTION < len(told.operations) else None
    return Section(
        start=start,
        rows=rows,
        invocations=[bar(span) for span in told.invocations[-SECTION:]] if start == 0 else [],
        more=more,
        total=len(told.operations),
        seconds=until - told.starts_at,
        starts_at=told.starts_at,
        waits_for=list(told.waits_for()) if told.ends_at is None else [],
        invoked=len(told.invocations),
    )


class Shown(msgspec.Struct, frozen=True):
    """An event as it is listed. payloads: by what they are. facts: the rest, as text. trace: of its error."""

    number: object
    type: str
    at: object
    name: str
    payloads: list[tuple[str, str]]
    facts: list[tuple[str, str]]
    error: str
    trace: str


def _shown(event: Event) -> Shown:
    payloads: list[tuple[str, str]] = []
    facts: list[tuple[str, str]] = []
    error, trace = "", ""
    for member, value in details(event).items():
        if member in ("Input", "Result"):
            payload = members(value).get("Payload")
            if isinstance(payload, str):
                payloads.append((member, payload))
        elif member == "Error":
            told = members(members(value).get("Payload"))
            error = ": ".join(part for part in (text(told.get("ErrorType")), text(told.get("ErrorMessage"))) if part)
            lines = told.get("StackTrace")
            trace = "\n".join(str(line) for line in lines) if isinstance(lines, list) else ""  # pyright: ignore[reportUnknownVariableType, reportUnknownArgumentType]
            if data := text(told.get("ErrorData")):
                payloads.append(("ErrorData", data))
        elif member != "CallbackId":
            facts += _facts(member, value)
    return Shown(
        number=event.get("EventId"),
        type=text(event.get("EventType")),
        at=event.get("EventTimestamp"),
        name=text(event.get("Name")),
        payloads=payloads,
        facts=facts,
        error=error,
        trace=trace,
    )


def _facts(member: str, value: object) -> list[tuple[str, str]]:
    """A member as text; of one that has members itself, those."""
    inside = members(value)
    if inside:
        return [fact for name, one in inside.items() for fact in _facts(name, one)]
    return [(member, text(value) or msgspec.json.encode(value).decode())]
