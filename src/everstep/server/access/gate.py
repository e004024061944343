"""Asks each request who sends it, and whether they may.

Rule: everything but the signature itself is checked before the body is read, so a stranger cannot make the server keep one.
The signature needs the body; nothing is done with it before that.
"""

from __future__ import annotations

import hmac
from base64 import b64decode
from collections.abc import Callable, Iterable, Sequence
from typing import Final, TypeAlias

from starlette.requests import Request

from everstep.protocol.sigv4 import Credentials
from everstep.server.access.exposure import is_of_this_machine
from everstep.server.access.keys import AccessKey
from everstep.server.access.roles import may_call
from everstep.server.access.signature import Received, check_claim, check_signature, read_claim
from everstep.server.access.worker_tokens import is_worker_token, key_of_worker_token
from everstep.server.errors import ApiError

Proof: TypeAlias = Callable[[bytes], None]
"""Given the body, raises ApiError unless the request is who it says it is."""

_INVALID_TOKEN: Final = "The security token included in the request is invalid"


class Gate:
    """keys: that are known; without any, everybody who reaches the server may do everything. now_ms: since the epoch.

    is_private: only this machine is meant to reach it.
    """

    def __init__(self, keys: Iterable[AccessKey], now_ms: Callable[[], int], *, is_private: bool) -> None:
        self._keys = {key.access_key_id: key for key in keys}
        self._now_ms, self._is_private = now_ms, is_private

    @property
    def is_for_this_machine(self) -> bool:
        """Whether no key is asked for because nobody else is meant to reach the server."""
        return self._is_private and not self._keys

    @property
    def operators(self) -> Sequence[Credentials]:
        """The keys that open the console."""
        keys = [key for key in self._keys.values() if "operator" in key.roles]
        return [Credentials(key.access_key_id, key.secret_access_key, key.session_token) for key in keys]

    def admit(self, request: Request, operation: str) -> Proof:
        """Whether who the request claims to be may call the operation. Raises ApiError."""
        if not self._keys:
            return self._admit_anybody(request)
        received = _received(request)
        claim = read_claim(received)
        key = self._key(claim.access_key_id)
        check_claim(claim, received, self._now_ms())
        if not key.has_session_token(claim.session_token):
            raise _wrong_session_token(key)
        _authorize(key, operation)
        return lambda body: check_signature(claim, received, body, key.secret_access_key)

    def admit_worker(self, request: Request, token: str, function: str, operation: str) -> Proof:
        """The same for a worker that shows a token for a function. Raises ApiError."""
        if not self._keys:
            return self._admit_anybody(request)
        key = self._key(key_of_worker_token(token))
        if not is_worker_token(token, key.access_key_id, key.secret_access_key, function):
            raise ApiError("UnrecognizedClientException", f"{_INVALID_TOKEN}: it is not the worker token of {function}")
        _authorize(key, operation)
        return _proven

    def _admit_anybody(self, request: Request) -> Proof:
        origin = request.headers.get("origin")
        if self._is_private and origin is not None and not is_of_this_machine(origin):
            raise ApiError(
                "AccessDeniedException", f"The web page at {origin} is none of this machine's, and this server has no credentials"
            )
        return _proven

    def admit_by_password(self, request: Request, operation: str) -> None:
        """The same for a program that cannot sign, by HTTP's Basic scheme: the key is the user, its secret the password."""
        if not self._keys:
            self._admit_anybody(request)
            return
        name, secret = _basic(request.headers.get("authorization"))
        key = self._keys.get(name)
        if key is None or not hmac.compare_digest(secret.encode(), key.secret_access_key.encode()):
            raise ApiError("UnrecognizedClientException", "The access key or its secret is wrong")
        _authorize(key, operation)

    def _key(self, access_key_id: str) -> AccessKey:
        try:
            return self._keys[access_key_id]
        except KeyError:
            raise ApiError("UnrecognizedClientException", f"{_INVALID_TOKEN}: no such access key is known here") from None


def _basic(authorization: str | None) -> tuple[str, str]:
    """User and password. Raises ApiError."""
    scheme, _, encoded = (authorization or "").partition(" ")
    try:
        text = b64decode(encoded, validate=True).decode() if scheme.lower() == "basic" else ""
    except ValueError:
        text = ""
    name, colon, secret = text.partition(":")
    if not colon:
        raise ApiError("MissingAuthenticationTokenException", "Say who asks by HTTP's Basic scheme: an access key and its secret")
    return name, secret


def _proven(body: bytes) -> None:
    pass


def _authorize(key: AccessKey, operation: str) -> None:
    if not may_call(key.roles, operation):
        roles = ", ".join(key.roles)
        raise ApiError(
            "AccessDeniedException",
            f"User: {key.access_key_id} is not authorized to perform: lambda:{operation}, because its roles ({roles}) don't allow it",
        )


def _wrong_session_token(key: AccessKey) -> ApiError:
    wanted = "this access key has none: unset AWS_SESSION_TOKEN" if key.session_token is None else "this access key has another one"
    return ApiError("UnrecognizedClientException", f"{_INVALID_TOKEN}: X-Amz-Security-Token, {wanted}")


def _received(request: Request) -> Received:
    headers: dict[str, list[str]] = {}
    for name, value in request.headers.items():
        headers.setdefault(name, []).append(value)
    scope = request.scope
    return Received(
        method=request.method,
        path=scope["raw_path"].decode("latin-1"),
        query=scope["query_string"].decode("latin-1"),
        headers=headers,
    )
