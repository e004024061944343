"""CONTEXT: a child context, begun and closed by the handler alone. Children that are still open are left as they are."""

from __future__ import annotations

from typing import Final

from msgspec.structs import replace

from everstep.protocol.lifecycle import MOVES
from everstep.protocol.shapes import ContextDetails, Operation, OperationUpdate
from everstep.service.machine.change import Change
from everstep.service.machine.model import Record
from everstep.service.machine.rejection import invalid

_OPEN: Final = ContextDetails()


def apply(change: Change, update: OperationUpdate, record: Record | None) -> None:
    """Record what a handler says about a child context. Raises Rejected."""
    status = MOVES.get(("CONTEXT", record.operation.status if record else None, update.action))
    if status is None:
        raise invalid(
            "Cannot start a CONTEXT that already exist." if update.action == "START" else "Invalid current CONTEXT state to close."
        )
    is_over = status != "STARTED"
    details = (
        ContextDetails(
            result=update.payload,
            error=update.error,
            replay_children=update.context_options.replay_children if update.context_options else None,
        )
        if is_over
        else _OPEN
    )
    if record is None:
        record = change.create(
            Operation(
                id=update.id,
                type="CONTEXT",
                status=status,
                start_timestamp=change.stamp,
                end_timestamp=change.stamp if is_over else None,
                parent_id=update.parent_id,
                name=update.name,
                sub_type=update.sub_type,
                context_details=details,
            )
        )
    else:
        record = change.move(record, replace(record.operation, status=status, end_timestamp=change.stamp, context_details=details))
    change.emit(f"Context{status.capitalize()}", record.order)
