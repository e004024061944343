"""Connections whose answers leave in one write: uvicorn writes a response's head and its body apart.

Each write is a call of the system, and wakes whoever waits for the answer: for the head, with which it can do nothing yet.
"""

from __future__ import annotations

import asyncio
from typing import Any, Final, cast

from uvicorn.protocols.http.httptools_impl import HttpToolsProtocol

MAX_BYTES: Final = 65_536
"""After which nothing more is gathered, so that what is written slowly is noticed."""


class GatheringProtocol(HttpToolsProtocol):
    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self.gathering = _Gathering(cast("asyncio.Transport", transport), self.loop)  # uvloop's is none by type
        super().connection_made(self.gathering)


class _Gathering(asyncio.Transport):
    """What is written in one turn of the loop goes out together, at the end of it."""

    def __init__(self, transport: asyncio.Transport, loop: asyncio.AbstractEventLoop) -> None:
        super().__init__()
        self._transport, self._loop = transport, loop
        self._gathered: list[bytes | bytearray | memoryview] = []
        self._size = 0

    def write(self, data: bytes | bytearray | memoryview) -> None:
        if not self._gathered:
            self._loop.call_soon(self._flush)
        self._gathered.append(data)
        self._size += len(data)
        if self._size >= MAX_BYTES:
            self._flush()

    def write_whole(self, answer: bytes) -> None:
        """What is known whole goes at once, behind what was written before."""
        self._flush()
        self._transport.write(answer)

    def _flush(self) -> None:
        if self._gathered:
            gathered, self._gathered, self._size = self._gathered, [], 0
            self._transport.write(b"".join(gathered))

    def close(self) -> None:
        self._flush()
        self._transport.close()

    def abort(self) -> None:
        self._transport.abort()

    def is_closing(self) -> bool:
        return self._transport.is_closing()

    def get_extra_info(self, name: str, default: Any = None) -> Any:  # Any: as asyncio has it
        return self._transport.get_extra_info(name, default)

    def set_protocol(self, protocol: asyncio.BaseProtocol) -> None:
        self._transport.set_protocol(protocol)

    def pause_reading(self) -> None:
        self._transport.pause_reading()

    def resume_reading(self) -> None:
        self._transport.resume_reading()
