"""What operators and orchestrators ask: whether the process is alive, whether it can serve, and what it serves.

Rule: health asks nothing and nobody, for an orchestrator that hears no yes ends the process. Readiness asks the store, and
answers in time whatever the store does. Why the store does not answer is logged, not told.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Awaitable, Callable
from typing import Final

import msgspec
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from everstep.server import openapi
from everstep.server.access.gate import Gate
from everstep.server.access.roles import METRICS
from everstep.server.answers import JSON
from everstep.server.backend import Backend
from everstep.server.census import Census
from everstep.server.errors import ApiError
from everstep.server.shapes import Health
from everstep.service.ids import random_id
from everstep.service.stores.api import Store, StoreError

log = logging.getLogger("everstep.server")

PATIENCE_S: Final = 2.0
"""With the store, when it is asked whether it answers."""


def operating_routes(backend: Backend, gate: Gate) -> list[Route]:
    census = Census()

    async def health(request: Request) -> Response:
        return _answer(Health("alive"))

    async def ready(request: Request) -> Response:
        reason = await _why_not_ready(backend)
        return _answer(Health("ready") if reason is None else Health("not ready", reason))

    async def described(request: Request) -> Response:
        return Response(openapi.document(), media_type=JSON)

    async def metrics(request: Request) -> Response:
        try:
            gate.admit_by_password(request, METRICS)
        except ApiError as error:
            headers = {"x-amzn-errortype": error.code}
            if error.code == "AccessDeniedException":
                return Response(msgspec.json.encode(error.body), 403, headers, JSON)
            headers["www-authenticate"] = 'Basic realm="everstep"'
            return Response(msgspec.json.encode(error.body), 401, headers, JSON)
        counted = await census.counted(backend.engine.store) if backend.is_started else None
        text, content_type = backend.metrics.exposition(request.headers.get("accept", ""), counted)
        return Response(text, headers={"content-type": content_type})

    endpoints: dict[str, Callable[[Request], Awaitable[Response]]] = {
        "/health": health,
        "/ready": ready,
        "/metrics": metrics,
        "/openapi.json": described,
    }
    return [Route(path, _identified(endpoint)) for path, endpoint in endpoints.items()]


def _identified(endpoint: Callable[[Request], Awaitable[Response]]) -> Callable[[Request], Awaitable[Response]]:
    async def identified(request: Request) -> Response:
        response = await endpoint(request)
        response.headers["x-amzn-requestid"] = random_id()
        return response

    return identified


async def _why_not_ready(backend: Backend) -> str | None:
    if backend.closing.is_set():
        return "the server is stopping"
    if not backend.is_started:
        return "the server is starting"
    return None if await _answers(backend.engine.store) else "the store does not answer"


async def _answers(store: Store) -> bool:
    try:
        async with asyncio.timeout(PATIENCE_S):
            await store.due(limit=1)
    except (StoreError, TimeoutError) as error:
        log.warning("the store does not answer: %s", str(error) or f"nothing for {PATIENCE_S:g} s")
        return False
    return True


def _answer(health: Health) -> Response:
    return Response(msgspec.json.encode(health), 503 if health.status == "not ready" else 200, media_type=JSON)
