"""How executions, operations and events are written into a row's body: compact MessagePack, shared by the stores.

Rule: what is stored is read by every later version: members are only ever added, at the end. Bodies are
self-delimiting, so that many of them, joined, are decoded in one call.

A step costs its operation and two events. With field names and hexadecimal ids these took 640 bytes in SQLite; as
arrays with packed ids they take half of that. The execution's input and result stay out of its body, which is written
anew with every checkpoint, and its EXECUTION operation does not repeat the input.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from itertools import groupby
from operator import itemgetter
from typing import Final, TypeAlias

from msgspec import Struct, msgpack
from msgspec.structs import replace

from everstep.protocol.lifecycle import SERVICE_MOVES
from everstep.protocol.shapes import (
    CallbackDetails,
    ChainedInvokeDetails,
    ContextDetails,
    ExecutionDetails,
    Operation,
    OperationStatus,
    OperationType,
    StepDetails,
    WaitDetails,
)
from everstep.service.machine.model import CallbackTimers, ChainedCall, Event, Execution, Record
from everstep.service.machine.waiting import Waiting, longest_waiting

PackedId: TypeAlias = bytes
"""An id of 64 hexadecimal digits as its 32 bytes; any other as text, never 32 bytes long: a NUL is added then."""


class _RecordRow(Struct, array_like=True, frozen=True):
    order: int
    revision: int
    id: PackedId
    type: OperationType
    status: OperationStatus
    start_timestamp: int | float
    end_timestamp: int | float | None
    due_at: int | None
    parent_id: PackedId | None
    name: str | None
    sub_type: str | None
    context: ContextDetails | None
    step: StepDetails | None
    wait: WaitDetails | None
    callback: CallbackDetails | None
    chained_invoke: ChainedInvokeDetails | None
    kept: CallbackTimers | ChainedCall | None


class _EventRow(Struct, array_like=True, frozen=True):
    event_id: int
    type: str
    timestamp: int
    order: int | None
    details: Mapping[str, object]


_encode: Final = msgpack.Encoder().encode
_execution: Final = msgpack.Decoder(Execution)
_executions: Final = msgpack.Decoder(list[Execution])
_records: Final = msgpack.Decoder(list[_RecordRow])
_events: Final = msgpack.Decoder(list[_EventRow])


def encode_execution(execution: Execution) -> bytes:
    if execution.input is None and execution.result is None:
        return _encode(execution)
    return _encode(replace(execution, input=None, result=None))


def decode_execution(body: bytes, input_payload: str | None, result: str | None) -> Execution:
    execution = _execution.decode(body)
    if input_payload is None and result is None:
        return execution
    return replace(execution, input=input_payload, result=result)


def decode_executions(count: int, bodies: bytes) -> list[Execution]:
    return _executions.decode(_joined(count, bodies))


def encode_record(record: Record) -> bytes:
    operation = record.operation
    return _encode(
        _RecordRow(
            record.order,
            record.revision,
            _packed(operation.id),
            operation.type,
            operation.status,
            operation.start_timestamp,
            operation.end_timestamp,
            record.due_at,
            None if operation.parent_id is None else _packed(operation.parent_id),
            operation.name,
            operation.sub_type,
            operation.context_details,
            operation.step_details,
            operation.wait_details,
            operation.callback_details,
            operation.chained_invoke_details,
            record.kept,
        )
    )


def decode_records(count: int, bodies: bytes, input_payload: str | None) -> list[Record]:
    """input_payload: the execution's, of which its EXECUTION operation says it again."""
    return [_record(row, input_payload) for row in _records.decode(_joined(count, bodies))]


def _record(row: _RecordRow, input_payload: str | None) -> Record:
    operation = Operation(
        id=_unpacked(row.id),
        type=row.type,
        status=row.status,
        start_timestamp=row.start_timestamp,
        end_timestamp=row.end_timestamp,
        parent_id=None if row.parent_id is None else _unpacked(row.parent_id),
        name=row.name,
        sub_type=row.sub_type,
        execution_details=ExecutionDetails(input_payload=input_payload) if row.type == "EXECUTION" else None,
        context_details=row.context,
        step_details=row.step,
        wait_details=row.wait,
        callback_details=row.callback,
        chained_invoke_details=row.chained_invoke,
    )
    return Record(operation=operation, order=row.order, revision=row.revision, due_at=row.due_at, kept=row.kept)


MARK_WITHIN: Final = 128
"""Of an operation's body, its mark ends within so many bytes: before it are three numbers and an id at the most."""


def marks_of_unended() -> Iterator[bytes]:
    """What stands in the body of an operation that waits, or is a context that goes on: one of these.

    So a database can leave out nearly all others without decoding them. They may stand in others as well, as a part of their id.
    """
    for kind, status in (*SERVICE_MOVES, ("CONTEXT", "STARTED")):
        yield _encode(kind) + _encode(status)


def mark_of_name(name: str | None) -> bytes:
    """What stands in the body of an operation of that name, maybe in others as well; in all if there is none."""
    return b"" if name is None else _encode(name)


def longest_waiting_of_each(ids: Sequence[str], bodies: bytes, what: Waiting) -> Mapping[str, Record]:
    """As a store's `waiting` answers. ids: of the execution that each of the operations' bodies belongs to, those of one together."""
    records = zip(ids, decode_records(len(ids), bodies, None), strict=True)
    each = ((execution, longest_waiting((record for _, record in its), what)) for execution, its in groupby(records, itemgetter(0)))
    return {execution: record for execution, record in each if record is not None}


def encode_event(event: Event) -> bytes:
    return _encode(_EventRow(event.event_id, event.type, event.timestamp, event.order, event.details))


def decode_events(count: int, bodies: bytes) -> Sequence[Event]:
    return [
        Event(event_id=row.event_id, type=row.type, timestamp=row.timestamp, order=row.order, details=row.details)
        for row in _events.decode(_joined(count, bodies))
    ]


def _joined(count: int, bodies: bytes) -> bytes:
    """An array of bodies that were written one by one. 0xDD: MessagePack's array with a 32-bit count."""
    return b"\xdd" + count.to_bytes(4, "big") + bodies


def _packed(operation_id: str) -> PackedId:
    if len(operation_id) == 64:
        try:
            packed = bytes.fromhex(operation_id)
        except ValueError:
            return operation_id.encode()
        if packed.hex() == operation_id:  # hexadecimal digits may also be upper case
            return packed
    text = operation_id.encode()
    return text + b"\0" if len(text) == 32 else text


def _unpacked(packed: PackedId) -> str:
    return packed.hex() if len(packed) == 32 else packed.decode().rstrip("\0")
