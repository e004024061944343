"""The console as an application, to be mounted by the server or run before any other that speaks the same API.

Rule: pages load nothing from elsewhere and run no script but ours, whatever is in the data they show.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Final

import httpx
from starlette.applications import Starlette
from starlette.datastructures import MutableHeaders
from starlette.responses import Response
from starlette.routing import Mount, Route
from starlette.staticfiles import StaticFiles
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from everstep.console import actions, bulk, comparisons, executions, forks, functions, lists, live, style
from everstep.console.api import Api
from everstep.console.sessions import Sessions
from everstep.console.visits import Page, Reception, Visit
from everstep.protocol.sigv4 import Credentials

HEADERS: Final = {
    "content-security-policy": (
        f"default-src 'none'; script-src 'self'; style-src '{style.PROOF}'; img-src 'self'; connect-src 'self'; form-action 'self'; "
        "base-uri 'none'; frame-ancestors 'none'"
    ),
    "x-content-type-options": "nosniff",
    "referrer-policy": "no-referrer",
    "cross-origin-opener-policy": "same-origin",
    "cross-origin-resource-policy": "same-origin",
}
READ: Final[dict[str, Page]] = {
    "/": lists.executions,
    "/counts": lists.counts,
    "/bulk/{verb}": bulk.matching,
    "/sign-in": actions.sign_in_page,
    "/functions": functions.functions,
    "/functions/{name}": functions.function,
    "/functions/{name}/figures": functions.function_figures,
    "/operations/{arn:path}": executions.operations,
    "/operation/{arn:path}": executions.operation,
    "/events/{arn:path}": executions.events,
    "/fork/{arn:path}": forks.fork_page,
    "/compare/{arn:path}": comparisons.comparison,
    "/executions/{arn:path}": executions.execution,
    "/state/{arn:path}": executions.state,
    "/live": live.live,
}
DONE: Final[dict[str, Page]] = {
    "/bulk": bulk.act_on_chosen,
    "/bulk/{verb}": bulk.act_on_matching,
    "/compare": comparisons.compare_chosen,
    "/sign-in": actions.sign_in,
    "/sign-out": actions.sign_out,
    "/functions/{name}/start": actions.start,
    "/stop/{arn:path}": actions.stop,
    "/pause/{arn:path}": actions.pause,
    "/resume/{arn:path}": actions.resume,
    "/delete/{arn:path}": actions.delete,
    "/again/{arn:path}": actions.run_again,
    "/fork/{arn:path}": forks.fork,
    "/callback/{arn:path}": actions.answer_callback,
}
"""What forms do, by POST."""


def create_console(
    client: httpx.AsyncClient, now_s: Callable[[], float], *, keys: Sequence[Credentials] = (), is_private: bool, region: str = "us-east-1"
) -> Starlette:
    """client: reaches the API at its base URL. now_s: the time. keys: that may be signed in with.

    is_private: without credentials, for this machine alone.
    """
    sessions = Sessions(keys, now_s)

    def api(cookie: str) -> Api:
        return Api(client, sessions.credentials_of(cookie), region)

    reception = Reception(api, sessions, now_s, is_private=is_private)
    routes = [
        Mount("/static", _Guarded(StaticFiles(directory=Path(__file__).parent / "static"), "public, max-age=3600")),
        *(Route(path, reception.endpoint(page), methods=["POST"]) for path, page in DONE.items()),
        *(Route(path, reception.endpoint(page), methods=["GET"]) for path, page in READ.items()),
        Route("/{path:path}", reception.endpoint(_nothing)),
    ]
    console = Starlette(routes=routes)
    console.add_middleware(_Guarded, caching="no-store")
    return console


async def _nothing(visit: Visit) -> Response:
    return visit.problem(404, "No such page", "There is nothing here.")


class _Guarded:
    """Adds what keeps browsers from doing with the pages what they are not for."""

    def __init__(self, app: ASGIApp, caching: str) -> None:
        self._app, self._caching = app, caching

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        async def guarded(message: Message) -> None:
            if message["type"] == "http.response.start":
                headers = MutableHeaders(scope=message)
                for name, value in HEADERS.items():
                    headers[name] = value
                headers.setdefault("cache-control", self._caching)
            await send(message)

        await self._app(scope, receive, guarded)
