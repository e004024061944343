"""Recordings of a running service: the executions of a function, with their whole histories."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Final, cast

from everstep.client.executions import ExecutionsApi, JsonObject
from everstep.protocol.shapes import ExecutionStatus

OPEN: Final[tuple[ExecutionStatus, ...]] = ("RUNNING", "PAUSING", "PAUSED")


def open_histories_of(api: ExecutionsApi, function: str) -> Iterator[dict[str, object]]:
    """What `recording_of` reads, of a function's open executions. One status at a time is asked for, as AWS answers no more."""
    for status in OPEN:
        for summary in api.list(function, statuses=[status]):
            yield history_of(api, summary)


def history_of(api: ExecutionsApi, summary: JsonObject) -> dict[str, object]:
    """What `recording_of` reads, and `everstep export` writes. summary: what a listing, or GetDurableExecution, says of the execution."""
    arn = cast("str", summary["DurableExecutionArn"])
    return {"DurableExecutionArn": arn, "Status": summary.get("Status"), "Events": api.history(arn)}
