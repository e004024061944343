"""One kept HTTP/1.1 connection, as much of it as a client of one JSON service needs.

Rule: a request goes out in one write, and its response is read whole. Whatever goes wrong is an OSError, and the
connection is then closed: the caller opens another.
Instead of http.client, which parses headers with the email package: see docs/adr/0003-aws-transport.md.
Source: RFC 9112.
"""

from __future__ import annotations

import socket
from collections.abc import Mapping, Sequence
from contextlib import suppress
from typing import Final

from msgspec import Struct

from everstep.client.endpoint import Endpoint
from everstep.client.tls import Tls

MAX_LINE: Final = 65_536
MAX_HEADERS: Final = 256
_UNACKNOWLEDGED_MS: Final = 10_000
"""After this long without an acknowledgement from the other machine, what we sent is lost. It spares the read timeout where a
frozen function's connection has silently been forgotten by the network."""


class MalformedResponseError(ConnectionError):
    """What came back is not HTTP/1.1, or was cut off."""


class Response(Struct, frozen=True):
    """headers: by lower-case name; those of a repeated one joined by ", "."""

    status: int
    headers: Mapping[str, str]
    body: bytes


class Connection:
    """An open connection. is_open: another request may follow. is_used: at least one has been answered."""

    def __init__(self, sock: socket.socket) -> None:
        self._socket = sock
        self._reader = sock.makefile("rb")
        self.is_open = True
        self.is_used = False

    def exchange(self, request: bytes) -> Response:
        """Send a complete request (not HEAD) and read the response. Raises OSError."""
        try:
            self._socket.sendall(request)
            response, is_kept = self._read_response()
        except BaseException:
            self.close()
            raise
        self.is_used = True
        if not is_kept:
            self.close()
        return response

    def close(self) -> None:
        self.is_open = False
        with suppress(OSError):  # what was broken before may refuse to close
            self._reader.close()
            self._socket.close()

    def _read_response(self) -> tuple[Response, bool]:
        head = read_head(self._read_lines())
        while head.is_interim:
            head = read_head(self._read_lines())
        is_kept = head.is_kept
        if head.is_alone:
            body = b""
        elif head.is_chunked:
            body = self._read_chunks()
        elif (length := head.length) is not None:
            body = self._read_exactly(length)
        else:
            body, is_kept = self._reader.read(), False
        return Response(head.status, head.headers, body), is_kept

    def _read_lines(self) -> list[bytes]:
        """Up to an empty one."""
        lines: list[bytes] = []
        while (line := self._read_line()) and len(lines) <= MAX_HEADERS + 1:
            lines.append(line)
        return lines

    def _read_chunks(self) -> bytes:
        chunks: list[bytes] = []
        while size := chunk_size(self._read_line()):
            chunks.append(self._read_exactly(size))
            if self._read_line():
                raise MalformedResponseError("a chunk is longer than it says")
        read_headers(self._read_lines())  # the trailer
        return b"".join(chunks)

    def _read_line(self) -> bytes:
        line = self._reader.readline(MAX_LINE)
        if not line.endswith(b"\n"):
            raise MalformedResponseError(
                "the connection was closed in the middle of a response" if len(line) < MAX_LINE else "endless line"
            )
        return line.rstrip(b"\r\n")

    def _read_exactly(self, size: int) -> bytes:
        content = self._reader.read(size)
        if len(content) < size:
            raise MalformedResponseError(f"the connection was closed after {len(content)} of {size} bytes")
        return content


class Head(Struct, frozen=True):
    """What comes before a response's body. headers: as a Response has them."""

    version: bytes
    status: int
    headers: dict[str, str]

    @property
    def is_interim(self) -> bool:
        """Whether nobody asked for it, and the response is yet to come."""
        return 100 <= self.status < 200

    @property
    def is_kept(self) -> bool:
        """Whether the other side leaves the connection open."""
        options = self.headers.get("connection", "").lower()
        return "close" not in options if self.version != b"HTTP/1.0" else "keep-alive" in options

    @property
    def is_alone(self) -> bool:
        """Whether there is no body, whatever the headers say."""
        return self.status in (204, 304)

    @property
    def is_chunked(self) -> bool:
        return "chunked" in self.headers.get("transfer-encoding", "").lower()

    @property
    def length(self) -> int | None:
        """Of a body that is not chunked; None: as much as comes until the other side closes."""
        length = self.headers.get("content-length")
        return None if length is None else _number(length, 10)


# Each raises MalformedResponseError. Lines are without their ends.


def read_head(lines: Sequence[bytes]) -> Head:
    line = lines[0] if lines else b""
    version, _, rest = line.partition(b" ")
    status = rest[:3].decode("latin-1")
    if not version.startswith(b"HTTP/1.") or rest[3:4].strip():
        raise MalformedResponseError(f"expected a status line, got {line[:80]!r}")
    return Head(version, _number(status, 10), read_headers(lines[1:]))


def read_headers(lines: Sequence[bytes]) -> dict[str, str]:
    headers: dict[str, str] = {}
    name = ""
    if len(lines) > MAX_HEADERS:
        raise MalformedResponseError(f"more than {MAX_HEADERS} headers")
    for line in lines:
        if line[:1] in b" \t" and name:  # a folded value, obsolete but allowed
            headers[name] += " " + line.strip().decode("latin-1")
            continue
        raw_name, separator, value = line.decode("latin-1").partition(":")
        if not separator:
            raise MalformedResponseError(f"expected a header, got {line[:80]!r}")
        name = raw_name.strip().lower()
        value = value.strip()
        headers[name] = f"{headers[name]}, {value}" if name in headers else value
    return headers


def chunk_size(line: bytes) -> int:
    """Of the chunk that such a line begins; 0: there is none any more."""
    return _number(line.partition(b";")[0].decode("latin-1"), 16)


def _number(digits: str, base: int) -> int:
    digits = digits.strip()
    try:
        if digits.isalnum():  # int() also takes signs and underscores
            return int(digits, base)
    except ValueError:
        pass
    raise MalformedResponseError(f"expected a number, got {digits[:80]!r}")


class Dialer:
    """Opens connections to one endpoint."""

    def __init__(self, endpoint: Endpoint, *, connect_timeout_s: float, read_timeout_s: float, ca_bundle: str | None = None) -> None:
        """ca_bundle: a file of certificates to trust, instead of the system's."""
        self._endpoint = endpoint
        self._connect_timeout_s = connect_timeout_s
        self._read_timeout_s = read_timeout_s
        self._tls = Tls(endpoint.host, ca_bundle) if endpoint.is_tls else None

    def dial(self) -> Connection:
        """A new connection. Raises OSError."""
        sock = self._connect() if self._tls is None else self._tls.secure(self._connect)
        sock.settimeout(self._read_timeout_s)
        return Connection(sock)

    def _connect(self) -> socket.socket:
        sock = socket.create_connection((self._endpoint.host, self._endpoint.port), self._connect_timeout_s)
        sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        if hasattr(socket, "TCP_USER_TIMEOUT"):  # Linux
            sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_USER_TIMEOUT, _UNACKNOWLEDGED_MS)
        return sock
