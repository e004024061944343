"""A function behind a Lambda-style HTTP endpoint: the Runtime Interface Emulator, another server, a gateway.

Rule: one request per call on a connection of its own, so that a call which is given up takes nothing else with it. An
endpoint that has no room (status 429) has not begun the call: it is asked again, for as long as the call may take.
"""

from __future__ import annotations

import asyncio
from typing import Final

import msgspec

from everstep.client.endpoint import Endpoint, parse_endpoint
from everstep.protocol.shapes import ErrorObject
from everstep.server.code import FunctionCall, failed
from everstep.server.line import Answered, Line
from everstep.server.wire import read_function_error
from everstep.service.functions import FunctionError

THROTTLED: Final = 429
FIRST_DELAY_S: Final = 0.5
LONGEST_DELAY_S: Final = 20.0


class AtEndpoint:
    """Code at a URL: `http://host:port` takes `/2015-03-31/functions/NAME/invocations`; a URL with a path is used as it is."""

    def __init__(self, url: str, name: str) -> None:
        self._endpoint: Endpoint = parse_endpoint(url)
        self._path = self._endpoint.path or f"/2015-03-31/functions/{name}/invocations"

    async def call(self, call: FunctionCall) -> str:
        """See Code."""
        delay_s = FIRST_DELAY_S
        while True:
            status, headers, body = await self._exchange(call)
            if status != THROTTLED or "x-amz-function-error" in headers:
                break
            asked = headers.get("retry-after", "")
            await asyncio.sleep(min(max(delay_s, float(asked) if asked.isdecimal() else 0), LONGEST_DELAY_S))
            delay_s *= 2
        text = body.decode(errors="replace")
        if status >= 400 or "x-amz-function-error" in headers:
            raise FunctionError(_error_in(status, headers, text))
        return text

    async def close(self) -> None:
        pass

    async def _exchange(self, call: FunctionCall) -> Answered:
        line = Line(self._endpoint)
        try:
            return await line.exchange("POST", self._path, call.payload.encode(), self._headers(call))
        except (OSError, UnicodeError) as error:
            raise failed("Runtime.Unreachable", f"{self._endpoint.authority}: {error or type(error).__name__}") from error
        finally:
            await line.close()

    def _headers(self, call: FunctionCall) -> list[tuple[str, str]]:
        headers = [("Connection", "close"), ("X-Amzn-RequestId", call.request_id)]
        if call.execution_arn is not None:
            headers.append(("X-Dex-Handler-Invoke", "true"))  # run the handler, do not start an execution. Precedent: the official emulator
        for name, value in (
            ("X-Amz-Tenant-Id", call.tenant_id),
            ("X-Amzn-Trace-Id", call.trace_header),
            ("X-Amz-Client-Context", call.client_context),
        ):
            if value is not None:
                headers.append((name, value))
        return headers


def _error_in(status: int, headers: dict[str, str], text: str) -> ErrorObject:
    """What an answer says that is an error."""
    try:
        members = msgspec.json.decode(text, type=dict[str, object])
    except (msgspec.DecodeError, UnicodeEncodeError):
        members = {}
    error = read_function_error(members)
    if error.error_type is not None or error.error_message is not None:
        return error
    message = members.get("message", members.get("Message"))
    kind = headers.get("x-amzn-errortype", "").split(":", 1)[0] or f"Http{status}"
    return ErrorObject(error_type=kind, error_message=message if isinstance(message, str) else text[:1000])
