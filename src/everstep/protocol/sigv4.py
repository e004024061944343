"""AWS Signature Version 4: proof of who asks, as a keyed hash over the request.

Rule: pure, and it signs a request as it stands on the wire, for the client that sends it and the server that checks it alike.
Source: AWS General Reference, "Create a signed AWS API request".
"""

from __future__ import annotations

import hmac
from collections.abc import Iterable, Mapping
from functools import lru_cache
from hashlib import sha256
from typing import Final

from msgspec import Struct

ALGORITHM: Final = "AWS4-HMAC-SHA256"
DATE_FORMAT: Final = "%Y%m%dT%H%M%SZ"
"""Of UTC."""
SCOPE_END: Final = "aws4_request"

_UNRESERVED: Final = frozenset(b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-._~")
_ESCAPES: Final = {byte: f"%{byte:02X}" for byte in range(256) if byte not in _UNRESERVED}
_ESCAPES_IN_PATH: Final = {byte: escape for byte, escape in _ESCAPES.items() if byte != ord("/")}


class Credentials(Struct, frozen=True):
    """Who asks. session_token: of temporary credentials, as every Lambda function has them."""

    access_key: str
    secret_key: str
    session_token: str | None = None

    def __repr__(self) -> str:
        return f"Credentials(access_key={self.access_key!r}, …)"  # logs and tracebacks must not carry secrets


def uri_encode(text: str) -> str:
    """Every byte of the UTF-8 text but letters, digits and `-._~` as %XX, as AWS wants it in labels and queries."""
    return text.encode().decode("latin-1").translate(_ESCAPES)


def signed(
    headers: Mapping[str, str],
    *,
    at: str,
    method: str,
    path: str,
    query: str,
    body: bytes,
    credentials: Credentials,
    region: str,
    service: str,
) -> dict[str, str]:
    """The headers, `host` among them, and those that prove who sends them. at: now, as DATE_FORMAT writes it. The rest as for
    `authorization`."""
    signed_too = {**headers, "x-amz-date": at}
    if credentials.session_token:
        signed_too["x-amz-security-token"] = credentials.session_token
    value = authorization(
        method=method,
        path=path,
        query=query,
        headers=signed_too,
        body=body,
        credentials=credentials,
        region=region,
        service=service,
    )
    return {**signed_too, "authorization": value}


def authorization(
    *,
    method: str,
    path: str,
    query: str,
    headers: Mapping[str, str],
    body: bytes,
    credentials: Credentials,
    region: str,
    service: str,
) -> str:
    """The value of the Authorization header.

    path: without dot segments or doubled slashes. query: encoded, sorted by name and value.
    headers: those to sign, by lower-case name; `host` and `x-amz-date` among them, and `x-amz-security-token` if there is one.
    """
    at = headers["x-amz-date"]
    proof = signature(
        method=method,
        path=path,
        query=query,
        headers=headers,
        body=body,
        at=at,
        secret_key=credentials.secret_key,
        region=region,
        service=service,
    )
    credential = f"{credentials.access_key}/{_scope(at, region, service)}"
    return f"{ALGORITHM} Credential={credential}, SignedHeaders={signed_headers(headers)}, Signature={proof}"


def signature(
    *,
    method: str,
    path: str,
    query: str,
    headers: Mapping[str, str],
    body: bytes,
    at: str,
    secret_key: str,
    region: str,
    service: str,
) -> str:
    """The proof that whoever has the secret sent this request. As for `authorization`; at: when, as `x-amz-date` writes it."""
    lines = [f"{name}:{' '.join(headers[name].split())}" for name in sorted(headers)]
    canonical = "\n".join((method, _encode_path(path), query, *lines, "", signed_headers(headers), sha256(body).hexdigest()))
    to_sign = f"{ALGORITHM}\n{at}\n{_scope(at, region, service)}\n{sha256(canonical.encode()).hexdigest()}"
    return hmac.digest(signing_key(secret_key, at[:8], region, service), to_sign.encode(), "sha256").hex()


def signed_headers(headers: Iterable[str]) -> str:
    """Which headers are signed, as the Authorization header lists them."""
    return ";".join(sorted(headers))


def _scope(at: str, region: str, service: str) -> str:
    return f"{at[:8]}/{region}/{service}/{SCOPE_END}"


@lru_cache(maxsize=64)  # a client's changes once a day, or with the credentials; a server has some keys
def signing_key(secret_key: str, day: str, region: str, service: str) -> bytes:
    """The key that a day's requests to one service in one region are signed with. day: "20261124"."""
    key = b"AWS4" + secret_key.encode()
    for part in (day, region, service, SCOPE_END):
        key = hmac.digest(key, part.encode(), "sha256")
    return key


@lru_cache(maxsize=64)  # an execution's calls go to two paths
def _encode_path(path: str) -> str:
    # An escape that is in the path already is escaped again: all services but S3 are signed so.
    return path.encode().decode("latin-1").translate(_ESCAPES_IN_PATH) or "/"
