"""`everstep server --check`: what is wrong with a store, said to people or, as JSON, to programs."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Iterator

import msgspec

from everstep.service.checking import Report, check
from everstep.service.stores.urls import store_at


def checked(url: str) -> Report:
    """Raises UsageError and StoreError as `check` does."""
    return asyncio.run(check(store_at(url), lambda: time.time_ns() // 1_000_000))


def as_json(report: Report) -> str:
    return msgspec.json.format(msgspec.json.encode(report), indent=2).decode()


def as_text(report: Report) -> Iterator[str]:
    """Its lines."""
    for what, found in (("", report.faults), ("warning, ", report.warnings)):
        for where, faults in found.items():
            yield from (f"{where}: {what}{fault.rule}: {fault.says}" for fault in faults)
    counted = f"{report.executions} executions, {report.operations} operations, {report.events} events"
    count = sum(map(len, report.faults.values()))
    verdict = f"{count} faults in {len(report.faults)} places" if count else "nothing is wrong"
    yield f"{report.store}, schema {report.schema}: {counted}; {verdict}"
