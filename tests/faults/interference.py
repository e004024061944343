"""What lies between two ends of a connection, and how it fails them: answers that get lost, requests that come twice, cut cables."""

from __future__ import annotations

import random
import re
import select
import socket
import threading
from collections import Counter
from collections.abc import Callable
from contextlib import ExitStack, suppress
from pathlib import Path
from types import TracebackType
from typing import Final, Self

CHUNK: Final = 1 << 16
_LENGTH: Final = re.compile(rb"content-length: *(\d+)", re.IGNORECASE)
FATES: Final = ("pass",) * 6 + ("lose the answer", "lose the request", "double the request")


class _Gone(Exception):
    """An end has closed its connection."""


def _message(connection: socket.socket, watched: socket.socket | None = None) -> bytes:
    """One HTTP message with a body of known length. watched: who must not go away meanwhile. Raises _Gone."""
    received = b""
    while True:
        head, separator, body = received.partition(b"\r\n\r\n")
        if separator:
            length = _LENGTH.search(head)
            if len(body) >= (int(length[1]) if length else 0):
                return received
        readable, _, _ = select.select([connection] if watched is None else [connection, watched], [], [])
        if connection not in readable:
            raise _Gone
        piece = connection.recv(CHUNK)
        if not piece:
            raise _Gone
        received += piece


class _Listener:
    """Takes connections in threads, until the end of the block."""

    def __init__(self) -> None:
        self._listener = socket.create_server(("127.0.0.1", 0))
        self.port: int = self._listener.getsockname()[1]
        self._open: set[socket.socket] = set()
        self._thread = threading.Thread(target=self._run, name="interference", daemon=True)

    def __enter__(self) -> Self:
        self._thread.start()
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None) -> None:
        with suppress(OSError):
            self._listener.shutdown(socket.SHUT_RDWR)
        self._listener.close()
        self.cut()
        self._thread.join()

    def cut(self) -> None:
        """Break every connection."""
        for connection in tuple(self._open):
            with suppress(OSError):
                connection.shutdown(socket.SHUT_RDWR)

    def _run(self) -> None:
        with suppress(OSError):
            while True:
                connection, _ = self._listener.accept()
                threading.Thread(target=self._serve, args=(connection,), daemon=True).start()

    def _serve(self, connection: socket.socket) -> None:
        self._open.add(connection)
        try:
            with connection, suppress(OSError, _Gone):
                self.serve(connection)
        finally:
            self._open.discard(connection)

    def serve(self, connection: socket.socket) -> None:
        raise NotImplementedError


def at_random(seed: int) -> Callable[[bytes], str]:
    """Any request may meet with any fate, but for those that only say that somebody is there."""
    chance = random.Random(seed)
    return lambda request: "pass" if b"/presence " in request else chance.choice(FATES)


class Interference(_Listener):
    """Between an HTTP client and the server at `port`. decide: a request's fate."""

    def __init__(self, port: int, decide: Callable[[bytes], str]) -> None:
        super().__init__()
        self._server, self._decide = port, decide
        self.fates: Counter[str] = Counter()

    def _connect(self) -> socket.socket:
        return socket.create_connection(("127.0.0.1", self._server))

    def serve(self, connection: socket.socket) -> None:
        with ExitStack() as closing:
            server: socket.socket | None = None
            while True:
                request = _message(connection)
                fate = self._decide(request)
                self.fates[fate] += 1
                if fate == "lose the request":
                    return
                if server is None:
                    server = closing.enter_context(self._connect())
                if fate == "double the request":
                    with self._connect() as other:
                        other.sendall(request)
                        _message(other, connection)
                server.sendall(request)
                answer = _message(server, connection)
                if fate == "lose the answer":
                    return
                connection.sendall(answer)


class Cable(_Listener):
    """Between PostgreSQL's clients and its socket. Unplugged, it swallows what is said and breaks nothing."""

    def __init__(self, path: Path) -> None:
        super().__init__()
        self._path = path
        self._is_plugged = threading.Event()
        self._is_plugged.set()

    def unplug(self) -> None:
        self._is_plugged.clear()

    def plug(self) -> None:
        """Connections that were there while it was unplugged are broken now, as a network does that has lost its state."""
        self.cut()
        self._is_plugged.set()

    def serve(self, connection: socket.socket) -> None:
        self._is_plugged.wait()
        with socket.socket(socket.AF_UNIX, socket.SOCK_STREAM) as server:
            server.connect(str(self._path))
            while True:
                for end in select.select([connection, server], [], [])[0]:
                    piece = end.recv(CHUNK)
                    self._is_plugged.wait()
                    if not piece:
                        return
                    (server if end is connection else connection).sendall(piece)
