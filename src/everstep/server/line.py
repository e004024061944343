"""Connections to an HTTP/1.1 server, each for one request at a time.

Rule: a request is sent whole and its answer read whole; whatever goes wrong is an OSError or an h11.ProtocolError, and leaves
the connection closed. A task that is cancelled in the middle of an exchange closes it too.
"""

from __future__ import annotations

import asyncio
import socket
import ssl
from collections.abc import Awaitable, Callable, Iterable
from contextlib import suppress
from typing import Final, NamedTuple

import h11

from everstep.client.endpoint import Endpoint
from everstep.errors import UsageError
from everstep.server.answers import JSON

CONNECT_TIMEOUT_S: Final = 5.0
MAX_ANSWER: Final = 16 * 1024 * 1024
_CHUNK: Final = 65_536


class Answered(NamedTuple):
    """headers: by lower-case name."""

    status: int
    headers: dict[str, str]
    body: bytes


def tls_context(ca_bundle: str | None) -> ssl.SSLContext:
    """Trust in these certificates, or else in the system's. Raises UsageError."""
    try:
        return ssl.create_default_context(cafile=ca_bundle)
    except OSError as error:
        raise UsageError(f"the CA bundle {ca_bundle!r} cannot be read as certificates: {error}") from error


class Line:
    """A connection, opened when the first request is made. tls: None trusts the system's certificates, if it is a TLS connection."""

    def __init__(self, endpoint: Endpoint, tls: ssl.SSLContext | None = None) -> None:
        self._endpoint, self._tls = endpoint, tls
        self._streams: tuple[asyncio.StreamReader, asyncio.StreamWriter] | None = None
        self._connection = h11.Connection(our_role=h11.CLIENT, max_incomplete_event_size=_CHUNK)

    @property
    def is_open(self) -> bool:
        """Whether another request can be made on it."""
        return self._streams is not None

    async def exchange(
        self, method: str, target: str, body: bytes | None = None, headers: Iterable[tuple[str, str]] = (), *, content_type: str = JSON
    ) -> Answered:
        """The answer to a request."""
        try:
            reader, writer = self._streams or await self._open()
            sent = [("Host", self._endpoint.authority), *headers]
            if body is not None:
                sent += [("Content-Type", content_type), ("Content-Length", str(len(body)))]
            writer.write(self._connection.send(h11.Request(method=method, target=target, headers=sent)) or b"")
            if body:
                writer.write(self._connection.send(h11.Data(data=body)) or b"")
            writer.write(self._connection.send(h11.EndOfMessage()) or b"")
            await writer.drain()
            answered = await self._answered(reader)
        except BaseException:
            await self.close()
            raise
        if self._connection.our_state is h11.DONE and self._connection.their_state is h11.DONE:
            self._connection.start_next_cycle()
        else:
            await self.close()
        return answered

    def finish(self) -> None:
        """Say that no request will follow. An answer that is under way still comes."""
        if self._streams is not None:
            with suppress(OSError):
                self._streams[1].write_eof()

    async def close(self) -> None:
        if self._streams is None:
            return
        writer = self._streams[1]
        self._streams = None
        writer.close()
        with suppress(OSError, ssl.SSLError):
            await writer.wait_closed()

    async def _open(self) -> tuple[asyncio.StreamReader, asyncio.StreamWriter]:
        tls = self._tls or tls_context(None) if self._endpoint.is_tls else None
        async with asyncio.timeout(CONNECT_TIMEOUT_S):
            self._streams = reader, writer = await asyncio.open_connection(self._endpoint.host, self._endpoint.port, ssl=tls)
        sock: socket.socket = writer.get_extra_info("socket")
        sock.setsockopt(socket.SOL_SOCKET, socket.SO_KEEPALIVE, 1)  # answers may take long, and the other machine may be gone
        self._connection = h11.Connection(our_role=h11.CLIENT, max_incomplete_event_size=_CHUNK)
        return reader, writer

    async def _answered(self, reader: asyncio.StreamReader) -> Answered:
        status, headers = 0, dict[str, str]()
        body = bytearray()
        while True:
            event = self._connection.next_event()
            if event is h11.NEED_DATA:
                self._connection.receive_data(await reader.read(_CHUNK))
            elif isinstance(event, h11.Response):
                status = event.status_code
                headers = {name.decode("latin-1"): value.decode("latin-1") for name, value in event.headers}
            elif isinstance(event, h11.Data):
                body += event.data
                if len(body) > MAX_ANSWER:
                    raise h11.RemoteProtocolError(f"the answer is larger than {MAX_ANSWER} bytes")
            elif isinstance(event, h11.EndOfMessage):
                return Answered(status, headers, bytes(body))
            elif isinstance(event, h11.ConnectionClosed):
                raise h11.RemoteProtocolError("the connection was closed before the answer was complete")


class Lines:
    """Connections that are kept from one request to the next: one per request under way. tls: as of a Line."""

    def __init__(self, endpoint: Endpoint, tls: ssl.SSLContext | None) -> None:
        self._endpoint, self._tls = endpoint, tls
        self._idle: list[Line] = []

    async def answered(self, exchange: Callable[[Line], Awaitable[Answered]]) -> Answered:
        """What `exchange` gets. It is tried on another connection at once if a kept one turns out to be closed."""
        line, is_kept = (self._idle.pop(), True) if self._idle else (Line(self._endpoint, self._tls), False)
        try:
            return await self._on(line, exchange)
        except (OSError, h11.ProtocolError) as error:
            if not is_kept or isinstance(error, TimeoutError):
                raise
        return await self._on(Line(self._endpoint, self._tls), exchange)

    async def close(self) -> None:
        """Close the connections that no request uses."""
        while self._idle:
            await self._idle.pop().close()

    async def _on(self, line: Line, exchange: Callable[[Line], Awaitable[Answered]]) -> Answered:
        answered = await exchange(line)
        if line.is_open:
            self._idle.append(line)
        return answered
