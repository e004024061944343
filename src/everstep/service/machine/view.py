"""What a handler is shown of its execution."""

from __future__ import annotations

from collections.abc import Iterable, Mapping

from everstep.protocol.shapes import Operation
from everstep.service.machine.model import Record


def visible(records: Iterable[Record]) -> tuple[Operation, ...]:
    """The operations that a handler is shown. records: all, by order."""
    return shown(record.operation for record in records)


def shown(operations: Iterable[Operation]) -> tuple[Operation, ...]:
    """The operations without those inside contexts that are closed and need not run again. operations: all, by order.

    A context stands before its children, so one pass is enough.
    Source: API model, GetDurableExecutionState.
    """
    shown: list[Operation] = []
    closed: set[str] = set()
    for operation in operations:
        is_hidden = operation.parent_id in closed
        if is_hidden or _hides_its_children(operation):
            closed.add(operation.id)
        if not is_hidden:
            shown.append(operation)
    return tuple(shown)


def is_visible(operation: Operation, records: Mapping[str, Record]) -> bool:
    """Whether the operation is among the visible ones."""
    parent = records.get(operation.parent_id) if operation.parent_id else None
    while parent is not None:
        if _hides_its_children(parent.operation):
            return False
        parent = records.get(parent.operation.parent_id) if parent.operation.parent_id else None
    return True


def _hides_its_children(context: Operation) -> bool:
    details = context.context_details
    return context.type == "CONTEXT" and context.status in ("SUCCEEDED", "FAILED") and not (details and details.replay_children)
