"""A connection reads HTTP/1.1 as http.client does, and calls what it cannot read by its name."""

from __future__ import annotations

import socket
from collections.abc import Mapping
from http.client import HTTPResponse

import pytest
from hypothesis import given
from hypothesis import strategies as st

from everstep.client.connection import Connection, MalformedResponseError, Response

REQUEST = b"GET / HTTP/1.1\r\nhost: localhost\r\n\r\n"


def exchange(message: bytes) -> tuple[Response, bool]:
    """What a connection makes of bytes that the other side sends before it closes, and whether it stays open itself."""
    here, there = socket.socketpair()
    connection = Connection(here)
    with there:
        there.sendall(message)
        there.shutdown(socket.SHUT_WR)
        try:
            response = connection.exchange(REQUEST)
        except OSError:
            assert not connection.is_open
            raise
    assert connection.is_used
    is_kept = connection.is_open
    connection.close()
    return response, is_kept


def exchange_by_http_client(message: bytes) -> tuple[int, Mapping[str, str], bytes, bool]:
    here, there = socket.socketpair()
    with here, there:
        there.sendall(message)
        there.shutdown(socket.SHUT_WR)
        response = HTTPResponse(here, method="GET")
        response.begin()
        body = response.read()
    headers = {name.lower(): ", ".join(response.headers.get_all(name, [])) for name in response.headers}
    return response.status, headers, body, not response.will_close


def test_a_response_with_a_length_leaves_the_connection_open() -> None:
    response, is_kept = exchange(b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\nX-A: 1\r\nx-a: 2\r\n\r\n{}HTTP/1.1 500 next")

    assert response == Response(200, {"content-length": "2", "x-a": "1, 2"}, b"{}")
    assert is_kept


def test_interim_responses_are_passed_over() -> None:
    response, _ = exchange(b"HTTP/1.1 100 Continue\r\n\r\nHTTP/1.1 103 Hints\r\nLink: x\r\n\r\nHTTP/1.1 204 No Content\r\n\r\n")

    assert response == Response(204, {}, b"")


def test_a_folded_header_is_one() -> None:
    response, _ = exchange(b"HTTP/1.1 200 OK\r\nX-Folded: a\r\n  b\r\nContent-Length: 0\r\n\r\n")

    assert response.headers["x-folded"] == "a b"


def test_chunks_are_put_together_and_the_trailer_is_read() -> None:
    response, _ = exchange(b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n4;x=1\r\nWiki\r\nA\r\n0123456789\r\n0\r\nX-T: 1\r\n\r\n")

    assert response.body == b"Wiki0123456789"


@pytest.mark.parametrize(
    "head",
    [b"HTTP/1.1 200 OK\r\nConnection: close\r\nContent-Length: 2", b"HTTP/1.0 200 OK\r\nContent-Length: 2", b"HTTP/1.1 200 OK"],
)
def test_a_connection_that_the_other_side_ends_is_not_kept(head: bytes) -> None:
    response, is_kept = exchange(head + b"\r\n\r\n{}")

    assert (response.body, is_kept) == (b"{}", False)


@pytest.mark.parametrize(
    "message",
    [
        b"",
        b"HTTP/1.1 200",
        b"HTTP/1.1 200 OK\r\nContent-Len",
        b"HTTP/1.1 200 OK\r\nContent-Length: 10\r\n\r\nshort",
        b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\nA\r\nshort",
        b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n2\r\nlong\r\n0\r\n\r\n",
        b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n-1\r\n",
        b"HTTP/1.1 200 OK\r\nContent-Length: -1\r\n\r\n",
        b"HTTP/1.1 200 OK\r\nContent-Length: 1_0\r\n\r\n0123456789",
        b"HTTP/1.1 200 OK\r\nContent-Length: \xb2\r\n\r\n01",
        b"HTTP/1.1 2000 OK\r\n\r\n",
        b"HTTP/1.1 okay\r\n\r\n",
        b"HTTP/2 200\r\n\r\n",
        b"SSH-2.0-OpenSSH\r\n",
        b"HTTP/1.1 200 OK\r\nno header\r\n\r\n",
        b"HTTP/1.1 200 OK\r\n" + b"a: b\r\n" * 300 + b"\r\n",
        b"HTTP/1.1 200 " + b"x" * 70_000,
    ],
)
def test_what_is_no_whole_response_is_a_malformed_one(message: bytes) -> None:
    with pytest.raises(MalformedResponseError):
        exchange(message)


_names = st.from_regex(r"[A-Za-z][A-Za-z0-9-]{0,10}", fullmatch=True).filter(
    lambda name: name.lower() not in ("connection", "content-length", "transfer-encoding", "keep-alive")
)
_values = st.text(st.characters(min_codepoint=0x20, max_codepoint=0x7E), max_size=20).map(str.strip)
_end = st.sampled_from([b"\r\n", b"\n"])


@st.composite
def responses(draw: st.DrawFn) -> bytes:
    """Responses as servers write them."""
    end = draw(_end)
    version = draw(st.sampled_from([b"1.1", b"1.0"]))
    status = draw(st.sampled_from([200, 204, 304, 400, 404, 429, 500, 503]))
    reason = draw(st.sampled_from([b" OK", b" Two words", b" ", b""]))
    headers = [f"{name}: {value}".encode() for name, value in draw(st.lists(st.tuples(_names, _values), max_size=5))]
    if draw(st.booleans()):
        headers.append(b"Connection: " + draw(st.sampled_from([b"close", b"Keep-Alive", b"upgrade"])))
    body = draw(st.binary(max_size=50))
    match draw(st.sampled_from(["length", "chunked", "until the end"])):
        case _ if status in (204, 304):
            body = b""
        case "length":
            headers.append(b"Content-Length: %d" % len(body))
        case "chunked" if version == b"1.1":
            headers.append(b"Transfer-Encoding: chunked")
            size = draw(st.integers(min_value=1, max_value=50))
            chunks = [body[start : start + size] for start in range(0, len(body), size)]
            body = b"".join(b"%x\r\n%b\r\n" % (len(chunk), chunk) for chunk in chunks) + b"0\r\n\r\n"
        case _:
            pass
    return end.join([b"HTTP/%b %d%b" % (version, status, reason), *headers, b"", b""]) + body


@given(responses())
def test_a_response_is_read_as_http_client_reads_it(message: bytes) -> None:
    response, is_kept = exchange(message)

    assert (response.status, response.headers, response.body, is_kept) == exchange_by_http_client(message)


@given(responses(), st.data())
def test_a_response_that_was_cut_off_is_never_taken_for_another(message: bytes, data: st.DataObject) -> None:
    message = message[: data.draw(st.integers(min_value=0, max_value=len(message)))]
    try:
        response, is_kept = exchange(message)
    except MalformedResponseError:  # more often than http.client, which takes a head that ends after some header for a whole one
        return

    assert (response.status, response.headers, response.body, is_kept) == exchange_by_http_client(message)
