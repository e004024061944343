"""Invoke: starts an execution of a durable function, or calls a plain one.

Rule: an execution's record is durable before anything is answered, and goes on whether or not the caller still waits.

Source: Lambda API model; the rules for durable functions are those of the developer guide (spec 2.1).
"""

from __future__ import annotations

import asyncio
from base64 import b64encode
from typing import Final

import msgspec

from everstep.protocol.limits import MAX_RESULT_ASYNC, MAX_RESULT_SYNC
from everstep.server.answers import JSON, NO_CONTENT, Answer
from everstep.server.backend import Backend, log
from everstep.server.catalog import UNQUALIFIED, Function, Version, refused
from everstep.server.code import FunctionCall, called_within
from everstep.server.errors import ApiError, invalid, not_found
from everstep.server.references import LATEST, Reference, requested
from everstep.server.requests import Call
from everstep.server.wire import function_error
from everstep.service.functions import FunctionError
from everstep.service.machine.model import Execution
from everstep.service.machine.validation import Violations, check_execution_name, check_tenant_id

MAX_SYNC_TIMEOUT_S: Final = 900
MAX_PAYLOAD: Final = {"RequestResponse": 6_291_456, "Event": 1_048_576, "DryRun": 6_291_456}
MAX_CLIENT_CONTEXT: Final = 3583
EVENT_ATTEMPTS: Final = 3
"""Of a plain function that is invoked as an event. Precedent: Lambda's asynchronous invocation."""
EVENT_DELAY_S: Final = 1.0
_SYNC_LIMIT: Final = "You cannot synchronously invoke a durable function with an executionTimeout greater than 15 minutes."


async def invoke(backend: Backend, call: Call) -> Answer:
    kind = _checked_kind(call)
    reference = requested(call.labels["FunctionName"], call.text("Qualifier"))
    name = call.headers.get("x-amz-durable-execution-name")
    if name is not None:
        check_execution_name(name)
    tenant_id = call.headers.get("x-amz-tenant-id")
    if tenant_id is not None:
        check_tenant_id(tenant_id)
    if len(call.body) > MAX_PAYLOAD[kind]:
        raise ApiError(
            "RequestTooLargeException", f"Request must be smaller than {MAX_PAYLOAD[kind]} bytes for the InvokeFunction operation"
        )
    reference, function, version = _target(backend, reference)
    refusal = refused(version, reference.qualifier, tenant_id)
    if refusal is not None:
        raise invalid(refusal)
    if kind == "DryRun":
        return NO_CONTENT
    payload = _payload(call.body)
    if version.configuration.durable is None:
        return await _plain(backend, call, kind, reference, function, version, payload or "{}")
    return await _durable(backend, call, kind, reference, function, version, payload, name)


async def invoke_async(backend: Backend, call: Call) -> Answer:
    """The deprecated operation, for plain functions."""
    reference, function, version = _target(backend, requested(call.labels["FunctionName"]))
    if version.configuration.durable is not None:
        raise invalid(UNQUALIFIED)
    answer = await _plain(backend, call, "Event", reference, function, version, _payload(call.body) or "{}")
    return Answer(status=answer.status, body=b'{"Status":202}', headers={"content-type": JSON})


async def invoke_with_response_stream(backend: Backend, call: Call) -> Answer:
    _target(backend, requested(call.labels["FunctionName"], call.text("Qualifier")))
    raise invalid("This server does not stream responses, and durable functions cannot be invoked so: use Invoke.")


def _checked_kind(call: Call) -> str:
    kind = call.headers.get("x-amz-invocation-type") or "RequestResponse"
    violations = Violations()
    violations.one_of("invocationType", kind, ("Event", "RequestResponse", "DryRun"))
    violations.one_of("logType", call.headers.get("x-amz-log-type") or "None", ("None", "Tail"))
    context = call.headers.get("x-amz-client-context")
    if context:
        violations.length("clientContext", context, MAX_CLIENT_CONTEXT, is_secret=True)
    violations.reject()
    return kind


def _target(backend: Backend, reference: Reference) -> tuple[Reference, Function, Version]:
    found = backend.catalog.find(reference)
    if found is None:
        raise not_found(f"Function not found: {backend.catalog.arn(reference.name, reference.qualifier or LATEST)}")
    function, version = found
    if reference.qualifier is None and backend.allow_unqualified:
        reference = Reference(name=reference.name, qualifier=LATEST)
    return reference, function, version


def _payload(body: bytes) -> str | None:
    """The event exactly as it came; None if there is none. Raises ApiError."""
    if not body:
        return None
    try:
        msgspec.json.decode(body)
        return body.decode()
    except (msgspec.DecodeError, UnicodeError, RecursionError) as error:
        raise ApiError("InvalidRequestContentException", f"Could not parse request body into json: {error}") from None


# -- durable functions


async def _durable(
    backend: Backend,
    call: Call,
    kind: str,
    reference: Reference,
    function: Function,
    version: Version,
    payload: str | None,
    name: str | None,
) -> Answer:
    durable = version.configuration.durable
    assert durable is not None
    is_sync = kind == "RequestResponse"
    if is_sync and durable.execution_timeout > MAX_SYNC_TIMEOUT_S:
        raise invalid(_SYNC_LIMIT)
    new = backend.catalog.execution_of(
        function,
        version,
        qualifier=reference.qualifier or LATEST,
        name=name,
        payload=payload,
        result_limit=MAX_RESULT_SYNC if is_sync else MAX_RESULT_ASYNC,
        tenant_id=call.headers.get("x-amz-tenant-id"),
        trace_header=call.headers.get("x-amzn-trace-id"),
    )
    execution = await backend.engine.start(new)
    headers = {"x-amz-executed-version": execution.version, "x-amz-durable-execution-arn": execution.arn}
    if not is_sync:
        return Answer(status=202, headers=headers)
    said = f"The server is stopping; the execution goes on when it is back: {execution.arn}"
    ended = await backend.until_closing(backend.engine.ended(execution.id, arn=execution.arn), said)
    if call.headers.get("x-amz-log-type") == "Tail":
        headers["x-amz-log-result"] = b64encode(b"").decode()
    return _outcome(ended, headers)


def _outcome(execution: Execution, headers: dict[str, str]) -> Answer:
    headers = headers | {"content-type": JSON}
    if execution.error is None and execution.status in ("SUCCEEDED", "DELETING"):
        result = execution.result
        return Answer(body=b"null" if result is None else result.encode(), headers=headers)
    headers["x-amz-function-error"] = "Unhandled"
    return Answer(body=msgspec.json.encode(function_error(execution.error)), headers=headers)


# -- plain functions


async def _plain(
    backend: Backend, call: Call, kind: str, reference: Reference, function: Function, version: Version, payload: str
) -> Answer:
    timeout_s = version.configuration.timeout_s
    event = FunctionCall(
        function=function.name,
        version=version.number,
        arn=backend.catalog.arn(function.name, reference.qualifier),
        request_id=backend.catalog.new_id(),
        payload=payload,
        deadline_ms=backend.now_ms() + timeout_s * 1000,
        tenant_id=call.headers.get("x-amz-tenant-id"),
        trace_header=call.headers.get("x-amzn-trace-id"),
        client_context=call.headers.get("x-amz-client-context"),
    )
    if kind == "Event":
        backend.in_background(_call_until_it_works(version, event), name=f"event for {function.name}")
        return Answer(status=202)
    headers = {"content-type": JSON, "x-amz-executed-version": version.number}
    try:
        return Answer(body=(await called_within(timeout_s, version.code, event)).encode(), headers=headers)
    except FunctionError as error:
        headers["x-amz-function-error"] = "Unhandled"
        return Answer(body=msgspec.json.encode(function_error(error.error)), headers=headers)


async def _call_until_it_works(version: Version, event: FunctionCall) -> None:
    for attempt in range(1, EVENT_ATTEMPTS + 1):
        try:
            await called_within(version.configuration.timeout_s, version.code, event)
        except FunctionError as error:
            log.warning("%s failed on an event, attempt %d of %d: %s", event.function, attempt, EVENT_ATTEMPTS, error)
            await asyncio.sleep(EVENT_DELAY_S * 2 ** (attempt - 1))
        else:
            return
