"""The recorded state that a Lambda event brings, read as far as it is asked for.

Rule: a warm execution looks at the few operations that may have changed, so only those are read; a replay reads all of
them, further pages included. Operations are in the order in which they began.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import cast

import msgspec

from everstep.client import lenient
from everstep.client.api import DurableClient
from everstep.client.event import read_event
from everstep.protocol.shapes import ExecutionState, Operation

_Raw = Mapping[str, object]


class EventState:
    """An invocation's event, with its arn, checkpoint_token and updated_operation_ids. Raises UsageError if it is no durable invocation."""

    def __init__(self, event: object) -> None:
        parts = _parts(event)
        if parts is None:
            read = read_event(event)
            self.arn, self.checkpoint_token = read.durable_execution_arn, read.checkpoint_token
            self._read: Sequence[Operation] | None = read.initial_execution_state.operations
            self._raw: Sequence[_Raw] = ()
            self._marker = read.initial_execution_state.next_marker
            self.updated_operation_ids: Sequence[str] = read.updated_operation_ids or ()
        else:
            self.arn, self.checkpoint_token, self._raw, self._marker, self.updated_operation_ids = parts
            self._read = None
        self._index: dict[str, Operation] | None = None

    def count(self) -> int | None:
        """How many operations there are; None if some are on further pages."""
        return None if self._marker else len(self._raw if self._read is None else self._read)

    def get(self, operation_id: str, place: int) -> Operation | None:
        """One operation. place: where it was in the order when last seen."""
        if self._read is None and place < len(self._raw) and self._raw[place].get("Id") == operation_id:
            return _operation(self._raw[place])
        if self._index is None:
            self._index = {operation.id: operation for operation in self._all_here()}
        return self._index.get(operation_id)

    async def all(self, client: DurableClient) -> dict[str, Operation]:
        """Every operation by id, fetching further pages. Raises ServiceError."""
        operations = {operation.id: operation for operation in self._all_here()}
        marker = self._marker
        while marker:
            page = await client.get_state(self.arn, self.checkpoint_token, marker)
            operations.update((operation.id, operation) for operation in page.operations)
            marker = page.next_marker
        return operations

    def _all_here(self) -> Sequence[Operation]:
        if self._read is None:
            try:
                self._read = msgspec.convert({"Operations": self._raw}, ExecutionState).operations  # which msgspec knows already
            except msgspec.ValidationError:
                self._read = [_operation(raw) for raw in self._raw]
        return self._read


def _parts(event: object) -> tuple[str, str, Sequence[_Raw], str | None, Sequence[str]] | None:
    """The members of an event of the usual form; None if it needs a closer look."""
    if not isinstance(event, dict):
        return None
    members = cast("dict[str, object]", event)
    arn, token, state = members.get("DurableExecutionArn"), members.get("CheckpointToken"), members.get("InitialExecutionState")
    if not (isinstance(arn, str) and arn and isinstance(token, str) and isinstance(state, dict)):
        return None
    page = cast("dict[str, object]", state)
    operations, marker = page.get("Operations"), page.get("NextMarker")
    if not isinstance(operations, list) or not (marker is None or isinstance(marker, str)):
        return None
    updated = members.get("UpdatedOperationIds")
    ids = [name for name in cast("list[object]", updated) if isinstance(name, str)] if isinstance(updated, list) else []
    return arn, token, cast("Sequence[_Raw]", operations), marker, ids


def _operation(raw: _Raw) -> Operation:
    try:
        return msgspec.convert(raw, Operation)
    except msgspec.ValidationError:
        (operation,) = lenient.read_state({"Operations": [raw]}, ms_per_unit=1).operations
        return operation
