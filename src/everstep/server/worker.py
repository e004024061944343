"""A process of the server's: asks its Runtime API for invocations of one function and runs them, one at a time, as AWS Lambda does.

    python -m everstep.server.worker module:handler      with AWS_LAMBDA_RUNTIME_API=host:port/runtime/NAME

Rule: the handler decides nothing about the worker: whatever it raises is reported and the next invocation asked for.
Nothing of the server is loaded here. Workers that users start are in `pulling`.
"""

from __future__ import annotations

import asyncio
import inspect
import os
import sys
import time
from collections.abc import Awaitable, Callable, Mapping
from http.client import HTTPConnection, HTTPException, HTTPResponse
from importlib import import_module
from typing import Final, cast

import msgspec

from everstep.errors import UsageError
from everstep.failures import describe
from everstep.serdes import parameter_annotation, result_serdes, serdes_for

PATIENCE_S: Final = 2.0
"""How long the server may be unreachable before its process takes it for gone."""
RETRY_S: Final = 0.25
RUNTIME: Final = "/2018-06-01/runtime"
INVOCATION: Final = f"{RUNTIME}/invocation"


class WorkerContext:
    """What handlers get as their second argument, as on AWS Lambda. headers: by lower-case name."""

    def __init__(self, headers: Mapping[str, str], environ: Mapping[str, str]) -> None:
        self.aws_request_id = headers.get("lambda-runtime-aws-request-id", "")
        self.invoked_function_arn = headers.get("lambda-runtime-invoked-function-arn", "")
        self.tenant_id = headers.get("lambda-runtime-aws-tenant-id")
        self.trace_header = headers.get("lambda-runtime-trace-id")
        self.function_name = environ.get("AWS_LAMBDA_FUNCTION_NAME", "")
        self.function_version = environ.get("AWS_LAMBDA_FUNCTION_VERSION", "$LATEST")
        self.memory_limit_in_mb = environ.get("AWS_LAMBDA_FUNCTION_MEMORY_SIZE", "128")
        self.log_group_name = environ.get("AWS_LAMBDA_LOG_GROUP_NAME", "")
        self.log_stream_name = environ.get("AWS_LAMBDA_LOG_STREAM_NAME", "")
        self._deadline_ms = int(headers.get("lambda-runtime-deadline-ms", "0"))

    def get_remaining_time_in_millis(self) -> int:
        return max(0, self._deadline_ms - time.time_ns() // 1_000_000)


def load(target: str) -> Callable[..., object]:
    """The function that `module:name` means; `module.name` does too. Raises UsageError."""
    module, _, name = target.partition(":") if ":" in target else target.rpartition(".")
    if not module or not name:
        raise UsageError(f"{target!r} names no function: write module:function")
    if os.getcwd() not in sys.path:
        sys.path.insert(0, os.getcwd())
    try:
        found: object = import_module(module)
        for part in name.split("."):
            found = getattr(found, part)
    except ModuleNotFoundError as error:
        if error.name is None or not f"{module}.".startswith(f"{error.name}."):
            raise
        if module.endswith(".py"):
            raise UsageError(f"{target!r} is a file. A module is named without .py: {module[:-3].replace('/', '.')}:{name}") from None
        raise UsageError(f"{target!r} cannot be loaded: there is no module {error.name!r} in {os.getcwd()} or on the import path") from None
    except AttributeError:
        raise UsageError(f"{target!r} cannot be loaded: the module {module!r} has no {name!r}") from None
    if not callable(found):
        raise UsageError(f"{target!r} is {found!r}, which cannot be called")
    return found


class Worker:
    """Runs `handler` for the Runtime API at `api`, host:port and perhaps a path. environ: what contexts tell."""

    def __init__(self, api: str, handler: Callable[..., object], environ: Mapping[str, str] = os.environ) -> None:
        self._host, _, path = api.partition("/")
        self._path = f"/{path}" if path else ""
        self._handler, self._environ = handler, environ
        self._connection = HTTPConnection(self._host)
        self._runner = asyncio.Runner() if inspect.iscoroutinefunction(handler) else None
        self._takes_context = takes_context(handler)
        # A plain function's annotations say what it takes; a durable handler reads the event itself.
        is_plain = inspect.isfunction(handler)
        self._event = serdes_for(parameter_annotation(handler, 0) if is_plain else object)
        self._result = result_serdes(handler) if is_plain else serdes_for(object)

    def run(self, patience_s: float) -> None:
        """Serve until the server is gone for longer than that."""
        reached_at = time.monotonic()
        while time.monotonic() - reached_at < patience_s:
            try:
                self._serve_one()
            except (OSError, HTTPException):
                self._connection.close()
                time.sleep(RETRY_S)
            else:
                reached_at = time.monotonic()

    def _serve_one(self) -> None:
        response, body = self._exchange("GET", f"{INVOCATION}/next")
        if response.status != 200:
            message = body[:500].decode(errors="replace")
            if response.status == 404:
                raise UsageError(f"the server at {self._host} gives no work here: {message}")
            raise HTTPException(message)
        headers = {name.lower(): value for name, value in response.headers.items()}
        context = WorkerContext(headers, self._environ)
        os.environ["_X_AMZN_TRACE_ID"] = headers.get("lambda-runtime-trace-id", "")
        try:
            result = self._run(self._event.deserialize(body.decode()), context)
            kind, answer = "response", self._result.serialize(result).encode()
        except Exception as error:
            kind, answer = "error", reported(error)
        self._exchange("POST", f"{INVOCATION}/{context.aws_request_id}/{kind}", answer)

    def _run(self, event: object, context: WorkerContext) -> object:
        result = self._handler(event, context) if self._takes_context else self._handler(event)
        if self._runner is None:
            return result
        return self._runner.run(_awaited(cast("Awaitable[object]", result)))

    def _exchange(self, method: str, path: str, body: bytes | None = None) -> tuple[HTTPResponse, bytes]:
        headers = {"Content-Type": "application/json"} if body is not None else {}
        self._connection.request(method, self._path + path, body, headers)
        response = self._connection.getresponse()
        return response, response.read()


def reported(error: Exception) -> bytes:
    """What a function raised, as workers report it."""
    described = describe(error)
    return msgspec.json.encode(
        {"errorMessage": described.error_message, "errorType": described.error_type, "stackTrace": described.stack_trace}
    )


async def _awaited(result: Awaitable[object]) -> object:
    return await result


def takes_context(handler: Callable[..., object]) -> bool:
    parameters = inspect.signature(handler).parameters.values()
    return sum(one.kind in (one.POSITIONAL_ONLY, one.POSITIONAL_OR_KEYWORD) for one in parameters) > 1


def main() -> None:
    try:
        handler = load(sys.argv[1])
        Worker(os.environ["AWS_LAMBDA_RUNTIME_API"], handler).run(PATIENCE_S)
    except UsageError as error:
        sys.exit(str(error))
    except KeyboardInterrupt:
        pass


if __name__ == "__main__":
    main()
