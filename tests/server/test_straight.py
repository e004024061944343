"""What goes past ASGI is answered as what does not."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Sequence
from typing import cast

import pytest
import uvicorn
from starlette.requests import Request
from starlette.types import Receive, Scope, Send
from uvicorn.server import ServerState

from everstep.server.answers import Answer
from everstep.server.straight import StraightProtocol, connections_of

HELLO = Answer(body=b"hello", status=202, headers={"content-type": "text/plain", "x-one": "1"})


class _App:
    """Answers what begins with /often. passed: the paths that came by ASGI."""

    def __init__(self, answer: Answer) -> None:
        self._answer = answer
        self.passed: list[str] = []

    def is_frequent(self, path: str) -> bool:
        return path.startswith("/often")

    async def answered(self, request: Request) -> Answer:
        body = await request.body()
        return Answer(body=self._answer.body + body, status=self._answer.status, headers=self._answer.headers)

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        self.passed.append(scope["path"])
        await send({"type": "http.response.start", "status": 200, "headers": [(b"content-length", b"4")]})
        await send({"type": "http.response.body", "body": b"ASGI"})


def answers(app: _App, requests: bytes) -> bytes:
    """All that is written until the server closes the connection."""

    async def run() -> bytes:
        config = uvicorn.Config(app, lifespan="off", log_config=None, http=connections_of(app))
        config.load()
        state = ServerState()
        state.default_headers = [(b"date", b"today")]
        connection = cast("type[StraightProtocol]", connections_of(app))
        server = await asyncio.get_running_loop().create_server(lambda: connection(config, state, {}), "127.0.0.1", 0)
        async with server:
            reader, writer = await asyncio.open_connection("127.0.0.1", server.sockets[0].getsockname()[1])
            writer.write(requests)
            answer = await asyncio.wait_for(reader.read(), 5)
            writer.close()
            return answer

    return asyncio.run(run())


def request(path: str, method: str = "POST", headers: Sequence[str] = (), body: bytes = b"", *, last: bool = False) -> bytes:
    lines = [f"{method} {path} HTTP/1.1", "Host: x", f"Content-Length: {len(body)}", *headers, *(["Connection: close"] if last else [])]
    return "\r\n".join([*lines, "", ""]).encode() + body


def test_an_answer_has_its_status_its_headers_and_its_length() -> None:
    app = _App(HELLO)

    answer = answers(app, request("/often", body=b", you", last=True))

    head, _, body = answer.partition(b"\r\n\r\n")
    assert head.split(b"\r\n") == [
        b"HTTP/1.1 202 Accepted",
        b"date: today",
        b"content-type: text/plain",
        b"x-one: 1",
        b"content-length: 10",
        b"connection: close",
    ]
    assert body == b"hello, you"
    assert not app.passed


def test_an_answer_without_content_says_no_length() -> None:
    answer = answers(_App(Answer(status=204)), request("/often", last=True))

    assert answer == b"HTTP/1.1 204 No Content\r\ndate: today\r\nconnection: close\r\n\r\n"


def test_requests_sent_without_waiting_are_answered_in_their_order_whichever_way_they_go() -> None:
    app = _App(HELLO)

    answer = answers(app, request("/often", body=b"1") + request("/seldom") + request("/often", body=b"2", last=True))

    assert [answer.index(b"hello1") < answer.index(b"ASGI") < answer.index(b"hello2")] == [True]
    assert app.passed == ["/seldom"]


@pytest.mark.parametrize(("method", "headers"), [("HEAD", []), ("POST", ["X-Forwarded-For: 10.0.0.1"])])
def test_what_the_layers_in_between_have_to_see_goes_through_them(method: str, headers: Sequence[str]) -> None:
    app = _App(HELLO)

    answers(app, request("/often", method, headers, last=True))

    assert app.passed == ["/often"]


def test_a_header_that_would_be_read_as_more_than_that_is_not_sent(caplog: pytest.LogCaptureFixture) -> None:
    app = _App(Answer(headers={"x-one": "1\r\nx-two: 2"}))

    with caplog.at_level(logging.ERROR, "uvicorn.error"):
        answer = answers(app, request("/often"))

    assert answer.startswith(b"HTTP/1.1 500 ")
    assert b"x-two" not in answer
    assert "a request failed" in caplog.text
