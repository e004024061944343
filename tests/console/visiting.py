"""A browser without a screen: it keeps cookies, follows no redirect, and sends the forms of the pages that it has seen."""

from __future__ import annotations

import json
import re
from typing import Any, NamedTuple
from urllib.parse import quote, urlencode

from tests.server.running import Running, events_of, status_of, text_of, until


class Seen(NamedTuple):
    status: int
    headers: dict[str, str]
    text: str


class Visitor:
    def __init__(self, server: Running) -> None:
        self.server = server
        self.cookie = ""
        self.proof = ""

    def get(self, path: str, **headers: str) -> Seen:
        return self._ask("GET", path, None, headers)

    def post(self, path: str, *fields: tuple[str, str], proof: str | None = None) -> Seen:
        """With the proof that the last page's forms carry, or another one."""
        body = urlencode([("proof", self.proof if proof is None else proof), *fields]).encode()
        return self._ask("POST", path, body, {"content-type": "application/x-www-form-urlencoded"})

    def _ask(self, method: str, path: str, body: bytes | None, headers: dict[str, str]) -> Seen:
        if self.cookie:
            headers["cookie"] = self.cookie
        status, answered, content = self.server.request(method, f"/console{path}", body, headers)
        if "set-cookie" in answered:
            self.cookie = answered["set-cookie"].partition(";")[0]
        text = content.decode()
        if found := re.search(r'name="proof" value="([0-9a-f]+)"', text):
            self.proof = found[1]
        return Seen(status, answered, text)


def page_of(arn: str) -> str:
    return f"/executions/{in_path(arn)}"


def in_path(arn: str) -> str:
    return quote(arn, safe="")


def start(server: Running, function: str, payload: object = None, name: str | None = None) -> str:
    named = {} if name is None else {"DurableExecutionName": name}
    answer = server.client.invoke(FunctionName=f"{function}:$LATEST", InvocationType="Event", Payload=json.dumps(payload).encode(), **named)
    return text_of(answer, "DurableExecutionArn")


def ended(server: Running, arn: str) -> str:
    until(lambda: status_of(server.client, arn) != "RUNNING", "the end")
    return arn


def waiting(server: Running, arn: str, event: str) -> str:
    until(lambda: any(one["EventType"] == event for one in events_of(server.client, arn)), event)
    return arn


def event_of(server: Running, arn: str, kind: str) -> Any:
    """The first event of the kind."""
    return next(one for one in events_of(server.client, arn) if one["EventType"] == kind)
