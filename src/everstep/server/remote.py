"""A durable function whose handler is elsewhere: each invocation is an event to send and an output to read.

Source: the event's form and limits, spec of the invocation input (integer milliseconds, a first page within 5 MiB).
"""

from __future__ import annotations

import time
from collections.abc import Sequence
from typing import Final, NamedTuple, cast

import msgspec

from everstep.client.api import DurableClient
from everstep.client.function import Invocation
from everstep.protocol.shapes import InvocationOutput, Operation, Shape
from everstep.server import markers
from everstep.server.code import Code, FunctionCall
from everstep.server.wire import read_function_error
from everstep.service.functions import FunctionError
from everstep.service.machine.view import shown

MAX_EVENT_BYTES: Final = 5 * 1024 * 1024
"""Of the operations in an event, which has to fit into the 6 MB of a Lambda invocation. Precedent: the official emulator."""
NO_DEADLINE_MS: Final = 15 * 60 * 1000

_encode: Final = msgspec.json.Encoder().encode
_output: Final = msgspec.json.Decoder(InvocationOutput).decode


class Page(NamedTuple):
    """Operations as encoded JSON. end: the place of the first one that is not on it, None if there is none."""

    operations: list[msgspec.Raw]
    end: int | None


class _State(Shape, frozen=True):
    operations: Sequence[msgspec.Raw]
    next_marker: str


class _Event(Shape, frozen=True):
    durable_execution_arn: str
    checkpoint_token: str
    initial_execution_state: _State
    updated_operation_ids: Sequence[str]


def page_of(operations: Sequence[Operation], start: int, max_items: int | None, max_bytes: int) -> Page:
    """The operations from `start` on that fit: at least one, if there is one."""
    page: list[msgspec.Raw] = []
    size = 0
    for place in range(start, len(operations)):
        encoded = _encode(operations[place])
        size += len(encoded) + 1
        if page and (size > max_bytes or len(page) == max_items):
            return Page(page, place)
        page.append(msgspec.Raw(encoded))
    return Page(page, None)


def state_listing(arn: str, token: str) -> tuple[object, ...]:
    """What a marker into the state is for: it is good as long as the token is."""
    return ("state", arn, token)


class RemoteDurable:
    """A DurableFunction on code that takes events. version: that its executions are pinned to."""

    def __init__(self, name: str, version: str, code: Code) -> None:
        self.name, self._version, self._code = name, version, code

    def encode_input(self, value: object) -> str:
        return msgspec.json.encode(value).decode()

    def decode_output(self, text: str | None) -> object:
        return None if text is None else msgspec.json.decode(text)

    def drop_parked(self) -> None:
        pass

    async def invoke(self, invocation: Invocation, client: DurableClient) -> InvocationOutput:
        """See DurableFunction. What the function answers is judged by the service, so that nonsense fails the execution in its words."""
        answer = await self._code.call(
            FunctionCall(
                function=self.name,
                version=self._version,
                arn=invocation.invoked_as or self.name,
                request_id=invocation.request_id,
                payload=_event(invocation),
                deadline_ms=invocation.deadline or time.time_ns() // 1_000_000 + NO_DEADLINE_MS,
                execution_arn=invocation.arn,
                tenant_id=invocation.tenant_id,
                trace_header=invocation.trace_header,
            )
        )
        try:
            return _output(answer)
        except (msgspec.DecodeError, UnicodeEncodeError, RecursionError):
            return _unusual(answer)


def _event(invocation: Invocation) -> str:
    operations = shown(invocation.operations.values())
    page = page_of(operations, 0, None, MAX_EVENT_BYTES)
    listing = state_listing(invocation.arn, invocation.checkpoint_token)
    marker = "" if page.end is None else markers.write(listing, [page.end], time.time_ns() // 1_000_000)
    event = _Event(
        durable_execution_arn=invocation.arn,
        checkpoint_token=invocation.checkpoint_token,
        initial_execution_state=_State(operations=page.operations, next_marker=marker),
        updated_operation_ids=invocation.updated_operation_ids,
    )
    return _encode(event).decode()


def _unusual(answer: str) -> InvocationOutput:
    """Raises FunctionError if the answer is a function's error that its runtime did not mark as one."""
    try:
        found: object = msgspec.json.decode(answer)
    except (msgspec.DecodeError, UnicodeEncodeError, RecursionError):
        found = answer
    if isinstance(found, dict) and "errorType" in found and "Status" not in found:
        raise FunctionError(read_function_error(cast("dict[str, object]", found)))
    return cast("InvocationOutput", found)  # as foreign as it is: the service refuses what it can't read
