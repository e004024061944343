"""The service over HTTP: signed requests to AWS, or to anything that answers like it.

Rule: a call is repeated while that can help and is harmless, always with the same client token: a checkpoint whose
response was lost is answered again, not recorded twice. Then ServiceError is raised.
"""

from __future__ import annotations

import os
import time
from collections.abc import Callable, Mapping, Sequence
from typing import Final, TypeVar

import msgspec

from everstep.client import rest
from everstep.client.api import Checkpointed, StatePage
from everstep.client.blocking import Blocking
from everstep.client.connection import Connection, Dialer, Response
from everstep.client.credentials import CredentialSource, EnvironmentCredentials
from everstep.client.endpoint import Endpoint, endpoint_in, parse_endpoint, region_in
from everstep.client.refusal import Refusal, not_understood, read_refusal
from everstep.errors import UsageError
from everstep.protocol.shapes import OperationUpdate
from everstep.protocol.sigv4 import DATE_FORMAT, signed

VERSION: Final = "0.1.0"
USER_AGENT: Final = f"everstep/{VERSION}"

# Precedent: the official Python SDK.
CONNECT_TIMEOUT_S: Final = 5.0
READ_TIMEOUT_S: Final = 50.0

MAX_ATTEMPTS: Final = 5
# Precedent: botocore's standard mode. The delay before attempt n + 1 is random, up to scale * 2 ** (n - 1).
_THROTTLED_SCALE_S: Final = 1.0
_TRANSIENT_SCALE_S: Final = 0.05
_MAX_DELAY_S: Final = 20.0

T = TypeVar("T")


class HttpClient:
    """A DurableClient that keeps one connection per call in flight.

    blocking: where the calls run; see `everstep.client.blocking`.
    """

    def __init__(
        self,
        endpoint: str | Endpoint,
        *,
        region: str,
        credentials: CredentialSource | None,
        ca_bundle: str | None = None,
        connect_timeout_s: float = CONNECT_TIMEOUT_S,
        read_timeout_s: float = READ_TIMEOUT_S,
        max_attempts: int = MAX_ATTEMPTS,
        environ: Mapping[str, str] = os.environ,
        now: Callable[[], float] = time.time,
        sleep: Callable[[float], None] = time.sleep,
        jitter: Callable[[], float] | None = None,
    ) -> None:
        """credentials: None sends requests unsigned, for a service of your own. ca_bundle: instead of the system's certificates.

        environ: asked at each call for the trace id that the runtime puts there. jitter: a number from 0 to 1, random by default.
        """
        self.blocking = Blocking()
        self._idle: list[Connection] = []  # appended and popped whole, so threads need no lock
        self._endpoint = parse_endpoint(endpoint) if isinstance(endpoint, str) else endpoint
        self._region = region
        self._credentials = credentials
        self._dialer = Dialer(self._endpoint, connect_timeout_s=connect_timeout_s, read_timeout_s=read_timeout_s, ca_bundle=ca_bundle)
        self._max_attempts = max_attempts
        self._environ = environ
        self._now = now
        self._sleep = sleep
        self._jitter = jitter or _random

    @classmethod
    def from_environment(cls, environ: Mapping[str, str] = os.environ) -> HttpClient:
        """The client that the environment describes, by the variables of every AWS SDK. Raises UsageError.

        AWS_REGION or AWS_DEFAULT_REGION; AWS_ENDPOINT_URL_LAMBDA, AWS_ENDPOINT_URL, AWS_IGNORE_CONFIGURED_ENDPOINT_URLS,
        AWS_USE_FIPS_ENDPOINT, AWS_USE_DUALSTACK_ENDPOINT; AWS_CA_BUNDLE; AWS_MAX_ATTEMPTS. At each call: AWS_ACCESS_KEY_ID,
        AWS_SECRET_ACCESS_KEY, AWS_SESSION_TOKEN.
        """
        region = region_in(environ)
        return cls(
            endpoint_in(environ, region),
            region=region,
            credentials=EnvironmentCredentials(environ),
            ca_bundle=environ.get("AWS_CA_BUNDLE") or None,
            max_attempts=attempts_in(environ),
            environ=environ,
        )

    async def checkpoint(self, arn: str, token: str, updates: Sequence[OperationUpdate], client_token: str) -> Checkpointed:
        """See DurableClient."""
        request = rest.checkpoint_request(arn, token, updates, client_token)
        return await self.blocking.run(lambda: self._call(request, lambda response: rest.read_checkpoint(response.body)))

    async def get_state(self, arn: str, token: str, marker: str, max_items: int = 1000) -> StatePage:
        """See DurableClient."""
        request = rest.state_request(arn, token, marker, max_items)
        return await self.blocking.run(lambda: self._call(request, lambda response: rest.read_state(response.body)))

    def ask(self, request: rest.Request) -> Response:
        """Any other call of the API. It blocks the thread, and is repeated like the others. Raises ServiceError."""
        return self._call(request, lambda response: response)

    def close(self) -> None:
        """Close idle connections and let the worker threads end. The client can still be used: it opens others."""
        self.blocking.close()
        while self._idle:
            self._idle.pop().close()

    def __del__(self) -> None:
        self.close()  # quietly: kept connections are meant to live as long as their client

    def _call(self, request: rest.Request, read: Callable[[Response], T]) -> T:
        """The answer, after as many attempts as it takes and is worth. A delay that the service asks for is kept to, up to 20 s."""
        attempt = 1
        while True:
            retry_after_s = 0.0
            cause: Exception | None = None
            try:
                response = self._exchange(request)
                if 200 <= response.status < 300:
                    return read(response)
                refusal = read_refusal(response.status, response.headers, response.body)
                retry_after_s = _retry_after_s(response.headers)
            except msgspec.ValidationError as error:
                raise not_understood(error) from error
            except msgspec.DecodeError as error:
                refusal, cause = Refusal(0, "MalformedResponse", f"the response is not JSON: {error}"), error
            except OSError as error:
                refusal, cause = Refusal(0, type(error).__name__, self._unreachable(error)), error
            verdict = refusal.verdict
            if verdict in ("terminal", "stale") or attempt >= self._max_attempts:
                raise refusal.error() from cause
            scale_s = _THROTTLED_SCALE_S if verdict == "throttled" else _TRANSIENT_SCALE_S
            delay_s = self._jitter() * min(scale_s * 2 ** (attempt - 1), _MAX_DELAY_S)
            delay_s = max(delay_s, min(retry_after_s, _MAX_DELAY_S))
            _tell(f"{refusal.error()}; attempt {attempt} of {self._max_attempts}, next in {delay_s:.2f} s")
            self._sleep(delay_s)
            attempt += 1

    def _exchange(self, request: rest.Request) -> Response:
        """One attempt. Raises OSError."""
        message = self._message(request)
        try:
            connection = self._idle.pop()
        except IndexError:
            connection = self._dialer.dial()
        try:
            response = connection.exchange(message)
        except TimeoutError:
            raise
        except OSError:
            if not connection.is_used:
                raise
            # Closed by the other side since its last answer, while this function was frozen for instance. No reason to wait.
            connection = self._dialer.dial()
            response = connection.exchange(message)
        if connection.is_open:
            self._idle.append(connection)
        return response

    def _message(self, request: rest.Request) -> bytes:
        path = self._endpoint.path + request.path
        headers = {"host": self._endpoint.authority, **dict(request.headers)}
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
        target = f"{path}?{request.query}" if request.query else path
        lines = [f"{request.method} {target} HTTP/1.1", *(f"{name}: {value}" for name, value in headers.items()), "", ""]
        return "\r\n".join(lines).encode("latin-1") + request.body

    def _unreachable(self, error: OSError) -> str:
        said = f"{self._endpoint.authority}: {error}"
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
