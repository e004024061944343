"""Who is signed in, and which forms are ours.

Rule: no server keeps a session, and no browser a secret: what a browser holds names an access key and when the session ends, signed with
what is derived from the key's secret. So every server that knows the key knows its sessions, also after a restart, and none does once the
key is gone or has another secret. A form carries a proof made of what the browser holds, in a cookie that scripts and other sites' pages
do not get, so a page of somebody else's can't send one.
"""

from __future__ import annotations

import hmac
import re
import secrets
from collections.abc import Callable, Iterable
from hashlib import sha256
from typing import Final

from everstep.protocol.sigv4 import Credentials

COOKIE: Final = "everstep-console"
LIFETIME_S: Final = 8 * 3600
MOST_ENDED: Final = 10_000
_STRANGER: Final = re.compile(r"[A-Za-z0-9_-]{43}")
_SESSION: Final = re.compile(
    r"(?P<key>[A-Za-z0-9_-]{1,128})\.(?P<ends_at>[0-9]{1,12})\.(?P<number>[A-Za-z0-9_-]{22})\.(?P<signature>[0-9a-f]{64})"
)
_FOR_SESSIONS: Final = b"everstep console session "
_FOR_STRANGERS: Final = b"everstep console stranger "
"""So that what is derived here is never what a signature of a request, or a worker's token, is derived from."""


class Sessions:
    """keys: that may be signed in with. now_s: the time."""

    def __init__(self, keys: Iterable[Credentials], now_s: Callable[[], float]) -> None:
        self._keys = {key.access_key: key for key in keys}
        self._now_s = now_s
        secrets_of_all = b"\n".join(sorted(_secret_of(key) for key in self._keys.values()))
        # Without keys, each server has forms of its own.
        self._for_strangers = hmac.digest(_FOR_STRANGERS + (secrets_of_all or secrets.token_bytes(32)), b"", "sha256")
        self._ended: dict[str, float] = {}

    def stranger(self) -> str:
        """For somebody who is not signed in."""
        return secrets.token_urlsafe(32)

    def is_known(self, cookie: str) -> bool:
        """Whether it is a session that lasts, or a stranger's."""
        return _STRANGER.fullmatch(cookie) is not None or self.credentials_of(cookie) is not None

    def begin(self, key: Credentials) -> str:
        """A session of a key that the service has just taken."""
        named = f"{key.access_key}.{int(self._now_s() + LIFETIME_S)}.{secrets.token_urlsafe(16)}"
        return f"{named}.{_signature(key, named)}"

    def credentials_of(self, cookie: str) -> Credentials | None:
        found = _SESSION.fullmatch(cookie)
        if found is None or int(found["ends_at"]) <= self._now_s() or found["number"] in self._ended:
            return None
        key = self._keys.get(found["key"])
        if key is None or not hmac.compare_digest(_signature(key, cookie.rpartition(".")[0]), found["signature"]):
            return None
        return key

    def end(self, cookie: str) -> None:
        """Here, no later use of it is taken; what others know is only that the browser has dropped it."""
        found = _SESSION.fullmatch(cookie)
        if found is None or self.credentials_of(cookie) is None:
            return
        now = self._now_s()
        self._ended = {number: ends_at for number, ends_at in self._ended.items() if ends_at > now}
        while len(self._ended) >= MOST_ENDED:
            del self._ended[next(iter(self._ended))]
        self._ended[found["number"]] = float(found["ends_at"])

    def proof(self, cookie: str) -> str:
        """What our forms carry."""
        key = self.credentials_of(cookie)
        secret = self._for_strangers if key is None else hmac.digest(_FOR_SESSIONS + _secret_of(key), b"forms", "sha256")
        return hmac.digest(secret, cookie.encode(), "sha256").hex()

    def is_ours(self, cookie: str, proof: str) -> bool:
        return bool(cookie) and hmac.compare_digest(self.proof(cookie).encode(), proof.encode())


def _secret_of(key: Credentials) -> bytes:
    return sha256(repr((key.access_key, key.secret_key, key.session_token)).encode()).digest()


def _signature(key: Credentials, named: str) -> str:
    return hmac.digest(_FOR_SESSIONS + _secret_of(key), named.encode(), "sha256").hex()
