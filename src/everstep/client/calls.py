"""How a call of the API is written and when it is made again, whatever carries it.

Rule: a call is repeated while that can help and is harmless, always with the same client token: a checkpoint whose
response was lost is answered again, not recorded twice. Then ServiceError is raised.
"""

from __future__ import annotations

import os
import time
from collections.abc import Callable, Generator, Mapping
from typing import Final, TypeVar

import msgspec

from everstep.client import rest
from everstep.client.connection import Response
from everstep.client.credentials import CredentialSource
from everstep.client.endpoint import Endpoint
from everstep.client.refusal import Refusal, not_understood, read_refusal
from everstep.errors import UsageError
from everstep.protocol.sigv4 import DATE_FORMAT, signed

VERSION: Final = "0.1.0"
USER_AGENT: Final = f"everstep/{VERSION}"

MAX_ATTEMPTS: Final = 5
# Precedent: botocore's standard mode. The delay before attempt n + 1 is random, up to scale * 2 ** (n - 1).
_THROTTLED_SCALE_S: Final = 1.0
_TRANSIENT_SCALE_S: Final = 0.05
_MAX_DELAY_S: Final = 20.0

T = TypeVar("T")


class Calls:
    """The calls to one endpoint. credentials: None sends them unsigned. The rest: see HttpClient."""

    def __init__(
        self,
        endpoint: Endpoint,
        *,
        region: str,
        credentials: CredentialSource | None,
        max_attempts: int = MAX_ATTEMPTS,
        environ: Mapping[str, str] = os.environ,
        now: Callable[[], float] = time.time,
        jitter: Callable[[], float] | None = None,
    ) -> None:
        self.endpoint = endpoint
        self._region = region
        self._credentials = credentials
        self._max_attempts = max_attempts
        self._environ = environ
        self._now = now
        self._jitter = jitter or _random

    def attempts(self, read: Callable[[Response], T]) -> Generator[float, Response | OSError, T]:
        """Yields how many seconds to wait before the next attempt; is sent what that came to; returns the answer, as `read` has it.

        A delay that the service asks for is kept to, up to 20 s. Raises ServiceError.
        """
        attempt = 1
        delay_s = 0.0
        while True:
            came = yield delay_s
            retry_after_s = 0.0
            cause: Exception | None = None
            try:
                if isinstance(came, OSError):
                    refusal, cause = Refusal(0, type(came).__name__, self._unreachable(came)), came
                elif 200 <= came.status < 300:
                    return read(came)
                else:
                    refusal = read_refusal(came.status, came.headers, came.body)
                    retry_after_s = _retry_after_s(came.headers)
            except msgspec.ValidationError as error:
                raise not_understood(error) from error
            except msgspec.DecodeError as error:
                refusal, cause = Refusal(0, "MalformedResponse", f"the response is not JSON: {error}"), error
            verdict = refusal.verdict
            if verdict in ("terminal", "stale") or attempt >= self._max_attempts:
                raise refusal.error() from cause
            scale_s = _THROTTLED_SCALE_S if verdict == "throttled" else _TRANSIENT_SCALE_S
            delay_s = self._jitter() * min(scale_s * 2 ** (attempt - 1), _MAX_DELAY_S)
            delay_s = max(delay_s, min(retry_after_s, _MAX_DELAY_S))
            _tell(f"{refusal.error()}; attempt {attempt} of {self._max_attempts}, next in {delay_s:.2f} s")
            attempt += 1

    def target(self, request: rest.Request) -> str:
        path = self.endpoint.path + request.path
        return f"{path}?{request.query}" if request.query else path

    def headers(self, request: rest.Request) -> dict[str, str]:
        """By lower-case name; signed anew, for each attempt."""
        path = self.endpoint.path + request.path
        headers = {"host": self.endpoint.authority, **dict(request.headers)}
        if request.body:
            headers["content-type"] = "application/json"
        if self._credentials is not None:
            headers = signed(
                headers,
                at=time.strftime(DATE_FORMAT, time.gmtime(self._now())),
                method=request.method,
                path=path,
                query=request.query,
                body=request.body,
                credentials=self._credentials(),
                region=self._region,
                service="lambda",
            )
        # From here on, unsigned: a proxy may change them.
        headers["user-agent"] = USER_AGENT
        headers["accept-encoding"] = "identity"
        if request.body:
            headers["content-length"] = str(len(request.body))
        trace_id = self._environ.get("_X_AMZN_TRACE_ID")
        if trace_id:
            headers["x-amzn-trace-id"] = trace_id
        return headers

    def _unreachable(self, error: OSError) -> str:
        said = f"{self.endpoint.authority}: {error}"
        if self._environ.get("HTTPS_PROXY") or self._environ.get("https_proxy"):
            said += ". HTTPS_PROXY is set, but this client uses no proxy: give everstep a boto3 client (BotoClient), which does"
        return said


def _tell(message: str) -> None:
    import logging

    logging.getLogger("everstep.client").info(message)


def _random() -> float:
    from random import random  # seldom needed, and 2 ms to import

    return random()


def attempts_in(environ: Mapping[str, str]) -> int:
    """AWS_MAX_ATTEMPTS. Raises UsageError."""
    setting = environ.get("AWS_MAX_ATTEMPTS")
    if not setting:
        return MAX_ATTEMPTS
    if not setting.strip().isdecimal() or int(setting) < 1:
        raise UsageError(f"AWS_MAX_ATTEMPTS is {setting!r}; it must be a whole number, 1 or more")
    return int(setting)


def _retry_after_s(headers: Mapping[str, str]) -> float:
    """What the service asks for: seconds in `retry-after`, milliseconds in `x-amz-retry-after`. 0 if it doesn't, or gives a date."""
    for name, units_per_second in (("retry-after", 1), ("x-amz-retry-after", 1000)):
        asked = headers.get(name, "")
        if asked.isdecimal():
            return int(asked) / units_per_second
    return 0.0
