"""WAIT: a time to come, kept by the service."""

from __future__ import annotations

from typing import Final

from msgspec.structs import replace

from everstep.protocol.lifecycle import MOVES
from everstep.protocol.shapes import Operation, OperationUpdate, WaitDetails
from everstep.service.machine.change import Change
from everstep.service.machine.model import Record
from everstep.service.machine.rejection import invalid
from everstep.service.machine.wire import payload_of

_ILLEGAL: Final = {
    "START": "Cannot start a WAIT that already exist.",
    "CANCEL": "Cannot cancel a WAIT that does not exist or has already completed.",
}


def apply(change: Change, update: OperationUpdate, record: Record | None) -> None:
    """Record what a handler says about a wait. Raises Rejected."""
    if ("WAIT", record.operation.status if record else None, update.action) not in MOVES:
        raise invalid(_ILLEGAL[update.action])
    if record is None:
        _start(change, update)
    else:
        change.move(record, replace(record.operation, status="CANCELLED", end_timestamp=change.stamp))
        change.emit("WaitCancelled", record.order, {"Error": payload_of(update.error)} if update.error else {})


def _start(change: Change, update: OperationUpdate) -> None:
    if update.wait_options is None:
        raise invalid("Update for WAIT operation requires WaitOptions.")
    seconds = update.wait_options.wait_seconds
    ends_at = change.stamp + seconds * 1000
    record = change.create(
        Operation(
            id=update.id,
            type="WAIT",
            status="STARTED",
            start_timestamp=change.stamp,
            parent_id=update.parent_id,
            name=update.name,
            sub_type=update.sub_type,
            wait_details=WaitDetails(scheduled_end_timestamp=ends_at),
        ),
        due_at=ends_at,
    )
    change.emit("WaitStarted", record.order, {"Duration": seconds, "ScheduledEndTimestamp": ends_at})


def elapsed(change: Change, record: Record) -> None:
    """End a wait whose time has come."""
    operation = record.operation
    assert record.due_at is not None
    change.move(record, replace(operation, status="SUCCEEDED", end_timestamp=change.stamp))
    change.emit("WaitSucceeded", record.order, {"Duration": int(record.due_at - operation.start_timestamp) // 1000})
    change.wake()
