"""The two calls as REST requests and responses.

Rule: pure. On this wire a timestamp is a number of seconds with a fraction; in our shapes it is milliseconds, so it is
converted here and nowhere else.
Source: Lambda API model 2015-03-31, CheckpointDurableExecution and GetDurableExecutionState (spec 1.4, 2.2, 2.3).
"""

from __future__ import annotations

from collections.abc import Sequence
from functools import lru_cache
from typing import Final

import msgspec
from msgspec import Struct
from msgspec.structs import force_setattr

from everstep.client import lenient
from everstep.client.api import Checkpointed, StatePage
from everstep.protocol.shapes import ExecutionState, Operation, OperationUpdate, Shape
from everstep.protocol.sigv4 import uri_encode

_ROOT: Final = "/2025-12-01/durable-executions/"


class Request(Struct, frozen=True):
    """A request but for its host and signature. path, query: encoded; the query is sorted. headers: by lower-case name."""

    method: str
    path: str
    query: str = ""
    body: bytes = b""
    headers: tuple[tuple[str, str], ...] = ()


class _Checkpoint(Shape, frozen=True):
    checkpoint_token: str
    updates: Sequence[OperationUpdate]
    client_token: str


class _CheckpointAnswer(Shape, frozen=True):
    checkpoint_token: str | None = None
    new_execution_state: ExecutionState | None = None


class _ForeignAnswer(Shape, frozen=True):
    """Its state is yet to be read."""

    checkpoint_token: str | None = None
    new_execution_state: object = None


_encode: Final = msgspec.json.Encoder().encode
_decode_answer: Final = msgspec.json.Decoder(_CheckpointAnswer).decode
_decode_page: Final = msgspec.json.Decoder(ExecutionState).decode


def checkpoint_request(arn: str, token: str, updates: Sequence[OperationUpdate], client_token: str) -> Request:
    return Request("POST", f"{_resource(arn)}/checkpoint", body=checkpoint_body(token, updates, client_token))


def checkpoint_body(token: str, updates: Sequence[OperationUpdate], client_token: str) -> bytes:
    return _encode(_Checkpoint(checkpoint_token=token, updates=updates, client_token=client_token))


def state_request(arn: str, token: str, marker: str, max_items: int) -> Request:
    """marker: "" for the first page."""
    page = f"&Marker={uri_encode(marker)}" if marker else ""
    query = f"CheckpointToken={uri_encode(token)}{page}&MaxItems={max_items}"
    return Request("GET", f"{_resource(arn)}/state", query)


def read_checkpoint(body: bytes) -> Checkpointed:
    """Raises msgspec.DecodeError if the body is cut off or no JSON, msgspec.ValidationError if it says something unknown."""
    try:
        answer = _decode_answer(body)
    except msgspec.ValidationError:
        return checkpointed(msgspec.json.decode(body))
    state = answer.new_execution_state
    if state is None:
        return Checkpointed(token=answer.checkpoint_token or None, operations=())
    _seconds_to_ms(state.operations)
    return Checkpointed(token=answer.checkpoint_token or None, operations=state.operations, next_marker=state.next_marker)


def read_state(body: bytes) -> StatePage:
    """Raises as `read_checkpoint` does."""
    try:
        page = _decode_page(body)
    except msgspec.ValidationError:
        return state_page(msgspec.json.decode(body))
    _seconds_to_ms(page.operations)
    return StatePage(operations=page.operations, next_marker=page.next_marker)


def checkpointed(answer: object) -> Checkpointed:
    """An answer that was parsed by somebody else (boto3, say). Timestamps may be numbers, datetimes or ISO 8601.

    Raises msgspec.ValidationError.
    """
    found = msgspec.convert(answer, _ForeignAnswer)
    state = lenient.read_state(found.new_execution_state or {}, ms_per_unit=1000)
    return Checkpointed(token=found.checkpoint_token or None, operations=state.operations, next_marker=state.next_marker)


def state_page(answer: object) -> StatePage:
    """As `checkpointed`, for a page of the state."""
    state = lenient.read_state(answer, ms_per_unit=1000)
    return StatePage(operations=state.operations, next_marker=state.next_marker)


@lru_cache(maxsize=64)
def _resource(arn: str) -> str:
    return _ROOT + uri_encode(arn)  # one segment, however many slashes the ARN has


def _seconds_to_ms(operations: Sequence[Operation]) -> None:
    # In place, for they were made just now and nobody else has seen them. New ones would cost as much as the parsing did.
    for operation in operations:
        force_setattr(operation, "start_timestamp", round(operation.start_timestamp * 1000))
        if operation.end_timestamp is not None:
            force_setattr(operation, "end_timestamp", round(operation.end_timestamp * 1000))
        step, wait = operation.step_details, operation.wait_details
        if step is not None and step.next_attempt_timestamp is not None:
            force_setattr(step, "next_attempt_timestamp", round(step.next_attempt_timestamp * 1000))
        if wait is not None and wait.scheduled_end_timestamp is not None:
            force_setattr(wait, "scheduled_end_timestamp", round(wait.scheduled_end_timestamp * 1000))
