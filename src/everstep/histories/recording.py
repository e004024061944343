"""One execution as it is recorded, wherever the record comes from."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence

from msgspec import Struct

from everstep.protocol.shapes import TERMINAL, ErrorObject, ExecutionStatus, Operation
from everstep.replay.journal import is_gathered, visible_ids


class Recording(Struct, frozen=True, kw_only=True):
    """arn: None if the source does not say. source: names it to people, a file for one. input, result: JSON text.

    operations: in the order in which they began, the EXECUTION operation first.
    """

    source: str
    arn: str | None
    name: str
    status: ExecutionStatus
    operations: Sequence[Operation]
    input: str | None = None
    result: str | None = None
    error: ErrorObject | None = None

    @property
    def is_open(self) -> bool:
        return self.status not in TERMINAL


def passed_by_replays(operations: Mapping[str, Operation]) -> Iterator[Operation]:
    """The operations that the same code asks for on a replay, whatever else it asks for. operations: in the order they began."""
    shown = visible_ids(operations)
    for operation in operations.values():
        # Of a flat branch it is not known whether it had ended.
        is_of_flat_branch = operation.type != "CONTEXT" and is_gathered(operations.get(operation.parent_id or ""))
        if operation.id in shown and not is_of_flat_branch:
            yield operation
