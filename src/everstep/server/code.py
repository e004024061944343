"""What runs a function, whatever it is: code in this process, an endpoint, a worker.

Rule: `call` runs the function once and answers with its JSON text. Everything that goes wrong with it is a FunctionError.
How long it may take is the caller's business, who cancels the call: then whatever still runs has to be let go.
"""

from __future__ import annotations

import asyncio
import inspect
import time
from collections.abc import Awaitable, Callable
from datetime import UTC, datetime
from typing import Final, Protocol, cast

import msgspec
from msgspec import Struct

from everstep.client.api import DurableClient
from everstep.client.function import Invocation
from everstep.failures import describe
from everstep.protocol.shapes import ErrorObject, InvocationOutput
from everstep.serdes import parameter_annotation, result_serdes, serdes_for
from everstep.service.functions import AnyDurable, FunctionError, PlainCall

EXIT_ERROR: Final = "Runtime.ExitError"


class FunctionCall(Struct, frozen=True, kw_only=True):
    """One call of a function. payload: the event, JSON text. arn: as it was invoked. deadline_ms: since the epoch.

    execution_arn: of the durable execution that it is an invocation of, None if the function is not durable.
    """

    function: str
    version: str
    arn: str
    request_id: str
    payload: str
    deadline_ms: int
    execution_arn: str | None = None
    tenant_id: str | None = None
    trace_header: str | None = None
    client_context: str | None = None


class Code(Protocol):
    """What runs a function."""

    async def call(self, call: FunctionCall) -> str:
        """What the function returned, JSON text. Raises FunctionError."""
        ...

    async def close(self) -> None:
        """The server stops, or the function is gone."""
        ...


def failed(error_type: str, message: str) -> FunctionError:
    return FunctionError(ErrorObject(error_type=error_type, error_message=message))


async def called_within(timeout_s: float, code: Code, call: FunctionCall) -> str:
    """The function's answer. Raises FunctionError, also if it takes longer."""
    patience = asyncio.timeout(timeout_s)
    try:
        async with patience:
            return await code.call(call)
    except TimeoutError:
        if not patience.expired():
            raise
        moment = datetime.now(UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z")
        raise failed("Sandbox.Timedout", f"{moment} {call.request_id} Task timed out after {timeout_s:.2f} seconds") from None


class LambdaContext:
    """What a plain function in the server's process gets as its second argument, as on AWS Lambda."""

    def __init__(self, call: FunctionCall) -> None:
        self.aws_request_id = call.request_id
        self.function_name = call.function
        self.function_version = call.version
        self.invoked_function_arn = call.arn
        self.tenant_id = call.tenant_id
        self._deadline_ms = call.deadline_ms

    def get_remaining_time_in_millis(self) -> int:
        return max(0, self._deadline_ms - time.time_ns() // 1_000_000)


class InProcess:
    """A function of this process: `def` or `async def`, of the event alone or of event and context. `def` runs in a thread.

    The event is read as its annotation says, the result written as JSON.
    """

    def __init__(self, function: Callable[..., object]) -> None:
        self.function = function
        self._takes_context = _positional(function) > 1
        self._event, self._result = serdes_for(parameter_annotation(function, 0)), result_serdes(function)

    async def call(self, call: FunctionCall) -> str:
        try:
            event = self._event.deserialize(call.payload)
            arguments = (event, LambdaContext(call)) if self._takes_context else (event,)
            if inspect.iscoroutinefunction(self.function):
                result = await cast("Awaitable[object]", self.function(*arguments))
            else:
                result = await asyncio.to_thread(self.function, *arguments)
            return self._result.serialize(result)
        except Exception as error:
            raise FunctionError(describe(error)) from error

    async def close(self) -> None:
        pass


class OnTexts:
    """A plain function that the service calls with JSON texts, as `Service.register` makes it."""

    def __init__(self, function: PlainCall) -> None:
        self._function = function

    async def call(self, call: FunctionCall) -> str:
        try:
            return await self._function(call.payload) or "null"
        except Exception as error:
            raise FunctionError(describe(error)) from error

    async def close(self) -> None:
        pass


class InProcessDurable:
    """A durable handler of this process. The service calls it directly, with its state in memory. body: the function that was decorated."""

    def __init__(self, function: AnyDurable) -> None:
        self.function = function
        self.body: object = getattr(function, "function", None)  # as the decorated handler keeps it

    async def call(self, call: FunctionCall) -> str:
        raise failed("InvalidParameterValueException", f"{call.function} is durable: it is called by its executions alone")

    async def close(self) -> None:
        self.function.drop_parked()


class Gone:
    """A function that has been deleted: its executions fail."""

    def __init__(self, arn: str) -> None:
        self.name = arn
        self._error = ErrorObject(error_type="ResourceNotFoundException", error_message=f"Function not found: {arn}")

    def encode_input(self, value: object) -> str:
        return msgspec.json.encode(value).decode()

    def decode_output(self, text: str | None) -> object:
        return None if text is None else msgspec.json.decode(text)

    async def invoke(self, invocation: Invocation, client: DurableClient) -> InvocationOutput:
        return InvocationOutput(status="FAILED", error=self._error)

    def drop_parked(self) -> None:
        pass

    async def call(self, payload: str) -> str:
        raise FunctionError(self._error)


def is_durable(function: object) -> bool:
    """Whether an object is a durable handler rather than a plain function."""
    return all(callable(getattr(function, member, None)) for member in ("encode_input", "decode_output", "invoke"))


def _positional(function: Callable[..., object]) -> int:
    parameters = inspect.signature(function).parameters.values()
    return sum(one.kind in (one.POSITIONAL_ONLY, one.POSITIONAL_OR_KEYWORD) for one in parameters)
