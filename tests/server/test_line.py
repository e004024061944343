"""A line reads answers as the blocking connection does, whose tests say what they mean; here is what only a line does."""

from __future__ import annotations

import asyncio
from collections.abc import Iterable

import pytest

from everstep.client.connection import MalformedResponseError
from everstep.client.endpoint import Endpoint
from everstep.server.line import MAX_ANSWER, Answered, Line


async def exchanged(answer: bytes, headers: Iterable[tuple[str, str]] = ()) -> tuple[Answered, bool, bytes]:
    """What a line makes of an answer after which the other side closes, whether it stays open, and what it sent."""
    sent = b""

    async def answers(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        nonlocal sent
        sent = await reader.readuntil(b"the end")
        writer.write(answer)
        writer.close()

    async with await asyncio.start_server(answers, "127.0.0.1", 0) as server:
        line = Line(Endpoint("127.0.0.1", server.sockets[0].getsockname()[1], is_tls=False))
        try:
            answered = await line.exchange("POST", "/path?q", b"the end", headers)
            return answered, line.is_open, sent
        finally:
            await line.close()


async def test_a_request_is_sent_whole_and_leaves_the_connection_open() -> None:
    answered, is_kept, sent = await exchanged(b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\nX-A: 1\r\nx-a: 2\r\n\r\n{}", [("X-Asked", "é")])

    assert answered == (200, {"content-length": "2", "x-a": "1, 2"}, b"{}")
    assert is_kept
    first, *others = sent.decode("latin-1").split("\r\n")
    assert first == "POST /path?q HTTP/1.1"
    assert others[1:] == ["X-Asked: é", "Content-Type: application/json", "Content-Length: 7", "", "the end"]


@pytest.mark.parametrize(
    ("answer", "body", "is_kept"),
    [
        (b"HTTP/1.1 100 Continue\r\n\r\nHTTP/1.1 204 No Content\r\n\r\n", b"", True),
        (b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n2;x=y\r\nab\r\n1\r\nc\r\n0\r\nX-T: 1\r\n\r\n", b"abc", True),
        (b"HTTP/1.1 200 OK\nContent-Length: 1\n\na", b"a", True),
        (b"HTTP/1.1 200 OK\r\nContent-Length: 1\r\nConnection: close\r\n\r\na", b"a", False),
        (b"HTTP/1.0 200 OK\r\n\r\nuntil it closes", b"until it closes", False),
    ],
)
async def test_every_form_of_a_body_is_read(answer: bytes, body: bytes, *, is_kept: bool) -> None:
    answered, was_kept, _ = await exchanged(answer)

    assert (answered.body, was_kept) == (body, is_kept)


async def test_a_connection_that_we_said_we_would_close_is_closed() -> None:
    _, is_kept, _ = await exchanged(b"HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n", [("Connection", "close")])

    assert not is_kept


@pytest.mark.parametrize(
    "answer",
    [
        b"",
        b"SSH-2.0-server\r\n",
        b"HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\ncut",
        b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n2\r\nab",
        b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n1\r\nab\r\n0\r\n\r\n",
        b"HTTP/1.1 200 OK\r\nContent-Length: %d\r\n\r\n" % (MAX_ANSWER + 1),
        b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n%x\r\n" % (MAX_ANSWER + 1),
        b"HTTP/1.1 200 OK\r\n" + b"a: b\r\n" * 300 + b"\r\n",
        b"HTTP/1.1 200 OK\r\nendless: " + b"x" * 100_000,
    ],
)
async def test_what_cannot_be_read_is_an_error_of_the_connection(answer: bytes) -> None:
    with pytest.raises(MalformedResponseError):
        await exchanged(answer)


async def test_a_header_cannot_smuggle_another() -> None:
    with pytest.raises(OSError, match="X-Trace cannot be sent"):
        await exchanged(b"", [("X-Trace", "a\r\nX-Other: b")])
