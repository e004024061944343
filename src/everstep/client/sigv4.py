"""AWS Signature Version 4: proof of who asks, as a keyed hash over the request.

Rule: pure, and it signs a request as it stands on the wire. The time is the request's own `x-amz-date` header.
Source: AWS General Reference, "Create a signed AWS API request".
"""

from __future__ import annotations

import hmac
from collections.abc import Mapping
from functools import lru_cache
from hashlib import sha256
from typing import Final

from msgspec import Struct

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
    names = sorted(headers)
    signed = ";".join(names)
    lines = [f"{name}:{' '.join(headers[name].split())}" for name in names]
    canonical = "\n".join((method, _encode_path(path), query, *lines, "", signed, sha256(body).hexdigest()))
    scope = f"{at[:8]}/{region}/{service}/aws4_request"
    to_sign = f"AWS4-HMAC-SHA256\n{at}\n{scope}\n{sha256(canonical.encode()).hexdigest()}"
    signature = hmac.digest(signing_key(credentials.secret_key, at[:8], region, service), to_sign.encode(), "sha256").hex()
    return f"AWS4-HMAC-SHA256 Credential={credentials.access_key}/{scope}, SignedHeaders={signed}, Signature={signature}"


@lru_cache(maxsize=4)  # it changes once a day, or with the credentials
def signing_key(secret_key: str, day: str, region: str, service: str) -> bytes:
    """The key that a day's requests to one service in one region are signed with. day: "20261124"."""
    key = b"AWS4" + secret_key.encode()
    for part in (day, region, service, "aws4_request"):
        key = hmac.digest(key, part.encode(), "sha256")
    return key


@lru_cache(maxsize=64)  # an execution's calls go to two paths
def _encode_path(path: str) -> str:
    # An escape that is in the path already is escaped again: all services but S3 are signed so.
    return path.encode().decode("latin-1").translate(_ESCAPES_IN_PATH) or "/"
