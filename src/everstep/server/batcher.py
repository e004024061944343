"""A worker's calls, sent together: those of many executions share a request.

Rule: no timers and no windows. Alone, a call leaves at once; while a request is under way, calls gather, and leave together when it is
answered, or before that if they are at least half as many, for a small request costs as much as a large one. So the more there is to do,
the less each call costs. Executions that are woken together call together: many of them share the requests equally, so that the worker
goes on with one half while the server has the other.
"""

from __future__ import annotations

import asyncio
from collections import deque
from collections.abc import Awaitable, Callable, Sequence
from math import ceil
from typing import Final, NamedTuple, TypeAlias

from everstep.client import rest
from everstep.client.api import Checkpointed, StatePage
from everstep.client.connection import Response
from everstep.protocol.shapes import OperationUpdate
from everstep.server.line_client import LineClient
from everstep.server.together import Checkpoint, Message, Reply

REQUESTS: Final = 2
"""At a time: while one is written to disk, the next is read."""
MANY: Final = 32
"""So many calls without an answer share the requests equally. Halves of fewer would cost more than they gain."""
MAX_BYTES: Final = 1024 * 1024
"""After which no other call is added to a request."""
STOPPING: Final = "the worker is stopping"

Send: TypeAlias = Callable[[Sequence[Message]], Awaitable[Sequence[Reply]]]


class _Waiting(NamedTuple):
    message: Message
    reply: asyncio.Future[Reply]


class Batcher:
    """send: makes one request of several messages; its replies are in their order."""

    def __init__(self, send: Send) -> None:
        self._send = send
        self._queue: deque[_Waiting] = deque()
        self._under_way: dict[asyncio.Task[None], int] = {}
        """The requests, and how many calls each carries."""
        self._is_to_be_pumped = False
        self._is_closed = False

    async def call(self, message: Message) -> Reply:
        """Raises what `send` raises, and ConnectionError once it is closed."""
        if self._is_closed:
            raise ConnectionError(STOPPING)
        loop = asyncio.get_running_loop()
        waiting = _Waiting(message, loop.create_future())
        self._queue.append(waiting)
        if not self._is_to_be_pumped:
            self._is_to_be_pumped = True
            loop.call_soon(self._pump)  # whoever calls in the same turn of the loop comes along
        return await waiting.reply

    async def close(self) -> None:
        """Give up what is under way and what is queued."""
        self._is_closed = True
        while self._queue:
            waiting = self._queue.popleft()
            if not waiting.reply.done():
                waiting.reply.set_exception(ConnectionError(STOPPING))
        for task in self._under_way:
            task.cancel()
        await asyncio.gather(*self._under_way, return_exceptions=True)

    def _pump(self) -> None:
        self._is_to_be_pumped = False
        while self._queue and self._is_worth_a_request():
            group = self._taken()
            task = asyncio.create_task(self._exchange(group), name="calls")
            self._under_way[task] = len(group)
            task.add_done_callback(self._ended)

    def _is_worth_a_request(self) -> bool:
        return len(self._under_way) < REQUESTS and len(self._queue) >= sum(self._under_way.values()) / 2

    def _ended(self, task: asyncio.Task[None]) -> None:
        del self._under_way[task]
        self._pump()

    def _taken(self) -> Sequence[_Waiting]:
        group: list[_Waiting] = []
        size = 0
        unanswered = sum(self._under_way.values()) + len(self._queue)
        most = ceil(unanswered / REQUESTS) if unanswered >= MANY else unanswered
        while self._queue and len(group) < most and (not group or size + len(self._queue[0].message.body) <= MAX_BYTES):
            waiting = self._queue.popleft()
            if not waiting.reply.done():  # else whoever called has gone
                group.append(waiting)
                size += len(waiting.message.body)
        return group

    async def _exchange(self, group: Sequence[_Waiting]) -> None:
        try:
            replies = await self._send([waiting.message for waiting in group])
        except BaseException as error:
            for waiting in group:
                if not waiting.reply.done():
                    waiting.reply.set_exception(error if isinstance(error, Exception) else ConnectionError(STOPPING))
            if not isinstance(error, Exception):
                raise
        else:
            for waiting, reply in zip(group, replies, strict=True):
                if not waiting.reply.done():
                    waiting.reply.set_result(reply)


def _read(answer: Response) -> Checkpointed:
    return rest.read_checkpoint(answer.body)


class BatchedClient:
    """A DurableClient whose checkpoints go with a batcher; the rest, which is seldom, with `client`."""

    def __init__(self, client: LineClient, batcher: Batcher) -> None:
        self._client, self._batcher = client, batcher

    async def checkpoint(self, arn: str, token: str, updates: Sequence[OperationUpdate], client_token: str) -> Checkpointed:
        """See DurableClient."""
        message = Checkpoint(arn, rest.checkpoint_body(token, updates, client_token))

        async def exchange() -> Response:
            reply = await self._batcher.call(message)
            return Response(reply.status, reply.headers, reply.body)

        return await self._client.repeated(exchange, _read)

    async def get_state(self, arn: str, token: str, marker: str, max_items: int = 1000) -> StatePage:
        """See DurableClient."""
        return await self._client.get_state(arn, token, marker, max_items)
