"""The Lambda Runtime API, which workers speak: they ask for an invocation, and answer it.

Rule: workers use `/runtime/NAMES` before the path (AWS_LAMBDA_RUNTIME_API=host:port/runtime/NAMES), or the header
X-Everstep-Function: a function, or several with commas between; `NAME:VERSION` serves that version alone. After it may stand
`/token/TOKEN`, of workers of one function that don't sign, and a name for the worker, without which it goes by its connection. One
that works on several invocations at a time asks for each as WORKER.1, WORKER.2, …, and holds a request to `presence` open, whose
end tells that it is gone. `everstep worker` does that too, but asks for several invocations and makes several calls by one request,
see `together`.

Source: AWS Lambda Runtime API, 2018-06-01.
"""

from __future__ import annotations

import asyncio
import re
import time
from collections.abc import Awaitable, Callable, Sequence
from functools import lru_cache, partial
from typing import Final

import msgspec
from starlette.requests import Request

from everstep.protocol.ids import execution_id
from everstep.protocol.shapes import ErrorObject
from everstep.server.access.gate import Gate, Proof
from everstep.server.access.roles import RUNTIME_API
from everstep.server.answers import JSON, Answer, ok
from everstep.server.backend import Backend
from everstep.server.code import Code, FunctionCall
from everstep.server.errors import ApiError
from everstep.server.processes import Processes
from everstep.server.pulled import Pulled, Source, Taken, next_calls
from everstep.server.references import LATEST, parse
from everstep.server.requests import Call
from everstep.server.routes import handlers
from everstep.server.together import MSGPACK, Given, Message, Outcome, Reply, read_asked, read_messages, written
from everstep.server.wire import read_function_error
from everstep.service.committer import Handed
from everstep.service.functions import FunctionError
from everstep.service.log_context import about

_PATH: Final = re.compile(
    r"(?:/runtime/(?P<functions>[^/]+)(?:/token/(?P<token>[^/]+))?(?:/(?P<worker>[^/]+))?)?/2018-06-01/runtime/(?P<call>.+)"
)
_ANSWER: Final = re.compile(r"invocation/(?P<id>[^/]+)/(?P<kind>response|error)")
PRESENCE_GRACE_S: Final = 2.0
"""How long a worker may be away: proxies cut connections on which nothing is said."""
_ACCEPTED: Final = ok({"status": "OK"}, 202)
_TAKEN: Final = Reply(202)
_CHECKPOINT: Final = "CheckpointDurableExecution"
_IN_MSGPACK: Final = {"content-type": MSGPACK}


class _Path(msgspec.Struct, frozen=True):
    """What stands in the path of a worker's request. call: of the Runtime API."""

    call: str
    functions: str | None
    token: str | None
    worker: str | None


@lru_cache(256)
def _read(path: str) -> _Path | None:
    """None if no worker asks so."""
    found = _PATH.fullmatch(path)
    return None if found is None else _Path(found["call"], found["functions"], found["token"], found["worker"])


def is_for_workers(path: str) -> bool:
    return _read(path) is not None


class _Worker(msgspec.Struct, frozen=True):
    """Who asks. strangers: what it named that workers don't serve here."""

    name: str
    sources: Sequence[Source]
    strangers: Sequence[str]


def admit(gate: Gate, request: Request) -> Proof:
    """See Gate. A worker shows a token in its path, or signs as others do. Raises ApiError."""
    found = _read(request.scope["path"])
    assert found is not None
    if found.token is None:
        return gate.admit(request, RUNTIME_API)
    reference = parse(found.functions or "")
    return gate.admit_worker(request, found.token, "" if reference is None else reference.name, RUNTIME_API)


async def answer(backend: Backend, request: Request, body: bytes) -> Answer:
    found = _read(request.scope["path"])
    assert found is not None
    worker = _worker(backend, request, found.functions, found.worker)
    is_presence = found.call == "presence"
    if not worker.sources or (is_presence and worker.strangers):
        unknown = ", ".join(worker.strangers) or "none was named"
        return _refused(404, "InvalidFunction", f"Workers serve no function of that name here ({unknown}): name one, /runtime/NAME first")
    if request.method == "GET" and is_presence:
        return await _present(request, worker)
    if request.method == "GET" and found.call == "invocation/next":
        return await _next(backend, request, worker)
    if request.method == "POST" and found.call in _TOGETHER and found.token is None:  # a token is for the Runtime API alone
        try:
            return await _TOGETHER[found.call](backend, request, worker, body)
        except msgspec.DecodeError as error:
            return _refused(400, "InvalidRequest", f"The request cannot be read: {error}")
    if request.method == "POST" and found.call == "init/error":
        for source in worker.sources:
            source.pulled.fail_all(FunctionError(_reported(body, request.headers.get("lambda-runtime-function-error-type"))))
        return _ACCEPTED
    call = _ANSWER.fullmatch(found.call)
    if request.method != "POST" or call is None:
        return _refused(404, "InvalidPath", f"{request.method} {found.call} is no call of the Runtime API")
    if _settle(worker, call["id"], call["kind"], body, request.headers.get("lambda-runtime-function-error-type")) is not None:
        return _ACCEPTED
    return _unknown_invocation()


def _settle(worker: _Worker, request_id: str, kind: str, body: bytes, error_type: str | None) -> FunctionCall | None:
    """The call that this is the outcome of. None: nobody waits for it (any more)."""
    outcome = FunctionError(_reported(body, error_type)) if kind == "error" else body.decode(errors="replace")
    settled = (source.pulled.settle(request_id, outcome) for source in worker.sources)
    return next((call for call in settled if call is not None), None)


def _unknown_invocation() -> Answer:
    return _refused(400, "InvalidRequestID", "Invalid request ID: nobody waits for an answer to it (any more)")


def _worker(backend: Backend, request: Request, functions: str | None, worker: str | None) -> _Worker:
    text = functions if functions is not None else request.headers.get("x-everstep-function")
    if text is None:
        served = [one.name for one in backend.catalog if _pulled(one.latest.code) is not None]
        text = served[0] if len(served) == 1 else ""
    client = request.client
    name = worker or (f"{client.host}:{client.port}" if client is not None else "?")
    found = {one: _source(backend, one) for one in text.split(",") if one}
    return _Worker(
        name, [source for source in found.values() if source is not None], [one for one, source in found.items() if source is None]
    )


def _source(backend: Backend, text: str) -> Source | None:
    """What `NAME` or `NAME:VERSION` means, None if workers serve nothing of the kind."""
    reference = parse(text)
    known = None if reference is None else backend.catalog.function(reference.name)
    if reference is None or known is None:
        return None
    version = known.versions.get(reference.qualifier or LATEST)
    pulled = None if version is None else _pulled(version.code)
    return None if pulled is None else Source(pulled, None if reference.qualifier in (None, LATEST) else reference.qualifier)


def _pulled(code: Code) -> Pulled | None:
    if isinstance(code, Processes):
        return code.pulled
    return code if isinstance(code, Pulled) else None


async def _next(backend: Backend, request: Request, worker: _Worker) -> Answer:
    taken = await _taken(backend, request, worker.sources, [worker.name])
    if not isinstance(taken, Sequence):
        return taken
    ((_, _, call),) = taken
    return Answer(body=call.payload.encode(), headers={**_headers(call), "Content-Type": JSON})


async def _next_ones(backend: Backend, request: Request, worker: _Worker, body: bytes) -> Answer:
    taken = await _taken(backend, request, worker.sources, [f"{worker.name}.{slot}" for slot in read_asked(body).slots])
    if not isinstance(taken, Sequence):
        return taken
    given = [
        Given(slot.rpartition(".")[2], {name.lower(): value for name, value in _headers(call).items()}, call.payload.encode())
        for slot, _, call in taken
    ]
    return Answer(body=written(given), headers=_IN_MSGPACK)


async def _taken(backend: Backend, request: Request, sources: Sequence[Source], workers: Sequence[str]) -> Sequence[Taken] | Answer:
    """A long poll. It ends without an invocation if the worker goes away, or the server."""
    task = asyncio.current_task()
    assert task is not None
    leaving = asyncio.ensure_future(_left(request))
    await asyncio.sleep(0)  # for whoever has left already
    cancel = partial(_cancel, task)
    leaving.add_done_callback(cancel)
    try:
        taken = await backend.until_closing(next_calls(sources, workers))
    except ApiError:
        return _refused(503, "ServiceUnavailable", "The server is stopping")
    except asyncio.CancelledError:
        if leaving.done() and not task.uncancel():
            return Answer(status=499)
        raise
    else:
        if leaving.done():
            for one in taken:
                one.put_back()
            return Answer(status=499)
        return taken
    finally:
        leaving.remove_done_callback(cancel)
        leaving.cancel()


def _cancel(task: asyncio.Task[object], _: asyncio.Future[None]) -> None:
    task.cancel()


async def _calls(backend: Backend, request: Request, worker: _Worker, body: bytes) -> Answer:
    """What is recorded goes into one commit: nearly always one wait is for all of it."""
    messages = read_messages(body)
    begun = [_begun(backend, worker, message) for message in messages]
    if any(isinstance(message, Outcome) for message in messages):
        await asyncio.sleep(0)  # in this turn whoever waits for an outcome hands over what is recorded of it
    return Answer(body=written([one if isinstance(one, Reply) else await one() for one in begun]), headers=_IN_MSGPACK)


def _begun(backend: Backend, worker: _Worker, message: Message) -> Reply | Callable[[], Awaitable[Reply]]:
    if isinstance(message, Outcome):
        settled = _settle(worker, message.request_id, message.kind, message.body, None)
        if settled is None:
            return Reply(400, _unknown_invocation().body)
        return _TAKEN if settled.execution_arn is None else partial(_ended, backend, settled.execution_arn)
    began_at = time.perf_counter()
    call = Call(operation=_CHECKPOINT, labels={"DurableExecutionArn": message.arn}, query={}, headers={}, body=message.body)
    with _about(call):
        try:
            submitted = handlers.submit_checkpoint(backend, call)
        except Exception as error:
            return _replied(backend, backend.refusal(error).answer, began_at)
        if submitted is None:
            return partial(_checkpointed, backend, call, began_at)
    return partial(_recorded, backend, call, began_at, *submitted)


async def _ended(backend: Backend, arn: str) -> Reply:
    """An outcome is acknowledged once it is recorded, so that whoever waits for the execution's result hears of it first."""
    await backend.engine.executions.written(execution_id(arn))
    return _TAKEN


async def _recorded(backend: Backend, call: Call, began_at: float, answer: Answer, write: Handed) -> Reply:
    """What was submitted is answered once it is durable."""
    if await write.known():
        return _replied(backend, answer, began_at)
    if write.error is None:
        return await _checkpointed(backend, call, began_at)
    with _about(call):
        return _replied(backend, backend.refusal(write.error).answer, began_at)


async def _checkpointed(backend: Backend, call: Call, began_at: float) -> Reply:
    with _about(call):
        try:
            answer = await handlers.checkpoint(backend, call)
        except Exception as error:
            answer = backend.refusal(error).answer
    return _replied(backend, answer, began_at)


def _about(call: Call) -> about:
    return about({"operation": call.operation, "executionArn": call.labels["DurableExecutionArn"]})


def _replied(backend: Backend, answer: Answer, began_at: float) -> Reply:
    backend.metrics.answered(_CHECKPOINT, answer.status, time.perf_counter() - began_at)
    return Reply(answer.status, answer.body, answer.headers)


_TOGETHER: Final = {"invocations": _next_ones, "calls": _calls}
"""The requests of `everstep worker`."""


async def _present(request: Request, worker: _Worker) -> Answer:
    """Lasts as long as the worker does, or the functions. A connection that breaks may come again before the worker is missed."""
    served = {source.pulled for source in worker.sources}
    ending = [asyncio.ensure_future(pulled.ended.wait()) for pulled in served]
    leaving = asyncio.ensure_future(_left(request))
    for pulled in served:
        pulled.arrived(worker.name)
    try:
        try:
            await asyncio.wait((leaving, *ending), return_when=asyncio.FIRST_COMPLETED)
        finally:
            leaving.cancel()
            for pulled in served:
                pulled.departed(worker.name)
        await asyncio.wait(ending, timeout=PRESENCE_GRACE_S, return_when=asyncio.FIRST_COMPLETED)
    finally:
        for one in ending:
            one.cancel()
    for pulled in served:
        pulled.miss(worker.name)
    return _refused(503, "ServiceUnavailable", "The functions are not served any more")


async def _left(request: Request) -> None:
    while (await request.receive())["type"] != "http.disconnect":
        pass


def _headers(call: FunctionCall) -> dict[str, str]:
    headers = {
        "Lambda-Runtime-Aws-Request-Id": call.request_id,
        "Lambda-Runtime-Deadline-Ms": str(call.deadline_ms),
        "Lambda-Runtime-Invoked-Function-Arn": call.arn,
        "Everstep-Function": f"{call.function}:{call.version}",
    }
    if call.trace_header is not None:
        headers["Lambda-Runtime-Trace-Id"] = call.trace_header
    if call.client_context is not None:
        headers["Lambda-Runtime-Client-Context"] = call.client_context
    if call.tenant_id is not None:
        headers["Lambda-Runtime-Aws-Tenant-Id"] = call.tenant_id
    return headers


def _reported(body: bytes, kind: str | None) -> ErrorObject:
    """What a worker says went wrong. kind: unless it names the error's type itself."""
    try:
        error = read_function_error(msgspec.json.decode(body, type=dict[str, object]))
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError):
        error = ErrorObject(error_message=body.decode(errors="replace") or None)
    return error if error.error_type else msgspec.structs.replace(error, error_type=kind or "Runtime.Unknown")


def _refused(status: int, kind: str, message: str) -> Answer:
    return ok({"errorType": kind, "errorMessage": message}, status)
