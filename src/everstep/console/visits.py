"""One request to the console: who asks, what for, and in what form it is answered.

Rule: nothing is changed but by a form of ours, and no page can be read through another site's name for this machine.
"""

from __future__ import annotations

import re
from collections.abc import Awaitable, Callable, Mapping
from typing import Final, TypeAlias
from urllib.parse import parse_qs, quote

from jinja2 import Environment, PackageLoader, StrictUndefined
from markupsafe import Markup
from starlette.requests import Request
from starlette.responses import HTMLResponse, RedirectResponse, Response

from everstep.console import values
from everstep.console.api import Api, Refused
from everstep.console.envelopes import opened
from everstep.console.histories import Histories
from everstep.console.sessions import COOKIE, LIFETIME_S, Sessions
from everstep.console.style import STYLE

MAX_FORM: Final = 24 * 1024 * 1024
"""An input of 6 MiB, of which every character may be escaped, and some."""
_LOOPBACK: Final = re.compile(r"(localhost|127\.\d+\.\d+\.\d+|\[::1\])(:\d+)?")


_WRITTEN: Final[tuple[Callable[..., str], ...]] = (
    *(values.word, values.duration, values.exact, values.machine_readable),
    *(values.clock_time, values.ago, values.pretty, values.count, values.rate, values.percent),
)


def _in_path(text: object) -> str:
    return quote(str(text), safe="")


def environment() -> Environment:
    found = Environment(
        loader=PackageLoader("everstep.console"), autoescape=True, undefined=StrictUndefined, trim_blocks=True, lstrip_blocks=True
    )
    filters: dict[str, Callable[..., object]] = {one.__name__: one for one in _WRITTEN}
    found.filters.update(filters | {"path": _in_path, "opened": opened})
    return found


class Visit:
    """cookie: who visits, see sessions. form: what a form of ours sent."""

    def __init__(
        self, request: Request, pages: Environment, sessions: Sessions, api: Api, histories: Histories, cookie: str, now_s: float
    ) -> None:
        self.request, self.api, self.sessions, self.cookie, self.now_s = request, api, sessions, cookie, now_s
        self.histories, self._pages = histories, pages
        self.form: Mapping[str, list[str]] = {}

    @property
    def arn(self) -> str:
        return str(self.request.path_params["arn"])

    @property
    def root(self) -> str:
        return str(self.request.scope.get("root_path", ""))

    @property
    def is_for_htmx(self) -> bool:
        """Whether a part of a page is asked for, to be put into one that is open."""
        return "hx-request" in self.request.headers

    def query(self, name: str) -> str:
        return self.request.query_params.get(name, "")

    def number(self, name: str) -> int:
        """What the address says by that name, 0 if it is no whole number."""
        value = self.query(name)
        return int(value) if value.isdecimal() else 0

    def field(self, name: str) -> str:
        """Of the form; line ends as they are everywhere but in forms."""
        return self.form.get(name, [""])[0].replace("\r\n", "\n")

    def page(self, name: str, status: int = 200, **shown: object) -> Response:
        style = "" if self.is_for_htmx else Markup(STYLE)  # who asks for a part has it already
        is_signed_in = self.sessions.credentials_of(self.cookie) is not None
        common: dict[str, object] = {"root": self.root, "proof": self.sessions.proof(self.cookie), "now": self.now_s}
        common |= {"is_signed_in": is_signed_in, "folded_chars": values.FOLDED_CHARS, "style": style}
        if name.startswith("_") and not self.is_for_htmx:
            name, common = "part.html", common | {"part": name}  # followed as a link, where no script runs
        return HTMLResponse(self._pages.get_template(name).render(common | shown), status)

    def problem(self, status: int, title: str, message: str) -> Response:
        if self.is_for_htmx:
            return self.page("_problem.html", 200, title=title, message=message)  # htmx shows no page of another status
        return self.page("problem.html", status, title=title, message=message)

    def to(self, path: str) -> Response:
        """On to another page of the console."""
        return RedirectResponse(self.root + path, 303)

    def to_execution(self, arn: str) -> Response:
        return self.to(f"/executions/{quote(arn, safe='')}")

    def to_operation(self, arn: str, operation_id: str) -> Response:
        return self.to(f"/operation/{quote(arn, safe='')}?id={quote(operation_id, safe='')}")


Page: TypeAlias = Callable[[Visit], Awaitable[Response]]


class Reception:
    """Makes endpoints of pages. is_private: only this machine is meant to see them, and there are no credentials."""

    def __init__(self, api: Callable[[str], Api], sessions: Sessions, now_s: Callable[[], float], *, is_private: bool) -> None:
        self._api, self._sessions, self._now_s, self._is_private = api, sessions, now_s, is_private
        self._pages, self._histories = environment(), Histories()

    def endpoint(self, page: Page) -> Callable[[Request], Awaitable[Response]]:
        async def visited(request: Request) -> Response:
            cookie = request.cookies.get(COOKIE, "")
            is_new = not self._sessions.is_known(cookie)
            if is_new:
                cookie = self._sessions.stranger()
            visit = Visit(request, self._pages, self._sessions, self._api(cookie), self._histories, cookie, self._now_s())
            response = await self._answer(visit, page)
            if visit.cookie != cookie or is_new:
                secure = request.url.scheme == "https"
                response.set_cookie(
                    COOKIE, visit.cookie, LIFETIME_S, path=visit.root or "/", secure=secure, httponly=True, samesite="strict"
                )
            return response

        return visited

    async def _answer(self, visit: Visit, page: Page) -> Response:
        request = visit.request
        if self._is_private and not _LOOPBACK.fullmatch(request.headers.get("host", "")):
            return visit.problem(403, "Not here", "Without credentials, the console is for this machine alone: open it as localhost.")
        if request.method == "POST":
            refused = await self._read_form(visit)
            if refused is not None:
                return refused
        try:
            return await page(visit)
        except Refused as error:
            if error.needs_sign_in:
                if visit.is_for_htmx:
                    return Response(headers={"hx-redirect": f"{visit.root}/sign-in"})
                return visit.to("/sign-in")
            return visit.problem(error.status if error.status < 500 else 502, error.code, error.message)

    async def _read_form(self, visit: Visit) -> Response | None:
        body = bytearray()
        async for chunk in visit.request.stream():
            body += chunk
            if len(body) > MAX_FORM:
                return visit.problem(413, "Too much", f"A form may have {MAX_FORM} bytes.")
        try:
            visit.form = parse_qs(body.decode(), keep_blank_values=True, strict_parsing=bool(body), max_num_fields=2_000)
        except ValueError:
            return visit.problem(400, "Not a form", "What was sent is not a form of this console.")
        if not self._sessions.is_ours(visit.cookie, visit.field("proof")):
            return visit.problem(403, "Not sent", "The form was not made by this console, or it is too old. Reload the page and try again.")
        return None
