"""A receiver of webhooks on a real socket, which can be told to fail, to hang, to redirect, or to be gone."""

from __future__ import annotations

import json
import threading
import time
from collections import Counter
from collections.abc import Callable, Generator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any, Final, NamedTuple

SECRET: Final = "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw"
OTHER_SECRET: Final = "whsec_C2FVsBQIhrscChlQIMV+b5sSYspob7oD"


class Received(NamedTuple):
    """headers: by lower-case name."""

    path: str
    headers: dict[str, str]
    body: bytes

    @property
    def event(self) -> dict[str, Any]:
        event: dict[str, Any] = json.loads(self.body)
        return event

    @property
    def told(self) -> tuple[str, str]:
        """Of which execution, by name, and its status."""
        detail = self.event["detail"]
        return detail["durableExecutionName"], detail["status"]


class _Server(ThreadingHTTPServer):
    allow_reuse_address = True
    daemon_threads = True
    block_on_close = False
    request_queue_size = 128


class Receiver:
    """answer: the status of an answer. resumes: while it is not set, requests hang."""

    def __init__(self) -> None:
        self.requests: list[Received] = []
        self.answer: Callable[[Received], int] = lambda received: 204
        self.resumes = threading.Event()
        self.resumes.set()
        self._lock = threading.Lock()
        self._server: ThreadingHTTPServer | None = None
        self.port = 0
        self.start()

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.port}/hook?of=shop"

    @property
    def taken(self) -> Counter[tuple[str, str]]:
        return Counter(received.told for received in self.requests)

    def start(self) -> None:
        """On the port that it had, if it had one."""
        receiver = self

        class Handler(BaseHTTPRequestHandler):
            def do_POST(self) -> None:
                body = self.rfile.read(int(self.headers["content-length"]))
                receiver.handle(self, Received(self.path, {name.lower(): value for name, value in self.headers.items()}, body))

            def log_message(self, format: str, *args: object) -> None:  # noqa: A002  # the name it overrides
                pass

        self._server = _Server(("127.0.0.1", self.port), Handler)
        self.port = self._server.server_address[1]
        threading.Thread(target=self._server.serve_forever, args=(0.01,), daemon=True).start()

    def stop(self) -> None:
        if self._server is not None:
            self._server.shutdown()
            self._server.server_close()
            self._server = None

    def handle(self, request: BaseHTTPRequestHandler, received: Received) -> None:
        self.resumes.wait()
        status = self.answer(received)
        with self._lock:
            self.requests.append(received)
        try:
            request.send_response(status)
            if 300 <= status < 400:
                request.send_header("location", "/elsewhere")
            request.send_header("content-length", "0")
            request.end_headers()
        except OSError:
            pass  # who asked has gone

    def until(self, condition: Callable[[], bool], what: str, patience_s: float = 30) -> None:
        deadline = time.monotonic() + patience_s
        while not condition():
            assert time.monotonic() < deadline, f"{what} did not happen; received: {self.taken}"
            time.sleep(0.01)


@contextmanager
def receiving() -> Generator[Receiver]:
    receiver = Receiver()
    try:
        yield receiver
    finally:
        receiver.resumes.set()
        receiver.stop()
