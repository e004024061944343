"""A group's writes as rows: those of one execution that follow each other are one change.

Rule: encoding comes first, so that what cannot be encoded is known before anything is sent.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from typing import Final, TypeAlias

from everstep.service.machine.model import Execution, Notice
from everstep.service.machine.upkeep import needs_owner, needs_recovery, owed_at
from everstep.service.stores.api import Write
from everstep.service.stores.rows import encode_event, encode_execution, encode_record

NEVER: Final = 2**63 - 1
"""In place of no time at all: a column of nothing but NULLs would have no type."""

Value: TypeAlias = str | int | bytes | bool


@dataclass(slots=True)
class Chain:
    """Writes of one execution that follow each other: they are taken together or not at all. The last one's state counts."""

    places: list[int]
    first: Execution
    last: Execution
    is_claim: bool = False
    records: dict[int, bytes] = field(default_factory=dict[int, bytes])
    payloads: dict[bool, bytes] = field(default_factory=dict[bool, bytes])
    event_ids: list[int] = field(default_factory=list[int])
    events: list[bytes] = field(default_factory=list[bytes])
    notices: list[Notice] = field(default_factory=list[Notice])

    def add(self, place: int, write: Write) -> None:
        execution = self.last = write.execution
        self.places.append(place)
        self.is_claim = self.is_claim or write.is_claim
        for record in write.records:
            self.records[record.order] = encode_record(record)
        self.event_ids.extend(event.event_id for event in write.events)
        self.events.extend(map(encode_event, write.events))
        self.notices.extend(write.notices)
        if execution.revision == 1 and execution.input is not None:
            self.payloads[False] = execution.input.encode()
        if execution.result is not None:
            self.payloads[True] = execution.result.encode()

    @property
    def is_new(self) -> bool:
        return self.first.revision == 1

    def row(self) -> tuple[Value, ...]:
        """As UPDATE or INSERT expects it; see the columns below."""
        last = self.last
        changing: tuple[Value, ...] = (
            last.id,
            last.revision,
            last.status,
            _or_never(last.due_at),
            _or_never(owed_at(last)),
            needs_recovery(last),
            needs_owner(last),
            encode_execution(last),
            self.event_ids[-1] if self.events else 0,
            self.event_ids[0] if self.events else 0,
            len(self.events),
            b"".join(self.events),
        )
        if self.is_new:
            return *changing, last.function, last.name, last.version, last.started_at
        return *changing, self.first.revision - 1, self.is_claim


def _or_never(at: int | None) -> int:
    return NEVER if at is None else at


def rounds(writes: Sequence[Write]) -> list[dict[str, Chain]]:
    """The chains, by execution, in their order. A second round is needed only after a write that does not follow its execution's last."""
    found: list[dict[str, Chain]] = []
    latest: dict[str, Chain] = {}
    for place, write in enumerate(writes):
        execution = write.execution
        chain = latest.get(execution.id)
        if chain is None or execution.revision != chain.last.revision + 1:
            if not found or execution.id in found[-1]:
                found.append({})
            chain = latest[execution.id] = found[-1][execution.id] = Chain([], execution, execution)
        chain.add(place, write)
    return found


def halves(chains: Iterable[Chain]) -> Iterator[list[Chain]]:
    """New executions, then changes: in this order rows are locked, see statements.py."""
    together = list(chains)
    for half in ([chain for chain in together if chain.is_new], [chain for chain in together if not chain.is_new]):
        if half:
            yield half
