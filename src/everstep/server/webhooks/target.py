"""A webhook at a URL: one signed POST per attempt, in the form of Standard Webhooks.

Rule: only an answer 2xx, within TIMEOUT_S, is a delivery. Redirects are not followed. No error shows the URL's query or a secret.
Source: the specification of Standard Webhooks.
"""

from __future__ import annotations

import asyncio
import base64
import hashlib
import hmac
import ssl
import time
from collections.abc import Sequence
from typing import Final
from urllib.parse import urlsplit

from everstep.client.endpoint import Endpoint, parse_endpoint
from everstep.errors import UsageError
from everstep.server.line import Line, tls_context
from everstep.service.deliveries import DeliveryFailed
from everstep.service.machine.notices import Watch

TIMEOUT_S: Final = 10.0


class Target:
    """A Webhook. keys: of its secrets; each signs, so that a receiver may know any of them.

    Raises UsageError if the URL is not usable.
    """

    def __init__(self, watch: Watch, url: str, keys: Sequence[bytes]) -> None:
        self.watch = watch
        self._endpoint, self._path = _parsed(url)
        self._keys = tuple(keys)
        self._tls: ssl.SSLContext | None = tls_context(None) if self._endpoint.is_tls else None

    async def deliver(self, notice_id: str, body: str) -> None:
        """See Webhook."""
        content = body.encode()
        timestamp = int(time.time())  # real time, for receivers compare it with theirs
        headers = [
            ("Connection", "close"),
            ("User-Agent", "everstep"),
            ("webhook-id", notice_id),
            ("webhook-timestamp", str(timestamp)),
            ("webhook-signature", " ".join(signature(key, notice_id, timestamp, content) for key in self._keys)),
        ]
        line = Line(self._endpoint, self._tls)
        try:
            async with asyncio.timeout(TIMEOUT_S):
                answered = await line.exchange("POST", self._path, content, headers)
        except TimeoutError:
            raise DeliveryFailed(f"no answer within {TIMEOUT_S:g} seconds") from None
        except (OSError, UnicodeError) as error:
            raise DeliveryFailed(str(error) or type(error).__name__) from error
        finally:
            await line.close()
        if not 200 <= answered.status < 300:
            raise DeliveryFailed(f"it answered with status {answered.status}")


def signature(key: bytes, notice_id: str, timestamp: int, content: bytes) -> str:
    signed = f"{notice_id}.{timestamp}.".encode() + content
    return "v1," + base64.b64encode(hmac.digest(key, signed, hashlib.sha256)).decode()


def _parsed(url: str) -> tuple[Endpoint, str]:
    """Where to connect to, and what to ask for there."""
    try:
        parts = urlsplit(url)
    except ValueError:
        raise UsageError("its url cannot be read") from None
    if parts.username is not None or parts.fragment or not url.isascii() or not url.isprintable() or " " in url:
        raise UsageError("its url must be ASCII, without user, password, fragment or spaces")
    try:
        endpoint = parse_endpoint(f"{parts.scheme}://{parts.netloc}")
    except UsageError:
        raise UsageError("its url must look like https://example.com/path") from None
    return endpoint, (parts.path or "/") + (f"?{parts.query}" if parts.query else "")
