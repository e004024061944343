"""Tells an open page when what it shows has changed, as server-sent events, so that it asks for nothing meanwhile.

Rule: a stream carries positions, never data. What has changed is asked for like everything else, by whoever is signed in, and so is each
wait, so that a stream ends with the session.
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncGenerator
from typing import Final

from starlette.responses import Response, StreamingResponse

from everstep.console.api import Api, Refused
from everstep.console.visits import Visit

WAIT_S: Final = 20
"""Of one call; then a comment is sent, which keeps proxies from cutting the stream and finds out who has left."""
PAUSE_S: Final = 0.3
"""Between two events about an execution, and about all of them:"""
LONG_PAUSE_S: Final = 2.0


async def live(visit: Visit) -> Response:
    """arn: of an execution; none: of all. since: the position at which the page was made."""
    arn = visit.query("arn")
    seen = visit.request.headers.get("last-event-id") or visit.query("since")
    position = await visit.api.position(arn, "", 0)  # refused, if it is, before the stream begins
    stream = _told(visit.api, arn, seen or position)
    return StreamingResponse(stream, media_type="text/event-stream", headers={"x-accel-buffering": "no"})


async def _told(api: Api, arn: str, seen: str) -> AsyncGenerator[str]:
    yield "retry: 1000\n\n"
    while True:
        try:
            position = await api.position(arn, seen, WAIT_S)
        except Refused:
            return
        if position == seen:
            yield ":\n\n"
        else:
            seen = position
            yield f"id: {seen}\nevent: changed\ndata: {seen}\n\n"
            await asyncio.sleep(PAUSE_S if arn else LONG_PAUSE_S)
