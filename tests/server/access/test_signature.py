"""What AWS's own signer signs is accepted; with any byte of it changed, it is not."""

from __future__ import annotations

from collections.abc import Callable
from datetime import UTC, datetime
from importlib import import_module
from typing import Any, NamedTuple
from unittest.mock import patch
from urllib.parse import parse_qsl, quote, urlsplit

import pytest
from hypothesis import assume, given, settings
from hypothesis import strategies as st

from everstep.server.access.signature import MAX_SKEW_S, Received, check_claim, check_signature, read_claim
from everstep.server.errors import ApiError
from everstep.server.routing import OPERATIONS

botocore_auth, botocore_awsrequest = import_module("botocore.auth"), import_module("botocore.awsrequest")  # no types
botocore_credentials = import_module("botocore.credentials")

SECRET = "wJalrXUtnFEMI/K7MDENG+bPxRfiCYEXAMPLEKEY"
NOW = datetime(2026, 11, 24, 15, 0, 0, tzinfo=UTC)
NOW_MS = int(NOW.timestamp()) * 1000


class Sent(NamedTuple):
    """A request on the wire."""

    method: str
    path: str
    query: str
    headers: dict[str, str]
    body: bytes


def verify(sent: Sent, *, secret: str = SECRET, now_ms: int = NOW_MS) -> None:
    received = Received(sent.method, sent.path, sent.query, {name.lower(): [value] for name, value in sent.headers.items()})
    claim = read_claim(received)
    if claim.access_key_id != "AKID":
        raise ApiError("UnrecognizedClientException", "no such key")
    check_claim(claim, received, now_ms)
    check_signature(claim, received, sent.body, secret)


def in_headers(asker: object) -> Any:
    return botocore_auth.SigV4Auth(asker, "lambda", "eu-west-1")


def signed_by_botocore(
    method: str,
    path: str,
    query: str = "",
    headers: dict[str, str] | None = None,
    body: bytes = b"",
    *,
    signer: Callable[[Any], Any] | None = None,
) -> Sent:
    url = f"http://127.0.0.1:9000{path}" + (f"?{query}" if query else "")
    request = botocore_awsrequest.AWSRequest(method=method, url=url, headers=dict(headers or {}), data=body)
    asker = botocore_credentials.Credentials("AKID", SECRET, None)
    with patch("botocore.auth.get_current_datetime", return_value=NOW):
        (signer or in_headers)(asker).add_auth(request)
    parts = urlsplit(str(request.url))
    return Sent(method, parts.path, parts.query, {**dict(request.headers.items()), "Host": "127.0.0.1:9000"}, body)


def presigned(method: str, path: str, query: str = "", *, expires: int = 60) -> Sent:
    return signed_by_botocore(
        method, path, query, signer=lambda who: botocore_auth.SigV4QueryAuth(who, "lambda", "eu-west-1", expires=expires)
    )


_labels = st.text(min_size=1, max_size=20).filter(lambda text: text not in (".", "..")).map(lambda text: quote(text, safe=""))
_raw_arns = st.from_regex(
    r"arn:aws:lambda:[a-z]{2,4}:[0-9]{12}:function:[a-z]+:\$LATEST/durable-execution/[a-zA-Z0-9_-]+/[a-z0-9]+", fullmatch=True
)
_visible = st.text(st.characters(min_codepoint=0x21, max_codepoint=0x7E), min_size=1, max_size=30)


@st.composite
def requests(draw: st.DrawFn) -> Sent:
    method, template = draw(st.sampled_from(sorted(OPERATIONS)))
    path = template
    while "{" in path:
        name = path[path.index("{") : path.index("}") + 1]
        path = path.replace(name, draw(_labels | _raw_arns), 1)
    pairs = draw(st.lists(st.tuples(st.text(max_size=10), st.text(max_size=20)), max_size=4))
    query = "&".join(f"{quote(name, safe='-_.~')}={quote(value, safe='-_.~')}" for name, value in pairs)
    assume(not any(name.startswith("X-Amz-") for name, _ in pairs))
    headers = draw(st.dictionaries(st.from_regex(r"[Xx]-[Aa]mz-[a-z]{1,12}", fullmatch=True), _visible, max_size=3))
    assume(not any(name.lower() in ("x-amz-date", "x-amz-security-token") for name in headers))
    assume(len({name.lower() for name in headers}) == len(headers))
    return signed_by_botocore(method, path, query, headers, draw(st.binary(max_size=100)))


@given(requests())
def test_whatever_botocore_signs_is_accepted(sent: Sent) -> None:
    verify(sent)


def meaning(sent: Sent) -> object:
    """What of a request the server acts on, as it reads it."""
    authorization = {name: value for name, value in sent.headers.items() if name != "Authorization"}
    return sent.method, sent.path, sorted(parse_qsl(sent.query, keep_blank_values=True)), authorization, sent.body


@st.composite
def alterations(draw: st.DrawFn) -> tuple[Sent, Sent]:
    sent = draw(requests())
    part = draw(st.sampled_from(["method", "path", "query", "headers", "body"]))
    if part == "method":
        return sent, sent._replace(method=draw(st.sampled_from(["GET", "POST", "PUT", "DELETE"])))
    if part == "body":
        at = draw(st.integers(0, len(sent.body)))
        return sent, sent._replace(body=sent.body[:at] + draw(st.binary(min_size=1, max_size=2)) + sent.body[at + 1 :])
    if part == "headers":
        name = draw(st.sampled_from(sorted(sent.headers)))
        return sent, sent._replace(headers={**sent.headers, name: altered(draw, sent.headers[name])})
    text = altered(draw, getattr(sent, part))
    return sent, (sent._replace(path=text) if part == "path" else sent._replace(query=text))


def altered(draw: st.DrawFn, text: str) -> str:
    at = draw(st.integers(0, len(text)))
    return text[:at] + draw(st.text(st.characters(min_codepoint=0x21, max_codepoint=0x7E), max_size=2)) + text[at + 1 :]


@settings(max_examples=200)
@given(alterations())
def test_whatever_is_altered_is_refused(pair: tuple[Sent, Sent]) -> None:
    sent, other = pair
    if sent.headers["Authorization"] == other.headers["Authorization"]:
        assume(meaning(sent) != meaning(other))
    else:
        members = [{part.strip() for part in one.headers["Authorization"].replace(" ", ",", 1).split(",")} for one in (sent, other)]
        assume(members[0] != members[1])

    with pytest.raises(ApiError) as raised:
        verify(other)

    assert raised.value.status == 403


@given(requests(), st.text(st.characters(min_codepoint=0x21, max_codepoint=0x7E), min_size=1))
def test_another_secret_is_refused(sent: Sent, secret: str) -> None:
    assume(secret != SECRET)

    with pytest.raises(ApiError, match="InvalidSignatureException"):
        verify(sent, secret=secret)


def test_a_presigned_request_is_accepted_for_as_long_as_it_says() -> None:
    sent = presigned("GET", "/2015-03-31/functions/", "MaxItems=5&Marker=a%20b", expires=60)

    verify(sent)
    verify(sent, now_ms=NOW_MS + 60_000)
    with pytest.raises(ApiError, match="Signature expired"):
        verify(sent, now_ms=NOW_MS + 61_000)
    with pytest.raises(ApiError, match="does not match"):
        verify(sent._replace(query=sent.query.replace("MaxItems=5", "MaxItems=6")))
    with pytest.raises(ApiError, match="does not match"):
        verify(sent._replace(query=sent.query.replace("X-Amz-Expires=60", "X-Amz-Expires=600")))
    with pytest.raises(ApiError, match="does not match"):
        verify(sent._replace(body=b"{}"))


@pytest.mark.parametrize("skew_s", [-MAX_SKEW_S, 0, MAX_SKEW_S])
def test_clocks_may_differ_by_five_minutes(skew_s: int) -> None:
    verify(signed_by_botocore("GET", "/2015-03-31/functions/"), now_ms=NOW_MS + skew_s * 1000)


@pytest.mark.parametrize(
    ("skew_s", "said"),
    [
        (MAX_SKEW_S + 1, "Signature expired: 20261124T150000Z is now earlier than 20261124T150001Z (20261124T150501Z - 300 s)"),
        (-MAX_SKEW_S - 1, "Signature not yet current: 20261124T150000Z is still later than 20261124T145959Z (20261124T145459Z + 300 s)"),
    ],
)
def test_clocks_that_differ_by_more_are_told_so(skew_s: int, said: str) -> None:
    with pytest.raises(ApiError) as raised:
        verify(signed_by_botocore("GET", "/2015-03-31/functions/"), now_ms=NOW_MS + skew_s * 1000)

    assert (raised.value.code, raised.value.message) == ("InvalidSignatureException", said)


def test_a_request_dated_by_the_date_header_is_accepted() -> None:
    sent = signed_by_botocore("GET", "/2015-03-31/functions/", headers={"Date": "Mon, 01 Jan 2001 00:00:00 GMT"})

    assert "X-Amz-Date" not in sent.headers
    verify(sent)


def without(name: str) -> Callable[[Sent], Sent]:
    return lambda sent: sent._replace(headers={key: value for key, value in sent.headers.items() if key != name})


def having(name: str, value: str) -> Callable[[Sent], Sent]:
    return lambda sent: sent._replace(headers={**sent.headers, name: value})


def authorized(old: str, new: str) -> Callable[[Sent], Sent]:
    def change(sent: Sent) -> Sent:
        assert old in sent.headers["Authorization"]
        return having("Authorization", sent.headers["Authorization"].replace(old, new))(sent)

    return change


def asked(query: str) -> Callable[[Sent], Sent]:
    return lambda sent: without("Authorization")(sent)._replace(query=query)


@pytest.mark.parametrize(
    ("change", "code", "said"),
    [
        (without("Authorization"), "MissingAuthenticationTokenException", "Missing Authentication Token"),
        (having("Authorization", "Bearer abc"), "IncompleteSignatureException", "Unsupported AWS 'algorithm'"),
        (having("Authorization", "AWS4-HMAC-SHA256"), "IncompleteSignatureException", "requires 'Credential' parameter"),
        (authorized("Signature=", "Sign="), "IncompleteSignatureException", "requires 'Signature' parameter"),
        (authorized("/aws4_request", ""), "IncompleteSignatureException", "5 slash-delimited elements"),
        (authorized("/lambda/", "/s3/"), "InvalidSignatureException", "correct service: 'lambda'"),
        (authorized("/20261124/", "/20261123/"), "InvalidSignatureException", "'20261123' != '20261124'"),
        (authorized("host;x-amz-date", "x-amz-date"), "IncompleteSignatureException", "'Host' must be"),
        (authorized("host;x-amz-date", "host"), "IncompleteSignatureException", "'x-amz-date' must be"),
        (authorized("host;x-amz-date", "host;x\n;x-amz-date"), "IncompleteSignatureException", "names of headers"),
        (authorized("host;x-amz-date", "host;host;x-amz-date"), "IncompleteSignatureException", "sorted"),
        (authorized("Signature=", "More=1, Signature="), "IncompleteSignatureException", "nothing else"),
        (without("X-Amz-Date"), "IncompleteSignatureException", "'X-Amz-Date' or a 'Date' header"),
        (having("X-Amz-Date", "2026-11-24"), "IncompleteSignatureException", "ISO-8601"),
        (having("X-Amz-Date", "20261399T150000Z"), "InvalidSignatureException", "'20261124' != '20261399'"),
        (having("X-Amz-Invocation-Type", "Event"), "InvalidSignatureException", "was not signed: x-amz-invocation-type"),
        (having("X-Everstep-Function", "f"), "InvalidSignatureException", "was not signed: x-everstep-function"),
        (asked("X-Amz-Algorithm=AWS4-ECDSA-P256-SHA256"), "IncompleteSignatureException", "X-Amz-Algorithm"),
        (asked("X-Amz-Algorithm=AWS4-HMAC-SHA256"), "IncompleteSignatureException", "'X-Amz-Credential'. AWS"),
    ],
)
def test_what_is_no_signature_is_told_why(change: Callable[[Sent], Sent], code: str, said: str) -> None:
    with pytest.raises(ApiError) as raised:
        verify(change(signed_by_botocore("GET", "/2015-03-31/functions/")))

    assert raised.value.code == code
    assert said in raised.value.message


def test_a_day_that_does_not_exist_is_no_date() -> None:
    sent = signed_by_botocore("GET", "/2015-03-31/functions/")
    changed = authorized("/20261124/", "/20261399/")(having("X-Amz-Date", "20261399T150000Z")(sent))

    with pytest.raises(ApiError, match="no such date"):
        verify(changed)


def test_a_payload_that_is_not_signed_is_refused() -> None:
    sent = signed_by_botocore(
        "POST", "/2015-03-31/functions/f/invocations", headers={"X-Amz-Content-SHA256": "UNSIGNED-PAYLOAD"}, body=b"1"
    )

    with pytest.raises(ApiError, match="UNSIGNED-PAYLOAD"):
        verify(sent)


@pytest.mark.parametrize("expires", ["0", "604801", "-1", "x"])
def test_a_presigned_request_is_good_for_a_week_at_most(expires: str) -> None:
    sent = presigned("GET", "/2015-03-31/functions/")

    with pytest.raises(ApiError, match="between 1 and 604800"):
        verify(sent._replace(query=sent.query.replace("X-Amz-Expires=60", f"X-Amz-Expires={expires}")))
