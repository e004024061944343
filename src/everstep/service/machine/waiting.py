"""What an execution waits for, for whoever searches by it.

Rule: an operation *waits* as long as the service is to move it on (a wait until its end, a callback or a chained invoke until its
outcome, a step until its next attempt), and every context that it is in goes on: what a context left behind when it ended keeps
nobody waiting.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from typing import Literal, TypeAlias

from msgspec import Struct

from everstep.service.machine.model import Record
from everstep.service.machine.state import is_pending

WaitingType: TypeAlias = Literal["STEP", "WAIT", "CALLBACK", "CHAINED_INVOKE"]


class Waiting(Struct, frozen=True, kw_only=True):
    """Which waiting operations are meant; absent members do not restrict. name: its own, or that of a context that it is in."""

    name: str | None = None
    type: WaitingType | None = None


def longest_waiting(records: Iterable[Record], what: Waiting) -> Record | None:
    """The operation that is meant and began first. records: at least those that have not ended."""
    unended = {one.operation.id: one for one in records if is_pending(one) or _goes_on(one)}
    found = (one for one in unended.values() if is_pending(one) and _is_meant(one, what, unended))
    return min(found, key=lambda record: record.order, default=None)


def _goes_on(record: Record) -> bool:
    return record.operation.type == "CONTEXT" and record.operation.status == "STARTED"


def _is_meant(record: Record, what: Waiting, unended: Mapping[str, Record]) -> bool:
    if what.type not in (None, record.operation.type):
        return False
    path = list(_path(record, unended))
    return None not in path and (what.name is None or any(one is not None and one.operation.name == what.name for one in path))


def _path(record: Record, unended: Mapping[str, Record]) -> Iterator[Record | None]:
    """The operation and the contexts around it. None: one of them has ended."""
    place: Record | None = record
    while place is not None:
        yield place
        parent_id = place.operation.parent_id
        if parent_id is None:
            return
        place = unended.get(parent_id)
    yield None
