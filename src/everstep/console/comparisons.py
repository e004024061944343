"""Two executions side by side: in what they differ, where first, and each pair of operations on timelines of their own.

Rule: what is compared is decided in `histories.comparison`, as for `everstep compare`; here it is only read and laid out.
"""

from __future__ import annotations

from collections import Counter
from typing import Final
from urllib.parse import quote

import msgspec
from starlette.responses import Response

from everstep.console.api import Api
from everstep.console.values import spaced
from everstep.console.visits import Visit
from everstep.errors import UsageError
from everstep.histories.comparison import Comparison, Pair, Verdict, attempts_of, compare, duration_ms, error_of
from everstep.histories.reading import recording_of
from everstep.histories.recording import Recording
from everstep.protocol.shapes import Operation

CHOICES: Final = 20
SHOWN: Final = 300
"""Pairs on a page."""
WIDTH: Final = 1000
_KINDS: Final = {"CHAINED_INVOKE": "invoke", "CONTEXT": "child context"}
VERDICTS: Final[tuple[Verdict, ...]] = ("differs", "left only", "right only", "same")


class Side(msgspec.Struct, frozen=True):
    """An operation in one of the executions. x, width: of its bar, in units of WIDTH. error: type and message."""

    id: str
    kind: str
    status: str
    attempts: int
    seconds: float | None
    x: float
    width: float
    is_branch: bool
    error: str


class Row(msgspec.Struct, frozen=True):
    label: str
    depth: int
    verdict: Verdict
    differs_in: str
    is_first: bool
    left: Side | None
    right: Side | None


async def comparison(visit: Visit) -> Response:
    """`with`: the other one; without, which one is chosen. `all`: shows what is the same, too."""
    left = await visit.api.execution(visit.arn)
    other = visit.query("with")
    if not other:
        return await _choice(visit)
    right = await visit.api.execution(other)
    try:
        found = compare(await _recording(visit.api, visit.arn), await _recording(visit.api, other))
    except UsageError as error:  # a history that is not whole, or that nobody can read
        return visit.problem(409, "Not comparable", str(error))
    shows_all = visit.query("all") == "1"
    start = visit.number("from")
    pairs = found.pairs if shows_all else found.differing
    draw = _Drawing(found, visit.now_s)
    return visit.page(
        "comparison.html",
        left=left,
        right=right,
        differs_in=found.differs_in,
        first=found.first,
        counts=_counts(found),
        rows=[draw.row(pair) for pair in pairs[start : start + SHOWN]],
        start=start,
        total=len(pairs),
        more=start + SHOWN if start + SHOWN < len(pairs) else None,
        shows_all=shows_all,
        here_path=f"/compare/{quote(visit.arn, safe='')}?with={quote(other, safe='')}",
        swapped=f"/compare/{quote(other, safe='')}?with={quote(visit.arn, safe='')}",
    )


async def compare_chosen(visit: Visit) -> Response:
    """From the list, where two are chosen."""
    chosen = visit.form.get("arn", [])
    if len(chosen) != 2:
        return visit.problem(400, "Choose two", f"Two executions can be compared, and {len(chosen)} were chosen.")
    older, newer = reversed(chosen)
    return visit.to(f"/compare/{quote(older, safe='')}?with={quote(newer, safe='')}")


async def _choice(visit: Visit) -> Response:
    shown = await visit.api.execution(visit.arn, with_data=False)
    asked = [("FunctionName", shown.function), ("MaxItems", str(CHOICES + 1))]
    if name := visit.query("name").strip():
        asked.append(("DurableExecutionName", name))
    found = (await visit.api.executions(asked)).executions
    others = [one for one in found if one.durable_execution_arn != visit.arn][:CHOICES]
    return visit.page("compare_with.html", shown=shown, arn=visit.arn, others=others, sought=name)


async def _recording(api: Api, arn: str) -> Recording:
    return recording_of({"DurableExecutionArn": arn, "Events": [event async for event in api.events(arn)]}, arn)


def _counts(found: Comparison) -> list[tuple[Verdict, int]]:
    counted = Counter(pair.verdict for pair in found.pairs)
    return [(verdict, counted[verdict]) for verdict in VERDICTS if counted[verdict]]


class _Drawing:
    """Bars of both executions, each on the scale of its own."""

    def __init__(self, found: Comparison, now_s: float) -> None:
        self._found = found
        self._spans = [_span(one, now_s * 1000) for one in (found.left, found.right)]

    def row(self, pair: Pair) -> Row:
        left, right = (None if one is None else _side(one, *span) for one, span in zip((pair.left, pair.right), self._spans, strict=True))
        return Row(
            label=str(pair.place[-1]),
            depth=len(pair.place) - 1,
            verdict=pair.verdict,
            differs_in=", ".join(pair.differs_in),
            is_first=self._found.first is not None and pair.place == self._found.first.place,
            left=left,
            right=right,
        )


def _span(one: Recording, now_ms: float) -> tuple[float, float]:
    """When it began and when the last that is known of it happened; copied operations of a fork began before it."""
    starts = min((operation.start_timestamp for operation in one.operations), default=now_ms)
    ends = max((operation.end_timestamp or operation.start_timestamp for operation in one.operations), default=now_ms)
    return starts, max(now_ms if one.is_open else ends, starts + 1)


def _side(operation: Operation, starts_ms: float, ends_ms: float) -> Side:
    lasted, error = duration_ms(operation), error_of(operation)
    scale = WIDTH / (ends_ms - starts_ms)
    ended_ms = ends_ms if operation.end_timestamp is None else operation.end_timestamp
    return Side(
        id=operation.id,
        kind=_kind(operation),
        status=operation.status,
        attempts=attempts_of(operation) or 1,
        seconds=None if lasted is None else lasted / 1000,
        x=(operation.start_timestamp - starts_ms) * scale,
        width=max((ended_ms - operation.start_timestamp) * scale, 0.0001),
        is_branch=operation.type == "CONTEXT",
        error="" if error is None else ": ".join(part for part in (error.error_type, error.error_message) if part),
    )


def _kind(operation: Operation) -> str:
    if operation.sub_type and operation.type == "CONTEXT":
        return spaced(operation.sub_type)
    return _KINDS.get(operation.type, operation.type.lower())
