"""The two calls that a running handler makes: CheckpointDurableExecution and GetDurableExecutionState."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final, cast, get_args

import msgspec

from everstep.client.api import Checkpointed as SdkCheckpointed
from everstep.errors import ServiceError
from everstep.protocol.ids import execution_id
from everstep.protocol.shapes import OPERATION_TYPES, OperationAction
from everstep.server import markers
from everstep.server.answers import Answer, ok
from everstep.server.backend import Backend
from everstep.server.errors import invalid
from everstep.server.remote import MAX_EVENT_BYTES, page_of, state_listing
from everstep.server.requests import Call, converted, read_object, without_nulls
from everstep.server.shapes import Checkpointed, CheckpointRequest, NewExecutionState, StatePage
from everstep.server.wire import operations_in_seconds
from everstep.service.committer import Handed
from everstep.service.executions import UnknownExecution
from everstep.service.machine.checkpoint import readable_operations
from everstep.service.machine.rejection import INVALID_TOKEN, Rejected
from everstep.service.machine.validation import MAX_TOKEN, TOKEN_PATTERN, Violations, check_checkpoint

ACTIONS: Final = get_args(OperationAction)


_decode: Final = msgspec.json.Decoder(CheckpointRequest).decode


async def checkpoint(backend: Backend, call: Call) -> Answer:
    arn, request = call.execution_arn, _read(call.body)
    try:
        answer = await backend.engine.client.checkpoint(arn, request.checkpoint_token, request.updates, request.client_token)
    except ServiceError:
        _check(request)
        raise
    return _checkpointed(answer)


def submit_checkpoint(backend: Backend, call: Call) -> tuple[Answer, Handed] | None:
    """See Executions.submit: the answer, which is to be given once the write is taken."""
    arn, request = call.execution_arn, _read(call.body)
    try:
        submitted = backend.engine.client.submit(arn, request.checkpoint_token, request.updates, request.client_token)
    except ServiceError:
        _check(request)
        raise
    return None if submitted is None else (_checkpointed(submitted[0]), submitted[1])


def _read(body: bytes) -> CheckpointRequest:
    try:
        return _decode(body)
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError):
        return _read_leniently(body)


def _check(request: CheckpointRequest) -> None:
    """The service checks the members too, but says first that there is no such execution."""
    check_checkpoint(request.checkpoint_token, request.updates, request.client_token)


def _checkpointed(answer: SdkCheckpointed) -> Answer:
    state = NewExecutionState(operations=operations_in_seconds(answer.operations))
    return ok(Checkpointed(checkpoint_token=answer.token, new_execution_state=state))


def _read_leniently(body: bytes) -> CheckpointRequest:
    """Nulls count as absent, and so do options without a member. Raises ApiError, or Rejected if a required member is missing."""
    members = cast("dict[str, object]", without_nulls(read_object(body)))
    violations = Violations()
    if "CheckpointToken" not in members:
        violations.required("checkpointToken")
    updates = members.get("Updates")
    for number, update in enumerate(cast("list[object]", updates) if isinstance(updates, list) else (), start=1):
        if isinstance(update, dict):
            _check_update(violations, number, cast("dict[str, object]", update))
    violations.reject()
    return converted(members, CheckpointRequest)


def _check_update(violations: Violations, number: int, update: dict[str, object]) -> None:
    path = f"updates.{number}.member"
    for member, allowed in (("Id", None), ("Type", OPERATION_TYPES), ("Action", ACTIONS)):
        value = update.get(member)
        if value is None:
            violations.required(f"{path}.{member.lower()}")
        elif allowed is not None and isinstance(value, str):
            violations.one_of(f"{path}.{member.lower()}", value, allowed)
    if update.get("StepOptions") == {}:
        del update["StepOptions"]
    for options, member in (("WaitOptions", "WaitSeconds"), ("ChainedInvokeOptions", "FunctionName")):
        given = update.get(options)
        if isinstance(given, Mapping) and member not in given:
            violations.required(f"{path}.{options[0].lower()}{options[1:]}.{member[0].lower()}{member[1:]}")


async def get_state(backend: Backend, call: Call) -> Answer:
    arn = call.execution_arn
    token = (call.text("CheckpointToken") or "").replace(" ", "+")  # a plus sign that the client forgot to escape
    violations = Violations()
    if call.text("CheckpointToken") is None:
        violations.required("checkpointToken")
    else:
        violations.pattern("checkpointToken", token, TOKEN_PATTERN, MAX_TOKEN, "[A-Za-z0-9+/]+={0,2}")
    violations.reject()
    size = call.page_size()
    try:
        state = await backend.engine.executions.state(execution_id(arn))
        if state.execution.arn != arn:
            raise UnknownExecution
        operations = readable_operations(state, token)
    except UnknownExecution:
        raise invalid(INVALID_TOKEN) from None
    start = _start(call.text("Marker"), arn, token, backend.now_ms())
    in_seconds = operations_in_seconds(operations[start : start + size + 1])
    page = page_of(in_seconds, 0, size, MAX_EVENT_BYTES)
    marker = "" if page.end is None else markers.write(state_listing(arn, token), [start + page.end], backend.now_ms())
    return ok(StatePage(operations=page.operations, next_marker=marker))


def _start(marker: str | None, arn: str, token: str, now_ms: int) -> int:
    if not marker:
        return 0
    position = markers.read(marker, state_listing(arn, token), now_ms)
    if len(position) != 1 or not isinstance(position[0], int) or position[0] < 0:
        raise Rejected("InvalidParameterValueException", "Invalid Marker")
    return position[0]
