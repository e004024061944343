"""A function behind a Lambda-style HTTP endpoint: the Runtime Interface Emulator, another server, a gateway.

Rule: one request per call on a connection of its own, so that a call which is given up takes nothing else with it.
"""

from __future__ import annotations

import asyncio
import ssl
from contextlib import suppress
from typing import Final

import h11
import msgspec

from everstep.client.endpoint import Endpoint, parse_endpoint
from everstep.protocol.shapes import ErrorObject
from everstep.server.code import FunctionCall, failed
from everstep.server.wire import read_function_error
from everstep.service.functions import FunctionError

CONNECT_TIMEOUT_S: Final = 5.0
MAX_ANSWER: Final = 16 * 1024 * 1024
_CHUNK: Final = 65_536


class AtEndpoint:
    """Code at a URL: `http://host:port` takes `/2015-03-31/functions/NAME/invocations`; a URL with a path is used as it is."""

    def __init__(self, url: str, name: str) -> None:
        self._endpoint: Endpoint = parse_endpoint(url)
        self._path = self._endpoint.path or f"/2015-03-31/functions/{name}/invocations"

    async def call(self, call: FunctionCall) -> str:
        """See Code."""
        try:
            status, headers, body = await self._exchange(call)
        except (OSError, TimeoutError, h11.ProtocolError) as error:
            raise failed("Runtime.Unreachable", f"{self._endpoint.authority}: {error or type(error).__name__}") from error
        text = body.decode(errors="replace")
        if status >= 400 or "x-amz-function-error" in headers:
            raise FunctionError(_error_in(status, headers, text))
        return text

    async def close(self) -> None:
        pass

    async def _exchange(self, call: FunctionCall) -> tuple[int, dict[str, str], bytes]:
        tls = ssl.create_default_context() if self._endpoint.is_tls else None
        async with asyncio.timeout(CONNECT_TIMEOUT_S):
            reader, writer = await asyncio.open_connection(self._endpoint.host, self._endpoint.port, ssl=tls)
        try:
            connection = h11.Connection(our_role=h11.CLIENT, max_incomplete_event_size=_CHUNK)
            body = call.payload.encode()
            request = h11.Request(method="POST", target=self._path, headers=self._headers(call, len(body)))
            for event in (request, h11.Data(data=body), h11.EndOfMessage()):
                writer.write(connection.send(event) or b"")
            await writer.drain()
            return await _response(connection, reader)
        finally:
            writer.close()
            with suppress(OSError, ssl.SSLError):
                await writer.wait_closed()

    def _headers(self, call: FunctionCall, length: int) -> list[tuple[str, str]]:
        headers = [
            ("Host", self._endpoint.authority),
            ("Content-Type", "application/json"),
            ("Content-Length", str(length)),
            ("Connection", "close"),
            ("X-Amzn-RequestId", call.request_id),
        ]
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


async def _response(connection: h11.Connection, reader: asyncio.StreamReader) -> tuple[int, dict[str, str], bytes]:
    status, headers = 0, dict[str, str]()
    body = bytearray()
    while True:
        event = connection.next_event()
        if event is h11.NEED_DATA:
            connection.receive_data(await reader.read(_CHUNK))
        elif isinstance(event, h11.Response):
            status = event.status_code
            headers = {name.decode("latin-1"): value.decode("latin-1") for name, value in event.headers}
        elif isinstance(event, h11.Data):
            body += event.data
            if len(body) > MAX_ANSWER:
                raise h11.RemoteProtocolError(f"the answer is larger than {MAX_ANSWER} bytes")
        elif isinstance(event, h11.EndOfMessage):
            return status, headers, bytes(body)
        elif isinstance(event, h11.ConnectionClosed):
            raise h11.RemoteProtocolError("the connection was closed before the answer was complete")


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
