"""The HTTP API as a Starlette application over a service.

Rule: whatever a request says, the answer is the API's own: a refusal for what is malformed, and for our own faults an error
500 that hides what went wrong from the caller and logs it.
"""

from __future__ import annotations

import logging
import time
from collections.abc import Awaitable, Callable, Mapping
from typing import Final, TypeAlias
from urllib.parse import quote

from httpx import ASGITransport, AsyncClient
from starlette.applications import Starlette
from starlette.requests import ClientDisconnect, Request
from starlette.responses import RedirectResponse, Response
from starlette.routing import Mount, Route
from starlette.types import Receive, Scope, Send

from everstep.console.app import create_console
from everstep.server import invoke, runtime_api
from everstep.server.access.gate import Gate
from everstep.server.access.roles import RUNTIME_API
from everstep.server.answers import Answer
from everstep.server.backend import Backend
from everstep.server.errors import ApiError
from everstep.server.operating import operating_routes
from everstep.server.requests import Call, parse_query
from everstep.server.routes import aliases, callbacks, changes, executions, forks, functions, handlers, overview
from everstep.server.routing import match
from everstep.service.ids import random_id
from everstep.service.log_context import about

log = logging.getLogger("everstep.server")

MAX_BODY: Final = 128 * 1024 * 1024
"""Of any request; the largest that AWS takes is an archive of code, written as Base64."""
MAX_KEPT: Final[Mapping[str, int]] = {"CreateFunction": MAX_BODY, "UpdateFunctionCode": MAX_BODY}
DEFAULT_MAX_KEPT: Final = 32 * 1024 * 1024
"""Of a checkpoint: 6 MB of payload grow when they are escaped."""
OFTEN: Final = ("/2015-03-31/", "/2025-12-01/", "/runtime/")
"""How the paths of most requests begin."""
CONSOLE: Final = "/console"
OWN_URL: Final = "http://everstep.internal"
"""Under which the console calls the API in the same process; nothing resolves it."""
METHODS: Final = ("GET", "POST", "PUT", "DELETE", "PATCH", "OPTIONS")

LOGGED_LABELS: Final[Mapping[str, str]] = {"FunctionName": "function", "DurableExecutionArn": "executionArn"}

_Handler: TypeAlias = Callable[[Backend, Call], Awaitable[Answer]]

HANDLERS: Final[Mapping[str, _Handler]] = {
    "CheckpointDurableExecution": handlers.checkpoint,
    "GetDurableExecutionState": handlers.get_state,
    "GetDurableExecutionHistory": executions.get_history,
    "GetDurableExecution": executions.get_execution,
    "ListDurableExecutionsByFunction": executions.list_by_function,
    "ListExecutions": overview.list_executions,
    "CountExecutions": overview.count_executions,
    "AwaitChange": changes.await_change,
    "GetCallSites": executions.get_call_sites,
    "GetExecutionOrigin": executions.get_origin,
    "GetInputSchema": functions.get_input_schema,
    "StopDurableExecution": executions.stop,
    "PauseDurableExecution": executions.pause,
    "ResumeDurableExecution": executions.resume,
    "DeleteDurableExecution": executions.delete,
    "ForkDurableExecution": forks.fork,
    "SendDurableExecutionCallbackSuccess": callbacks.succeed,
    "SendDurableExecutionCallbackFailure": callbacks.fail,
    "SendDurableExecutionCallbackHeartbeat": callbacks.heartbeat,
    "Invoke": invoke.invoke,
    "InvokeWithResponseStream": invoke.invoke_with_response_stream,
    "InvokeAsync": invoke.invoke_async,
    "CreateFunction": functions.create,
    "GetFunction": functions.get,
    "GetFunctionConfiguration": functions.get_configuration,
    "UpdateFunctionConfiguration": functions.update_configuration,
    "UpdateFunctionCode": functions.update_code,
    "ListFunctions": functions.list_all,
    "DeleteFunction": functions.delete,
    "PublishVersion": functions.publish_version,
    "ListVersionsByFunction": functions.list_versions,
    "CreateAlias": aliases.create,
    "GetAlias": aliases.get,
    "UpdateAlias": aliases.update,
    "DeleteAlias": aliases.delete,
    "ListAliases": aliases.list_all,
    "ListTags": aliases.list_tags,
    "TagResource": aliases.tag,
    "UntagResource": aliases.untag,
    "GetFunctionEventInvokeConfig": aliases.get_event_invoke,
    "PutFunctionEventInvokeConfig": aliases.put_event_invoke,
    "GetFunctionConcurrency": aliases.get_concurrency,
    "GetAccountSettings": aliases.get_account_settings,
}


class App:
    """The application, for ASGI and for connections that go past it. The backend's service has to be entered while it serves.

    gate: who may do what.
    """

    def __init__(self, backend: Backend, gate: Gate) -> None:
        self._backend, self._gate = backend, gate
        self._everything = Starlette(
            exception_handlers={404: _no_such_operation, 405: _no_such_operation},
            routes=[*operating_routes(backend, gate), Route("/{path:path}", self._api, methods=list(METHODS))],
        )
        client = AsyncClient(transport=ASGITransport(self), base_url=OWN_URL, timeout=None)
        console = create_console(client, lambda: backend.now_ms() / 1000, keys=gate.operators, is_private=gate.is_for_this_machine)
        self._everything.router.routes[-1:-1] = [Mount(CONSOLE, console), Route(CONSOLE, _to_console)]

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        await self._everything(scope, receive, send)

    def is_frequent(self, path: str) -> bool:
        """Whether most requests have such a path. They are all answered by `answered`."""
        return path.startswith(OFTEN)

    async def answered(self, request: Request) -> Answer:
        """What a request to the API is answered with."""
        backend, request_id = self._backend, random_id()
        fields = {"apiRequestId": request_id}
        began_at = time.perf_counter()
        with about(fields):
            answer = await _answer(backend, self._gate, request, fields)
            took_s = time.perf_counter() - began_at
            log.debug("answered %s in %.1f ms", answer.status, took_s * 1000)
        backend.metrics.answered(fields.get("operation", "none"), answer.status, took_s)
        return Answer(body=answer.body, status=answer.status, headers={**answer.headers, "x-amzn-requestid": request_id})

    async def _api(self, request: Request) -> Response:
        return _response_of(await self.answered(request))


async def _no_such_operation(request: Request, error: Exception) -> Response:
    refused = _response_of(ApiError("UnknownOperationException", f"There is no operation {request.method} {request.scope['path']}").answer)
    refused.headers["x-amzn-requestid"] = random_id()
    return refused


async def _to_console(request: Request) -> Response:
    return RedirectResponse(f"{CONSOLE}/")


async def _answer(backend: Backend, gate: Gate, request: Request, fields: dict[str, str]) -> Answer:
    try:
        return await _served(backend, gate, request, fields)
    except ClientDisconnect:
        return Answer(status=499)
    except Exception as error:
        return backend.refusal(error).answer


async def _served(backend: Backend, gate: Gate, request: Request, fields: dict[str, str]) -> Answer:
    """fields: of log lines about the request; what is found out is added."""
    if runtime_api.is_for_workers(request.scope["path"]):
        fields["operation"] = RUNTIME_API
        prove = runtime_api.admit(gate, request)
        body = await _body(request, DEFAULT_MAX_KEPT)
        prove(body)
        return await runtime_api.answer(backend, request, body)
    raw_path = request.scope.get("raw_path")
    path = raw_path.decode("latin-1") if isinstance(raw_path, bytes) else quote(request.scope["path"])
    found = match(request.method, path)
    if found is None:
        raise ApiError("UnknownOperationException", f"There is no operation {request.method} {path}")
    fields["operation"] = found.operation
    fields.update((field, found.labels[label]) for label, field in LOGGED_LABELS.items() if label in found.labels)
    prove = gate.admit(request, found.operation)
    body = await _body(request, MAX_KEPT.get(found.operation, DEFAULT_MAX_KEPT))
    prove(body)
    call = Call(
        operation=found.operation,
        labels=found.labels,
        query=parse_query(request.scope["query_string"].decode("latin-1")),
        headers=_headers(request.scope),
        body=body,
    )
    return await HANDLERS[found.operation](backend, call)


def _response_of(answer: Answer) -> Response:
    return Response(answer.body, answer.status, dict(answer.headers))


def _headers(scope: Scope) -> Mapping[str, str]:
    """By lower-case name; of a repeated one the first."""
    sent: list[tuple[bytes, bytes]] = scope["headers"]
    return {name.decode("latin-1"): value.decode("latin-1") for name, value in reversed(sent)}


async def _body(request: Request, longest: int) -> bytes:
    """The whole body. One that is too long is read to its end, or the client would not hear the refusal. Raises ApiError."""
    chunks: list[bytes] = []
    size = 0
    async for chunk in request.stream():
        size += len(chunk)
        if size <= longest:
            chunks.append(chunk)
        elif size > MAX_BODY:
            break
    if size > longest:
        raise ApiError("RequestTooLargeException", f"Request must be smaller than {longest} bytes")
    return b"".join(chunks)
