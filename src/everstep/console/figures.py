"""What the histories of a function's executions say together: how long its operations take, how often they fail, where executions stand.

Rule: pure. Operations are told apart by their titles, so the branches of a map count as one if they bear one name.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from everstep.console.timeline import Timeline


@dataclass(frozen=True, slots=True)
class Row:
    """seconds: of those that have ended. waiting: in how many executions it is what they stand at."""

    title: str
    kind: str
    count: int
    failures: int
    retries: int
    p50_s: float | None
    p99_s: float | None
    waiting: int


def figures(timelines: Iterable[Timeline]) -> Sequence[Row]:
    """In the order in which they first appear."""
    lasted: dict[tuple[str, str], list[float]] = {}
    total, failures, retries, waiting = (Counter[tuple[str, str]]() for _ in range(4))
    for timeline in timelines:
        for operation in timeline.operations:
            key = (operation.title, operation.kind_word)
            total[key] += 1
            failures[key] += operation.status in ("FAILED", "TIMED_OUT")
            retries[key] += operation.attempts - 1
            ended = lasted.setdefault(key, [])
            if operation.ends_at is not None:
                ended.append(operation.ends_at - operation.starts_at)
        waiting.update({(one.title, one.kind_word) for one in timeline.waits_for()})
    return [
        Row(title, kind, total[key], failures[key], retries[key], percentile(ended, 50), percentile(ended, 99), waiting[key])
        for key, ended in lasted.items()
        for title, kind in [key]
    ]


def percentile(values: Sequence[float], percent: int) -> float | None:
    """The smallest value that this share of them does not exceed; None if there are none."""
    if not values:
        return None
    return sorted(values)[max(0, -(-len(values) * percent // 100) - 1)]
