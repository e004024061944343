"""A service on a real socket of this machine that answers as it is told and remembers what it was asked."""

from __future__ import annotations

import json
import ssl
from collections.abc import Mapping
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from threading import Barrier, Event, Thread
from types import TracebackType
from typing import Self

JSON_TYPE = {"Content-Type": "application/json"}


@dataclass(frozen=True, slots=True)
class Asked:
    """A request as it arrived. path: with the query. headers: by lower-case name."""

    method: str
    path: str
    headers: Mapping[str, str]
    body: bytes


@dataclass(frozen=True, slots=True)
class Reply:
    """A response. cut: so many bytes of the body are sent, then the connection is dropped. hang_up: it is dropped afterwards.

    held: waited for before it is sent.
    """

    status: int = 200
    body: bytes = b'{"CheckpointToken":"next","NewExecutionState":{"Operations":[]}}'
    headers: Mapping[str, str] = field(default_factory=lambda: JSON_TYPE)
    cut: int | None = None
    hang_up: bool = False
    held: Event | Barrier | None = None


@dataclass(frozen=True, slots=True)
class Drop:
    """No response: the connection is closed once the request has been read."""


def refuse(status: int, code: str, message: str, **headers: str) -> Reply:
    """An error as the service puts it."""
    named = {name.replace("_", "-"): value for name, value in headers.items()}
    return Reply(status, json.dumps({"Type": "User", "message": message}).encode(), {**JSON_TYPE, "x-amzn-ErrorType": code, **named})


class FakeService:
    """Answers requests with `replies` in order, then with successes."""

    def __init__(self, *replies: Reply | Drop, tls: ssl.SSLContext | None = None) -> None:
        self.replies = list(replies)
        self.asked: list[Asked] = []
        self.connections = 0
        self._server = _Server(("127.0.0.1", 0), _Handler)
        self._server.service = self
        if tls is not None:
            self._server.socket = tls.wrap_socket(self._server.socket, server_side=True)
        self._scheme = "http" if tls is None else "https"
        self._thread = Thread(target=self._server.serve_forever, kwargs={"poll_interval": 0.01}, daemon=True)

    @property
    def url(self) -> str:
        return f"{self._scheme}://localhost:{self._server.server_address[1]}"

    def __enter__(self) -> Self:
        self._thread.start()
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None) -> None:
        self._server.shutdown()
        self._thread.join()
        self._server.server_close()


class _Server(ThreadingHTTPServer):
    daemon_threads = True
    block_on_close = False  # kept connections stay open as long as the client wants
    service: FakeService

    def handle_error(self, request: object, client_address: object) -> None:
        """Say nothing: clients that hang up are part of the tests."""


class _Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    disable_nagle_algorithm = True

    def setup(self) -> None:
        super().setup()
        self._service.connections += 1

    def log_message(self, format: str, *args: object) -> None:  # noqa: A002 # the name is the base class's
        """Keep quiet."""

    def do_GET(self) -> None:
        self._answer()

    def do_POST(self) -> None:
        self._answer()

    @property
    def _service(self) -> FakeService:
        assert isinstance(self.server, _Server)
        return self.server.service

    def _answer(self) -> None:
        body = self.rfile.read(int(self.headers.get("content-length", "0")))
        headers = {name.lower(): value for name, value in self.headers.items()}
        service = self._service
        service.asked.append(Asked(self.command, self.path, headers, body))
        reply = service.replies.pop(0) if service.replies else Reply()
        if isinstance(reply, Drop):
            self.close_connection = True
            return
        if reply.held is not None:
            reply.held.wait(5)
        self.send_response(reply.status)
        for name, value in reply.headers.items():
            self.send_header(name, value)
        self.send_header("Content-Length", str(len(reply.body)))
        self.end_headers()
        self.wfile.write(reply.body[: reply.cut])
        self.close_connection = reply.hang_up or reply.cut is not None
