"""Which updates may travel together: the rules that a batch as a whole has to meet, and each of its updates beside what is recorded.

Source: the official emulator, whose messages these are.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final

from everstep.protocol.lifecycle import ACTIONS
from everstep.protocol.limits import MAX_ERROR_BYTES, MAX_OPERATION_PAYLOAD
from everstep.protocol.shapes import OPERATION_TYPES, OperationUpdate
from everstep.service.machine.change import Change
from everstep.service.machine.model import Record
from everstep.service.machine.rejection import invalid
from everstep.service.machine.sizes import error_bytes, text_bytes
from everstep.service.machine.state import State

_MAY_FOLLOW_START: Final = frozenset(
    {("STEP", "SUCCEED"), ("STEP", "FAIL"), ("STEP", "RETRY"), ("CONTEXT", "SUCCEED"), ("CONTEXT", "FAIL")}
)


def check_batch(state: State, updates: Sequence[OperationUpdate]) -> None:
    """Raises Rejected if the updates cannot be recorded together."""
    closing = [place for place, update in enumerate(updates) if update.type == "EXECUTION"]
    if len(closing) > 1:
        raise invalid("Cannot checkpoint multiple EXECUTION updates.")
    if closing and closing[0] != len(updates) - 1:
        raise invalid("EXECUTION checkpoint must be the last update.")
    earlier: dict[str, OperationUpdate | None] = {}  # None: this id must not come again
    contexts: set[str] = set()
    for update in updates:
        if update.id in earlier:
            first = earlier[update.id]
            if first is None or first.action != "START" or (update.type, update.action) not in _MAY_FOLLOW_START:
                raise invalid("Cannot checkpoint multiple operations with the same ID.")
            earlier[update.id] = None
        else:
            earlier[update.id] = update
        parent_id = update.parent_id
        if parent_id is not None and parent_id not in contexts and not _is_context(state.records.get(parent_id)):
            raise invalid("Invalid parent operation id.")
        if update.type == "CONTEXT":
            contexts.add(update.id)


def _is_context(record: Record | None) -> bool:
    return record is not None and record.operation.type == "CONTEXT"


def check_update(change: Change, update: OperationUpdate, record: Record | None) -> None:
    """Raises Rejected if the update contradicts what is recorded, is too large, or is of no kind that its type knows."""
    if update.type not in OPERATION_TYPES:
        raise invalid("Unknown operation type.")
    if record is not None:
        _check_identity(update, record)
    _check_size(change, update)
    if (update.type, update.action) not in ACTIONS:
        raise invalid("Invalid action for the given operation type.")


def _check_identity(update: OperationUpdate, record: Record) -> None:
    """A member that is left out agrees with anything."""
    known = record.operation
    if update.type != known.type:
        raise invalid("Inconsistent operation type.")
    if update.sub_type is not None and update.sub_type != known.sub_type:
        raise invalid("Inconsistent operation subtype.")
    if update.name is not None and update.name != known.name:
        raise invalid("Inconsistent operation name.")
    if update.parent_id is not None and update.parent_id != known.parent_id:
        raise invalid("Inconsistent parent operation id.")


def _check_size(change: Change, update: OperationUpdate) -> None:
    size, error_size = text_bytes(update.payload), error_bytes(update.error)
    if size > MAX_OPERATION_PAYLOAD and update.type != "EXECUTION":
        what = "CHAINED_INVOKE input" if update.type == "CHAINED_INVOKE" else update.type
        raise invalid(f"{what} payload size must be less than or equal to {MAX_OPERATION_PAYLOAD} bytes.")
    if error_size > MAX_ERROR_BYTES:
        raise invalid(f"Error object size must be less than or equal to {MAX_ERROR_BYTES} bytes.")
    if size or error_size:
        change.use_bytes(size + error_size)


def check_outcome(update: OperationUpdate) -> None:
    """Raises Rejected if an update that closes an operation carries the wrong kind of outcome."""
    if update.action == "SUCCEED" and update.error is not None:
        raise invalid("Cannot provide an Error for SUCCEED action.")
    if update.action == "FAIL" and update.payload is not None:
        raise invalid("Cannot provide a Payload for FAIL action.")
