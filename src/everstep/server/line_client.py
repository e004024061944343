"""The two calls of a running handler, made by the event loop itself: for a process that runs many executions at a time.

Rule: the same calls as `everstep.client.http` makes, repeated as they are there; only who waits differs. The connections are
kept, one per call in flight.
"""

from __future__ import annotations

import asyncio
import ssl
from collections.abc import Awaitable, Callable, Sequence
from functools import partial
from typing import Final, TypeVar

from everstep.client import rest
from everstep.client.api import Checkpointed, StatePage
from everstep.client.calls import Calls
from everstep.client.connection import Response
from everstep.client.credentials import CredentialSource
from everstep.client.endpoint import Endpoint
from everstep.protocol.shapes import OperationUpdate
from everstep.server.line import Answered, Line, Lines

READ_TIMEOUT_S: Final = 50.0
"""Precedent: the official Python SDK."""

T = TypeVar("T")


class LineClient:
    """A DurableClient on asyncio. credentials: None sends requests unsigned. tls: whom to trust, None: the system's certificates."""

    def __init__(
        self, endpoint: Endpoint, *, region: str, credentials: CredentialSource | None, max_attempts: int, tls: ssl.SSLContext | None = None
    ) -> None:
        self._calls = Calls(endpoint, region=region, credentials=credentials, max_attempts=max_attempts)
        self._lines = Lines(endpoint, tls)

    async def checkpoint(self, arn: str, token: str, updates: Sequence[OperationUpdate], client_token: str) -> Checkpointed:
        """See DurableClient."""
        request = rest.checkpoint_request(arn, token, updates, client_token)
        return await self.repeated(lambda: self._exchange(request), lambda answer: rest.read_checkpoint(answer.body))

    async def get_state(self, arn: str, token: str, marker: str, max_items: int = 1000) -> StatePage:
        """See DurableClient."""
        request = rest.state_request(arn, token, marker, max_items)
        return await self.repeated(lambda: self._exchange(request), lambda answer: rest.read_state(answer.body))

    async def close(self) -> None:
        """Close the connections that no call uses."""
        await self._lines.close()

    async def repeated(self, exchange: Callable[[], Awaitable[Response]], read: Callable[[Response], T]) -> T:
        """The answer, as `read` has it, exchanged as often as it takes and makes sense. Raises ServiceError."""
        attempts = self._calls.attempts(read)
        delay_s = next(attempts)
        while True:
            if delay_s:
                await asyncio.sleep(delay_s)
            came: Response | OSError
            try:
                came = await exchange()
            except OSError as error:
                came = error
            try:
                delay_s = attempts.send(came)
            except StopIteration as done:
                answer: T = done.value
                return answer

    async def _exchange(self, request: rest.Request) -> Response:
        """One attempt."""
        return Response(*await self._lines.answered(partial(self._exchange_on, request)))

    async def _exchange_on(self, request: rest.Request, line: Line) -> Answered:
        headers = self._calls.headers(request)
        for added in ("host", "content-type", "content-length"):  # which the line sends itself
            headers.pop(added, None)
        async with asyncio.timeout(READ_TIMEOUT_S):
            return await line.exchange(request.method, self._calls.target(request), request.body or None, headers.items())
