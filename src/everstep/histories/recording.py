"""One execution as it is recorded, wherever the record comes from."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Final

from msgspec import Struct

from everstep.protocol.shapes import TERMINAL, ErrorObject, ExecutionStatus, Operation
from everstep.replay.journal import PATCH

_BATCHES: Final = ("Map", "Parallel")


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


def passed_by_replays(operations: Sequence[Operation]) -> Iterator[Operation]:
    """The operations that the same code asks for on a replay, whatever else it asks for.

    Not the EXECUTION, nor marks of patches, nor what lies in a context that need not run again: one that has ended, unless its
    children are replayed; then a branch that had not ended by the end of its batch does not run again.
    """
    closed: set[str | None] = set()
    gathered: set[str | None] = set()  # batches whose result is gathered from their branches
    for operation in operations:
        if operation.type == "EXECUTION" or operation.sub_type == PATCH:
            continue
        if operation.parent_id in closed:
            closed.add(operation.id)
            continue
        if operation.parent_id in gathered and (operation.type != "CONTEXT" or operation.status not in TERMINAL):
            closed.add(operation.id)
            continue
        is_branch = operation.parent_id in gathered  # its operations are asked for, itself it is not
        if operation.type == "CONTEXT" and operation.status in TERMINAL:
            if operation.context_details is None or not operation.context_details.replay_children:
                closed.add(operation.id)
            elif operation.sub_type in _BATCHES:
                gathered.add(operation.id)
        if not is_branch:
            yield operation
