"""Signature Version 4 as a server checks it: what a request claims, and whether the secret bears it out.

Rule: pure. What is checked is what is served: the path as it stands, the query as its names and values are read, the body's
own hash, whatever a header says of it. Everything that can be refused without the body is refused before it is read.
A path with dot segments or doubled slashes, which AWS's signers shorten and no operation has, is never borne out.

Source: AWS General Reference, "Create a signed AWS API request" and "Troubleshoot signed requests".
"""

from __future__ import annotations

import hmac
import re
from collections.abc import Mapping, Sequence
from datetime import UTC, datetime
from email.utils import parsedate_to_datetime
from typing import Final
from urllib.parse import parse_qsl

from msgspec import Struct

from everstep.protocol.sigv4 import ALGORITHM, DATE_FORMAT, SCOPE_END, signature, uri_encode
from everstep.server.errors import ApiError

SERVICE: Final = "lambda"
MAX_SKEW_S: Final = 5 * 60
MAX_EXPIRES_S: Final = 7 * 24 * 60 * 60
UNSIGNED_PAYLOAD: Final = "UNSIGNED-PAYLOAD"
# A header that changes what is done must be signed; AWS asks it of its own too.
_ALWAYS_SIGNED: Final = ("x-amz-", "x-everstep-")
_HEADER_NAME: Final = re.compile(r"[!#$%&'*+.^_`|~0-9a-z-]+")
_MOMENT: Final = re.compile(r"[0-9]{8}T[0-9]{6}Z")
_REQUIRED: Final = ("Credential", "Signature", "SignedHeaders")


class Received(Struct, frozen=True):
    """A request as it came. path: still encoded. query: still encoded. headers: by lower-case name, values in order."""

    method: str
    path: str
    query: str
    headers: Mapping[str, Sequence[str]]

    def header(self, name: str) -> str:
        """As it is signed: the values of a repeated one joined."""
        return ",".join(" ".join(value.split()) for value in self.headers.get(name, ()))


class Claim(Struct, frozen=True):
    """Who a request says has sent it, and by what signature. at: when, as it is signed. query: without the signature.

    expires_s: of a presigned URL, how long it is good for; None for one that is signed in its headers.
    """

    access_key_id: str
    region: str
    at: str
    signed: tuple[str, ...]
    signature: str
    query: Sequence[tuple[str, str]]
    session_token: str | None
    expires_s: int | None = None


def read_claim(received: Received) -> Claim:
    """The claim, by header or else by query. Raises ApiError if there is none, or it is not complete."""
    query = parse_qsl(received.query, keep_blank_values=True)
    if received.headers.get("authorization"):
        return _in_headers(received, query)
    if any(name.startswith("X-Amz-") for name, _ in query):
        return _in_query(received, query)
    raise ApiError("MissingAuthenticationTokenException", "Missing Authentication Token")


def check_claim(claim: Claim, received: Received, now_ms: int) -> None:
    """What can be told without the secret and the body: the time, and what has to be signed. Raises ApiError."""
    _check_time(claim, now_ms)
    if "host" not in claim.signed:
        raise incomplete("'Host' must be a signed header")
    for name in received.headers:
        if name.startswith(_ALWAYS_SIGNED) and name not in claim.signed:
            raise invalid(f"There was a header in the request that was not signed: {name}")
    if received.header("x-amz-content-sha256").startswith(UNSIGNED_PAYLOAD):
        raise invalid("The payload must be signed: UNSIGNED-PAYLOAD is not accepted")


def check_signature(claim: Claim, received: Received, body: bytes, secret_key: str) -> None:
    """Raises ApiError if the request is not the one that was signed with the secret."""
    pairs = sorted((uri_encode(name), uri_encode(value)) for name, value in claim.query)
    expected = signature(
        method=received.method,
        path=received.path,
        query="&".join(f"{name}={value}" for name, value in pairs),
        headers={name: received.header(name) for name in claim.signed},
        body=body,
        at=claim.at,
        secret_key=secret_key,
        region=claim.region,
        service=SERVICE,
    )
    if not hmac.compare_digest(expected.encode(), claim.signature.encode()):
        raise invalid(
            "The request signature we calculated does not match the signature you provided. Check your secret access key and signing "
            "method, and that no proxy changes the request's path or Host header."
        )


def incomplete(message: str) -> ApiError:
    return ApiError("IncompleteSignatureException", message)


def invalid(message: str) -> ApiError:
    return ApiError("InvalidSignatureException", message)


# -- the two forms


def _in_headers(received: Received, query: Sequence[tuple[str, str]]) -> Claim:
    algorithm, _, rest = received.header("authorization").partition(" ")
    if algorithm != ALGORITHM:
        raise incomplete(f"Unsupported AWS 'algorithm': the Authorization header must begin with {ALGORITHM}")
    parts = [member.strip().partition("=") for member in rest.split(",")]
    members = {name: value for name, _, value in parts}
    at = received.header("x-amz-date")
    dated_by = "x-amz-date" if at else "date"
    if not at:
        at = _from_http_date(received.header("date"))
    missing = [f"'{name}' parameter" for name in _REQUIRED if not members.get(name)]
    if not at:
        missing.append("existence of either a 'X-Amz-Date' or a 'Date' header")
    if missing:
        raise incomplete(" ".join(f"Authorization header requires {one}." for one in missing))
    if len(parts) != len(_REQUIRED):
        raise incomplete(f"Authorization header must have {', '.join(_REQUIRED)}, and nothing else")
    claim = _claim(
        credential=members["Credential"],
        at=at,
        signed=members["SignedHeaders"],
        signature=members["Signature"],
        query=query,
        session_token=received.header("x-amz-security-token") or None,
    )
    if dated_by not in claim.signed:
        raise incomplete(f"{dated_by!r} must be a signed header")
    return claim


def _in_query(received: Received, query: Sequence[tuple[str, str]]) -> Claim:
    members = dict(query)
    if members.get("X-Amz-Algorithm") != ALGORITHM:
        raise incomplete(f"Unsupported AWS 'algorithm': X-Amz-Algorithm must be {ALGORITHM}")
    missing = [
        f"'X-Amz-{name}'" for name in ("Credential", "Signature", "SignedHeaders", "Date", "Expires") if not members.get(f"X-Amz-{name}")
    ]
    if missing:
        raise incomplete(" ".join(f"AWS query-string parameters must include {one}." for one in missing))
    expires = members["X-Amz-Expires"]
    if not re.fullmatch(r"[0-9]{1,6}", expires) or not 1 <= int(expires) <= MAX_EXPIRES_S:
        raise incomplete(f"X-Amz-Expires must lie between 1 and {MAX_EXPIRES_S} seconds")
    return _claim(
        credential=members["X-Amz-Credential"],
        at=members["X-Amz-Date"],
        signed=members["X-Amz-SignedHeaders"],
        signature=members["X-Amz-Signature"],
        query=[pair for pair in query if pair[0] != "X-Amz-Signature"],
        session_token=members.get("X-Amz-Security-Token") or None,
        expires_s=int(expires),
    )


def _claim(
    *,
    credential: str,
    at: str,
    signed: str,
    signature: str,
    query: Sequence[tuple[str, str]],
    session_token: str | None,
    expires_s: int | None = None,
) -> Claim:
    parts = credential.split("/")
    if len(parts) != 5 or not all(parts) or parts[4] != SCOPE_END:
        raise incomplete(f"Credential must have exactly 5 slash-delimited elements, e.g. keyid/date/region/service/{SCOPE_END}")
    access_key_id, day, region, service, _ = parts
    names = tuple(signed.split(";"))
    if not all(_HEADER_NAME.fullmatch(name) for name in names) or list(names) != sorted({*names}):
        raise incomplete("SignedHeaders must be names of headers in lower case, sorted, separated by semicolons")
    if not _MOMENT.fullmatch(at):
        raise incomplete("Date must be in ISO-8601 'basic format', like 20261124T150000Z")
    if service != SERVICE:
        raise invalid(f"Credential should be scoped to correct service: '{SERVICE}'")
    if day != at[:8]:
        raise invalid(f"Date in Credential scope does not match YYYYMMDD from ISO-8601 version of date from HTTP: '{day}' != '{at[:8]}'")
    return Claim(access_key_id, region, at, names, signature, query, session_token, expires_s)


# -- time


def _check_time(claim: Claim, now_ms: int) -> None:
    try:
        at_s = datetime.fromisoformat(claim.at).timestamp()
    except ValueError:
        raise incomplete(f"There is no such date as {claim.at}") from None
    now_s = now_ms / 1000
    good_for_s = MAX_SKEW_S if claim.expires_s is None else claim.expires_s
    now, earliest, latest = _moment(now_s), _moment(now_s - good_for_s), _moment(now_s + MAX_SKEW_S)
    if at_s + good_for_s < now_s:
        raise invalid(f"Signature expired: {claim.at} is now earlier than {earliest} ({now} - {good_for_s} s)")
    if at_s - MAX_SKEW_S > now_s:
        raise invalid(f"Signature not yet current: {claim.at} is still later than {latest} ({now} + {MAX_SKEW_S} s)")


def _moment(at_s: float) -> str:
    return datetime.fromtimestamp(at_s, UTC).strftime(DATE_FORMAT)


def _from_http_date(value: str) -> str:
    """ "" if it is none."""
    try:
        return parsedate_to_datetime(value).astimezone(UTC).strftime(DATE_FORMAT)
    except (ValueError, OverflowError):
        return ""
