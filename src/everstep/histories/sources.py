"""Recordings of a running service: the executions of a function, with their whole histories."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from datetime import datetime
from typing import Final, cast

from everstep.client.executions import ExecutionsApi, JsonObject
from everstep.protocol.shapes import ExecutionStatus

OPEN: Final[tuple[ExecutionStatus, ...]] = ("RUNNING", "PAUSING", "PAUSED")


def histories_of(
    api: ExecutionsApi,
    function: str,
    statuses: Sequence[ExecutionStatus],
    *,
    started_after: datetime | None = None,
    started_before: datetime | None = None,
    most: int | None = None,
) -> Iterator[dict[str, object]]:
    """What `recording_of` reads, and `everstep export` writes. statuses: one at a time is asked for, as AWS answers no more."""
    found = 0
    for status in statuses:
        for summary in api.list(function, statuses=[status], started_after=started_after, started_before=started_before):
            if found == most:
                return
            found += 1
            yield history_of(api, summary)


def history_of(api: ExecutionsApi, summary: JsonObject) -> dict[str, object]:
    """summary: what a listing, or GetDurableExecution, says of the execution."""
    arn = cast("str", summary["DurableExecutionArn"])
    return {"DurableExecutionArn": arn, "Status": summary.get("Status"), "Events": api.history(arn)}
