"""What the executions of a function say together: how many start and fail, how long operations take, where executions stand.

Rule: pure. Operations are told apart by their titles, and the iterations of a map, which are numbered, count as one.
"""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Final

from everstep.console.api import Found
from everstep.console.searches import waiting_in
from everstep.console.timeline import Operation, Timeline

_NUMBER: Final = re.compile(r"-\d+$")


@dataclass(frozen=True, slots=True)
class Pace:
    """Of executions. per_hour: how many started, since the first of them. failed: a share of those that have ended; None: none has."""

    count: int
    per_hour: float
    failed: float | None
    p50_s: float | None
    p99_s: float | None


def pace(executions: Sequence[Found], now_s: float) -> Pace | None:
    """executions: the latest, of one function or more. None: there are none."""
    if not executions:
        return None
    since = min(one.start_timestamp for one in executions)
    ended = [one for one in executions if one.end_timestamp is not None]
    lasted = [one.end_timestamp - one.start_timestamp for one in ended if one.end_timestamp is not None]
    failed = sum(one.status in ("FAILED", "TIMED_OUT") for one in ended)
    return Pace(
        count=len(executions),
        per_hour=len(executions) * 3_600 / max(now_s - since, 1.0),
        failed=failed / len(ended) if ended else None,
        p50_s=percentile(lasted, 50),
        p99_s=percentile(lasted, 99),
    )


@dataclass(frozen=True, slots=True)
class Row:
    """p50_s, p99_s: of those that have ended. stuck: in how many executions it is what they stand at. searched: the fields of a search
    for those of them that wait; None if none does."""

    title: str
    kind: str
    count: int
    failures: int
    retries: int
    p50_s: float | None
    p99_s: float | None
    stuck: int
    searched: Mapping[str, str] | None


def figures(timelines: Iterable[Timeline]) -> Sequence[Row]:
    """In the order in which they first appear."""
    lasted: dict[tuple[str, str], list[float]] = {}
    total, failures, retries, stuck = (Counter[tuple[str, str]]() for _ in range(4))
    searched: dict[tuple[str, str], Mapping[str, str]] = {}
    for timeline in timelines:
        for operation in timeline.operations:
            key = _key(operation)
            total[key] += 1
            failures[key] += operation.status in ("FAILED", "TIMED_OUT")
            retries[key] += operation.attempts - 1
            ended = lasted.setdefault(key, [])
            if operation.ends_at is not None:
                ended.append(operation.ends_at - operation.starts_at)
        open_ones = timeline.waits_for()
        stuck.update({_key(one) for one in open_ones})
        searched |= {_key(one): waiting_in(one.kind, one.name) for one in open_ones if one.status in ("WAITING", "RETRYING")}
    return [
        Row(
            title,
            kind,
            total[key],
            failures[key],
            retries[key],
            percentile(ended, 50),
            percentile(ended, 99),
            stuck[key],
            searched.get(key),
        )
        for key, ended in lasted.items()
        for title, kind in [key]
    ]


def _key(operation: Operation) -> tuple[str, str]:
    title = operation.title
    return (_NUMBER.sub("", title) if operation.sub_type == "MapIteration" else title, operation.kind_word)


def percentile(values: Sequence[float], percent: int) -> float | None:
    """The smallest value that this share of them does not exceed; None if there are none."""
    if not values:
        return None
    return sorted(values)[max(0, -(-len(values) * percent // 100) - 1)]
