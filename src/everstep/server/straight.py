"""Connections whose most frequent requests go straight to the API and whose answers go straight out, past ASGI's messages.

Rule: uvicorn keeps reading requests, their limits, pipelining, keeping alive and shutting down. Only how a request becomes an answer
and an answer bytes is done here, which together with the layers in between cost as much as what most requests are for.
"""

from __future__ import annotations

import asyncio
import re
from collections.abc import Awaitable, Callable
from typing import Final, Protocol, cast

from starlette.requests import Request
from starlette.types import Message
from uvicorn._types import ASGI3Application
from uvicorn.protocols.http.httptools_impl import STATUS_LINE, HttpToolsProtocol, RequestResponseCycle

from everstep.server.answers import Answer

_UNSENDABLE: Final = re.compile(r"[\x00-\x08\x0a-\x1f\x7f]")
"""What no header's value may hold."""
_FAILED: Final = Answer(status=500, body=b"Internal Server Error", headers={"content-type": "text/plain; charset=utf-8"})
_BODILESS: Final = (204, 304)


class Straight(Protocol):
    """An application that also answers requests without ASGI."""

    def is_frequent(self, path: str) -> bool: ...

    async def answered(self, request: Request) -> Answer:
        """Raises nothing that is about the request."""
        ...


class StraightProtocol(HttpToolsProtocol):
    """straight: whose answers these are. Other requests go to the application that uvicorn knows."""

    straight: Straight

    def _start_asgi_task(self, cycle: RequestResponseCycle, app: ASGI3Application) -> None:
        scope = cycle.scope
        is_proxied = any(name.startswith(b"x-forwarded-") for name, _ in scope["headers"])  # read by a layer of uvicorn's
        if is_proxied or scope["method"] == "HEAD" or not self.straight.is_frequent(scope["path"]):
            super()._start_asgi_task(cycle, app)
            return
        task = self.loop.create_task(self._serve(cycle))
        task.add_done_callback(self.tasks.discard)
        self.tasks.add(task)

    async def _serve(self, cycle: RequestResponseCycle) -> None:
        receive = cast("Callable[[], Awaitable[Message]]", cycle.receive)
        try:
            answer = await self.straight.answered(Request(cast("dict[str, object]", cycle.scope), receive))
            head = _head(answer, cycle)
        except BaseException:  # as uvicorn has it
            self.logger.exception("a request failed")
            cycle.keep_alive = False
            answer = _FAILED
            head = _head(answer, cycle)
        if self.flow.write_paused and not cycle.disconnected:
            await self.flow.drain()
        if not cycle.disconnected:
            self.transport.write(head + answer.body)
            cycle.response_started = cycle.response_complete = True
            cycle.message_event.set()
            if not cycle.keep_alive:
                self.transport.close()
            self.on_response_complete()


def _head(answer: Answer, cycle: RequestResponseCycle) -> bytes:
    """Raises ValueError if a header cannot be sent."""
    if _UNSENDABLE.search("".join(answer.headers.values())):
        raise ValueError("a header's value has characters in it that no header can hold")
    lines = [f"{name}: {value}\r\n" for name, value in answer.headers.items()]
    if answer.status not in _BODILESS:
        lines.append(f"content-length: {len(answer.body)}\r\n")
    if not cycle.keep_alive:
        lines.append("connection: close\r\n")
    defaults = [b"%b: %b\r\n" % header for header in cycle.default_headers]
    return b"".join((STATUS_LINE[answer.status], *defaults, "".join(lines).encode("latin-1"), b"\r\n"))


def connections_of(app: Straight) -> type[asyncio.Protocol]:
    """The connections of an application that uvicorn serves."""

    class Connection(StraightProtocol):
        straight = app

    return Connection
