"""Who is signed in, and which forms are ours.

Rule: a browser holds a random number and nothing else, in a cookie that scripts and other sites' pages do not get; what it stands for is
kept here, and forgotten when it expires or the server stops. A form carries a proof made of that number, so a page of somebody else's,
who does not know it, can't send one.
"""

from __future__ import annotations

import hmac
import secrets
from collections.abc import Callable
from dataclasses import dataclass
from typing import Final

from everstep.protocol.sigv4 import Credentials

COOKIE: Final = "everstep-console"
LIFETIME_S: Final = 8 * 3600
MOST: Final = 1_000
"""Sessions at a time; the oldest goes first."""


@dataclass(frozen=True, slots=True)
class Session:
    credentials: Credentials
    expires_at: float


class Sessions:
    """now_s: the time."""

    def __init__(self, now_s: Callable[[], float]) -> None:
        self._now_s = now_s
        self._sessions: dict[str, Session] = {}
        self._secret = secrets.token_bytes(32)

    def new_visitor(self) -> str:
        return secrets.token_urlsafe(32)

    def begin(self, credentials: Credentials) -> str:
        """A new number, so that whoever knew the one before has nothing."""
        number = secrets.token_urlsafe(32)
        now = self._now_s()
        for old in [key for key, session in self._sessions.items() if session.expires_at <= now]:
            del self._sessions[old]
        while len(self._sessions) >= MOST:
            del self._sessions[next(iter(self._sessions))]
        self._sessions[number] = Session(credentials, now + LIFETIME_S)
        return number

    def credentials_of(self, number: str) -> Credentials | None:
        session = self._sessions.get(number)
        if session is None or session.expires_at <= self._now_s():
            return None
        return session.credentials

    def end(self, number: str) -> None:
        self._sessions.pop(number, None)

    def proof(self, number: str) -> str:
        """What our forms carry."""
        return hmac.digest(self._secret, number.encode(), "sha256").hex()

    def is_ours(self, number: str, proof: str) -> bool:
        return bool(number) and hmac.compare_digest(self.proof(number).encode(), proof.encode())
