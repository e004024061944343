"""Requests are signed as AWS expects, by its published examples and by botocore's signer."""

from __future__ import annotations

from datetime import UTC, datetime
from importlib import import_module
from unittest.mock import patch

import pytest
from hypothesis import given
from hypothesis import strategies as st

from everstep.protocol.sigv4 import Credentials, authorization, signing_key, uri_encode

botocore_auth, botocore_awsrequest = import_module("botocore.auth"), import_module("botocore.awsrequest")  # no types
botocore_credentials = import_module("botocore.credentials")

EXAMPLE = Credentials("AKIDEXAMPLE", "wJalrXUtnFEMI/K7MDENG+bPxRfiCYEXAMPLEKEY")
EXAMPLE_HEADERS = {"host": "example.amazonaws.com", "x-amz-date": "20150830T123600Z"}

# Source: the AWS Signature Version 4 test suite. Name: method, path, query, more headers, body, signature.
VECTORS: dict[str, tuple[str, str, str, dict[str, str], bytes, str]] = {
    "get-vanilla": ("GET", "/", "", {}, b"", "5fa00fa31553b73ebf1942676e86291e8372ff2a2260956d9b8aae1d763fbf31"),
    "get-vanilla-query-order-key-case": (
        "GET",
        "/",
        "Param1=value1&Param2=value2",
        {},
        b"",
        "b97d918cfa904a5beff61c982a1b6f458b799221646efd99d3219ec94cdf2500",
    ),
    "get-utf8": ("GET", "/ሴ", "", {}, b"", "8318018e0b0f223aa2bbf98705b62bb787dc9c0e678f255a891fd03141be5d85"),
    "get-header-value-trim": (
        "GET",
        "/",
        "",
        {"my-header1": " value1", "my-header2": ' "a   b   c"'},
        b"",
        "acc3ed3afb60bb290fc8d2dd0098b9911fcaa05412b367055dee359757a9c736",
    ),
    "post-vanilla": ("POST", "/", "", {}, b"", "5da7c1a2acd57cee7505fc6676e4e544621c30862966e37dddb68e92efbe5d6b"),
    "post-x-www-form-urlencoded": (
        "POST",
        "/",
        "",
        {"content-type": "application/x-www-form-urlencoded"},
        b"Param1=value1",
        "ff11897932ad3f4e8b18135d722051e5ac45fc38421b1da7b9d196a0fe09473a",
    ),
}


@pytest.mark.parametrize("name", VECTORS)
def test_the_published_examples_are_signed_as_published(name: str) -> None:
    method, path, query, headers, body, signature = VECTORS[name]
    headers = {**EXAMPLE_HEADERS, **headers}

    value = authorization(
        method=method, path=path, query=query, headers=headers, body=body, credentials=EXAMPLE, region="us-east-1", service="service"
    )

    assert value == (
        "AWS4-HMAC-SHA256 Credential=AKIDEXAMPLE/20150830/us-east-1/service/aws4_request, "
        f"SignedHeaders={';'.join(sorted(headers))}, Signature={signature}"
    )


def test_the_published_signing_key_is_derived() -> None:
    # Source: AWS General Reference, "Examples of how to derive a signing key".
    key = signing_key("wJalrXUtnFEMI/K7MDENG+bPxRfiCYEXAMPLEKEY", "20150830", "us-east-1", "iam")

    assert key.hex() == "c4afb1cc5771d871763a393e44b703571b55cc28424d1a5e86da6ed3c154a4b9"


def test_an_arn_is_encoded_as_one_segment() -> None:
    assert uri_encode("arn:aws:lambda:eu-west-1:1:function:f:$LATEST/durable-execution/ü/e~1") == (
        "arn%3Aaws%3Alambda%3Aeu-west-1%3A1%3Afunction%3Af%3A%24LATEST%2Fdurable-execution%2F%C3%BC%2Fe~1"
    )


def test_credentials_do_not_show_their_secrets() -> None:
    shown = repr(Credentials("AKID", "very-secret", "token-secret"))

    assert "AKID" in shown
    assert "secret" not in shown.replace("secret_key", "")


_visible = st.text(st.characters(min_codepoint=0x21, max_codepoint=0x7E), min_size=1, max_size=30)
_segments = st.text(max_size=20).filter(lambda text: text not in (".", ".."))


@given(
    method=st.sampled_from(["GET", "POST", "PUT", "DELETE"]),
    segments=st.lists(_segments.filter(bool), max_size=4),
    query=st.dictionaries(st.text(max_size=10), st.text(max_size=20), max_size=4),
    headers=st.dictionaries(st.from_regex(r"x-[a-z]{1,12}", fullmatch=True), _visible, max_size=4),
    body=st.binary(max_size=200),
    access_key=_visible,
    secret_key=_visible,
    token=st.none() | _visible,
    at=st.datetimes(min_value=datetime(2000, 1, 1), max_value=datetime(2100, 1, 1)),  # in UTC
)
def test_any_request_is_signed_as_botocore_signs_it(
    method: str,
    segments: list[str],
    query: dict[str, str],
    headers: dict[str, str],
    body: bytes,
    access_key: str,
    secret_key: str,
    token: str | None,
    at: datetime,
) -> None:
    path = "/" + "/".join(uri_encode(segment) for segment in segments)
    query_string = "&".join(f"{name}={value}" for name, value in sorted((uri_encode(n), uri_encode(v)) for n, v in query.items()))
    url = f"https://example.amazonaws.com{path}" + (f"?{query_string}" if query_string else "")
    theirs = botocore_awsrequest.AWSRequest(method=method, url=url, headers=headers, data=body)
    with patch("botocore.auth.get_current_datetime", return_value=at.replace(tzinfo=UTC)):
        asker = botocore_credentials.Credentials(access_key, secret_key, token)
        botocore_auth.SigV4Auth(asker, "lambda", "eu-west-1").add_auth(theirs)
    signed = {name.lower(): value for name, value in theirs.headers.items() if name.lower() != "authorization"}

    ours = authorization(
        method=method,
        path=path,
        query=query_string,
        headers={**signed, "host": "example.amazonaws.com"},
        body=body,
        credentials=Credentials(access_key, secret_key, token),
        region="eu-west-1",
        service="lambda",
    )

    assert ours == theirs.headers["Authorization"]
