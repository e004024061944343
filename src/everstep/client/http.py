"""The service over HTTP: signed requests to AWS, or to anything that answers like it.

Rule: it needs nothing but the standard library, and no event loop: a call blocks, and `blocking` decides whom.
"""

from __future__ import annotations

import os
import time
import weakref
from collections.abc import Callable, Mapping, Sequence
from typing import Final, TypeVar

from everstep.client import rest
from everstep.client.api import Checkpointed, StatePage
from everstep.client.blocking import Blocking
from everstep.client.calls import MAX_ATTEMPTS, Calls, attempts_in
from everstep.client.connection import Connection, Dialer, Response
from everstep.client.credentials import CredentialSource, EnvironmentCredentials
from everstep.client.endpoint import Endpoint, endpoint_in, parse_endpoint, region_in
from everstep.protocol.shapes import OperationUpdate

# Precedent: the official Python SDK.
CONNECT_TIMEOUT_S: Final = 5.0
READ_TIMEOUT_S: Final = 50.0

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
        weakref.finalize(self, _close_all, self._idle)  # kept connections are meant to live as long as their client
        endpoint = parse_endpoint(endpoint) if isinstance(endpoint, str) else endpoint
        self._calls = Calls(
            endpoint, region=region, credentials=credentials, max_attempts=max_attempts, environ=environ, now=now, jitter=jitter
        )
        self._dialer = Dialer(endpoint, connect_timeout_s=connect_timeout_s, read_timeout_s=read_timeout_s, ca_bundle=ca_bundle)
        self._sleep = sleep

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
        _close_all(self._idle)

    def _call(self, request: rest.Request, read: Callable[[Response], T]) -> T:
        """The answer, after as many attempts as it takes and is worth."""
        attempts = self._calls.attempts(read)
        delay_s = next(attempts)
        while True:
            if delay_s:
                self._sleep(delay_s)
            came: Response | OSError
            try:
                came = self._exchange(request)
            except OSError as error:
                came = error
            try:
                delay_s = attempts.send(came)
            except StopIteration as done:
                answer: T = done.value
                return answer

    def _exchange(self, request: rest.Request) -> Response:
        """One attempt. Raises OSError."""
        headers = self._calls.headers(request)
        lines = [
            f"{request.method} {self._calls.target(request)} HTTP/1.1",
            *(f"{name}: {value}" for name, value in headers.items()),
            "",
            "",
        ]
        message = "\r\n".join(lines).encode("latin-1") + request.body
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


def _close_all(idle: list[Connection]) -> None:
    while idle:
        idle.pop().close()
