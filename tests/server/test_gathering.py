"""Answers leave in one write, unless they are long."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncGenerator, Sequence
from contextlib import asynccontextmanager
from typing import cast

import uvicorn
from starlette.types import Receive, Scope, Send
from uvicorn.server import ServerState

from everstep.server.gathering import MAX_BYTES, GatheringProtocol


class _Noted:
    """A transport whose writes are noted."""

    def __init__(self, transport: asyncio.BaseTransport, writes: list[bytes]) -> None:
        self._transport, self._writes = cast("asyncio.Transport", transport), writes

    def write(self, data: bytes) -> None:
        self._writes.append(data)
        self._transport.write(data)

    def __getattr__(self, name: str) -> object:
        return getattr(self._transport, name)


@asynccontextmanager
async def serving(parts: Sequence[bytes], writes: list[bytes]) -> AsyncGenerator[int]:
    """A port where each request is answered with these parts of a body; what is written there is noted."""

    async def app(scope: Scope, receive: Receive, send: Send) -> None:
        length = str(sum(map(len, parts))).encode()
        await send({"type": "http.response.start", "status": 200, "headers": [(b"content-length", length)]})
        for at, part in enumerate(parts, start=1):
            await send({"type": "http.response.body", "body": part, "more_body": at < len(parts)})

    config = uvicorn.Config(app, lifespan="off", log_config=None)
    config.load()
    state = ServerState()

    class Noting(GatheringProtocol):
        def connection_made(self, transport: asyncio.BaseTransport) -> None:
            super().connection_made(cast("asyncio.Transport", _Noted(transport, writes)))

    server = await asyncio.get_running_loop().create_server(lambda: Noting(config, state, {}), "127.0.0.1", 0)
    async with server:
        yield server.sockets[0].getsockname()[1]


async def asked(port: int, times: int, *, keeps: bool = True) -> bytes:
    reader, writer = await asyncio.open_connection("127.0.0.1", port)
    for number in range(times):
        is_last = number == times - 1 and not keeps
        writer.write(b"GET / HTTP/1.1\r\nHost: x\r\n" + (b"Connection: close\r\n" if is_last else b"") + b"\r\n")
    answer = await reader.read() if not keeps else await reader.readuntil(b"end")
    writer.close()
    return answer


async def test_head_and_body_are_one_write() -> None:
    writes: list[bytes] = []
    async with serving([b"the ", b"end"], writes) as port:
        answer = await asked(port, 1)

    assert answer.startswith(b"HTTP/1.1 200 OK\r\n")
    assert answer.endswith(b"\r\n\r\nthe end")
    assert writes == [answer]


async def test_what_is_gathered_leaves_before_the_connection_is_closed() -> None:
    writes: list[bytes] = []
    async with serving([b"the end"], writes) as port:
        answer = await asked(port, 2, keeps=False)

    assert answer.count(b"the end") == 2


async def test_a_long_answer_is_not_held_back() -> None:
    writes: list[bytes] = []
    async with serving([b"x" * MAX_BYTES, b"x" * MAX_BYTES, b"end"], writes) as port:
        answer = await asked(port, 1, keeps=False)

    assert len(answer.partition(b"\r\n\r\n")[2]) == 2 * MAX_BYTES + 3
    assert len(writes) == 3
