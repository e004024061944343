"""Connections to an HTTP/1.1 server, each for one request at a time.

Rule: a request is sent whole and its answer read whole; whatever goes wrong is an OSError, and leaves the connection closed. A task
that is cancelled in the middle of an exchange closes it too.
"""

from __future__ import annotations

import asyncio
import re
import socket
import ssl
from collections.abc import Awaitable, Callable, Iterable
from contextlib import suppress
from typing import Final, NamedTuple

from everstep.client.connection import MAX_HEADERS, MAX_LINE, Head, MalformedResponseError, chunk_size, read_head, read_headers
from everstep.client.endpoint import Endpoint
from everstep.errors import UsageError
from everstep.server.answers import JSON

CONNECT_TIMEOUT_S: Final = 5.0
MAX_ANSWER: Final = 16 * 1024 * 1024
_CHUNK: Final = 65_536
_BREAK: Final = re.compile(r"[\r\n\0]")


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

    @property
    def is_open(self) -> bool:
        """Whether another request can be made on it."""
        return self._streams is not None

    async def exchange(
        self, method: str, target: str, body: bytes | None = None, headers: Iterable[tuple[str, str]] = (), *, content_type: str = JSON
    ) -> Answered:
        """The answer to a request (not HEAD)."""
        sent = [("Host", self._endpoint.authority), *headers]
        if body is not None:
            sent += [("Content-Type", content_type), ("Content-Length", str(len(body)))]
        request = _head(method, target, sent) + (body or b"")
        try:
            reader, writer = self._streams or await self._open()
            writer.write(request)
            await writer.drain()
            answered, is_kept = await _answered(reader)
        except BaseException:
            await self.close()
            raise
        if not is_kept or any(name.lower() == "connection" and value.lower() == "close" for name, value in sent):
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
            streams = await asyncio.open_connection(self._endpoint.host, self._endpoint.port, ssl=tls, limit=MAX_LINE)
        self._streams = streams
        sock: socket.socket = streams[1].get_extra_info("socket")
        sock.setsockopt(socket.SOL_SOCKET, socket.SO_KEEPALIVE, 1)  # answers may take long, and the other machine may be gone
        return streams


def _head(method: str, target: str, headers: Iterable[tuple[str, str]]) -> bytes:
    """Raises OSError if a header would be read as more than that, UnicodeError if it is more than Latin-1."""
    lines = [f"{method} {target} HTTP/1.1"]
    for name, value in headers:
        if _BREAK.search(value):
            raise ConnectionError(f"the header {name} cannot be sent: there is a line break in it")
        lines.append(f"{name}: {value}")
    return "\r\n".join((*lines, "", "")).encode("latin-1")


async def _answered(reader: asyncio.StreamReader) -> tuple[Answered, bool]:
    """And whether the connection stays open."""
    head = await _read_head(reader)
    while head.is_interim:
        head = await _read_head(reader)
    is_kept = head.is_kept
    if head.is_alone:
        body = b""
    elif head.is_chunked:
        body = await _read_chunks(reader)
    elif (length := head.length) is not None:
        body = await _read_exactly(reader, length)
    else:
        body, is_kept = await _read_all(reader), False
    return Answered(head.status, head.headers, body), is_kept


async def _read_head(reader: asyncio.StreamReader) -> Head:
    return read_head(await _read_lines(reader))


async def _read_lines(reader: asyncio.StreamReader) -> list[bytes]:
    """Up to an empty one."""
    lines: list[bytes] = []
    while (line := await _read_line(reader)) and len(lines) <= MAX_HEADERS + 1:
        lines.append(line)
    return lines


async def _read_line(reader: asyncio.StreamReader) -> bytes:
    try:
        line = await reader.readline()
    except ValueError:
        raise MalformedResponseError("endless line") from None
    if not line.endswith(b"\n"):
        raise MalformedResponseError("the connection was closed before the answer was complete")
    return line.rstrip(b"\r\n")


async def _read_exactly(reader: asyncio.StreamReader, size: int) -> bytes:
    _check_size(size)
    try:
        return await reader.readexactly(size)
    except asyncio.IncompleteReadError:
        raise MalformedResponseError("the connection was closed before the answer was complete") from None


async def _read_chunks(reader: asyncio.StreamReader) -> bytes:
    body = bytearray()
    while size := chunk_size(await _read_line(reader)):
        _check_size(len(body) + size)
        body += await _read_exactly(reader, size)
        if await _read_line(reader):
            raise MalformedResponseError("a chunk is longer than it says")
    read_headers(await _read_lines(reader))  # the trailer
    return bytes(body)


async def _read_all(reader: asyncio.StreamReader) -> bytes:
    body = bytearray()
    while part := await reader.read(_CHUNK):
        body += part
        _check_size(len(body))
    return bytes(body)


def _check_size(size: int) -> None:
    if size > MAX_ANSWER:
        raise MalformedResponseError(f"the answer is larger than {MAX_ANSWER} bytes")


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
        except OSError as error:
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
