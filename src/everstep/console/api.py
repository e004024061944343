"""The service's HTTP API as the console calls it, in the name of whoever is signed in.

Rule: what the API answers is read as the few members that pages show; what it refuses is raised as `Refused` and shown as it is.
"""

from __future__ import annotations

import time
from collections.abc import AsyncGenerator, Mapping, Sequence
from typing import Final, TypeVar

import httpx
import msgspec

from everstep.console.values import spaced, without_role
from everstep.protocol.shapes import ErrorObject, Shape
from everstep.protocol.sigv4 import DATE_FORMAT, Credentials, signed, uri_encode

T = TypeVar("T")

TIMEOUT_S: Final = 30.0
HISTORY_PAGE: Final = 1_000
_OWN: Final = "/everstep/2026-11-01"
_EXECUTIONS: Final = "/2025-12-01/durable-executions"
_CALLBACKS: Final = "/2025-12-01/durable-execution-callbacks"
_FUNCTIONS: Final = "/2015-03-31/functions"


class Refused(Exception):
    """The API said no. status: HTTP's; code: the API's name for it."""

    def __init__(self, status: int, code: str, message: str) -> None:
        self.status, self.code, self.message = status, code, message
        super().__init__(f"{code}: {message}")

    @property
    def needs_sign_in(self) -> bool:
        return self.code in ("MissingAuthenticationTokenException", "UnrecognizedClientException", "InvalidSignatureException")


class WaitingOperation(Shape, frozen=True):
    """due_timestamp: when it goes on by itself."""

    id: str
    type: str
    start_timestamp: float
    name: str | None = None
    due_timestamp: float | None = None

    @property
    def title(self) -> str:
        return without_role(self.name or "") or spaced(self.type).replace("_", " ")


class Found(Shape, frozen=True):
    """An execution in a list."""

    durable_execution_arn: str
    durable_execution_name: str
    function_arn: str
    status: str
    start_timestamp: float
    end_timestamp: float | None = None
    error_type: str | None = None
    waiting_operation: WaitingOperation | None = None

    @property
    def function(self) -> str:
        return self.function_arn.split(":")[6]

    @property
    def version(self) -> str:
        return self.function_arn.split(":")[7]


class FoundPage(Shape, frozen=True):
    executions: Sequence[Found]
    next_marker: str | None = None


class CallSite(Shape, frozen=True):
    """source: the lines around it."""

    sub_type: str
    file: str
    line: int
    source: str
    name: str = ""


class CallSites(Shape, frozen=True):
    call_sites: Sequence[CallSite]


class Count(Shape, frozen=True):
    function_name: str
    status: str
    count: int


class Change(Shape, frozen=True):
    position: str


class Counts(Shape, frozen=True):
    counts: Sequence[Count]
    counted_timestamp: float


class Pause(Shape, frozen=True):
    pause_request_timestamp: float
    reason: str | None = None


class Terms(Shape, frozen=True):
    execution_timeout: int
    retention_period_in_days: int = 14


class Execution(Found, frozen=True):
    """An execution as it is described."""

    input_payload: str | None = None
    result: str | None = None
    error: ErrorObject | None = None
    durable_config: Terms | None = None
    expected_execution_timeout_timestamp: float | None = None
    pause_details: Pause | None = None


class HistoryPage(Shape, frozen=True):
    events: Sequence[dict[str, object]]
    next_marker: str | None = None


class Function(Shape, frozen=True):
    function_name: str
    version: str
    handler: str = ""
    timeout: int = 0
    description: str = ""
    last_modified: str = ""
    durable_config: Terms | None = None


class FunctionPage(Shape, frozen=True):
    functions: Sequence[Function] = ()
    next_marker: str | None = None


class VersionPage(Shape, frozen=True):
    versions: Sequence[Function] = ()
    next_marker: str | None = None


class Alias(Shape, frozen=True):
    name: str
    function_version: str


class AliasPage(Shape, frozen=True):
    aliases: Sequence[Alias] = ()


class Related(Shape, frozen=True):
    """An operation of another execution."""

    durable_execution_arn: str
    operation_id: str

    @property
    def name(self) -> str:
        """Of the execution."""
        return self.durable_execution_arn.partition("/durable-execution/")[2].partition("/")[0]


class Origin(Shape, frozen=True):
    parent: Related | None = None
    forked_from: Related | None = None


class InputSchema(Shape, frozen=True):
    schema: dict[str, object] | None = None


class Forked(Shape, frozen=True):
    durable_execution_arn: str


class _Refusal(msgspec.Struct):
    message: str = msgspec.field(default="", name="message")
    capital: str = msgspec.field(default="", name="Message")


class Api:
    """credentials: to sign with; None where nothing is asked for."""

    def __init__(self, client: httpx.AsyncClient, credentials: Credentials | None, region: str = "us-east-1") -> None:
        self._client, self._credentials, self._region = client, credentials, region

    def signed_by(self, credentials: Credentials) -> Api:
        """The same in another's name."""
        return Api(self._client, credentials, self._region)

    # -- executions

    async def executions(self, asked: Sequence[tuple[str, str]]) -> FoundPage:
        return await self._read(FoundPage, f"{_OWN}/executions", asked)

    async def counts(self) -> Counts:
        return await self._read(Counts, f"{_OWN}/execution-counts")

    async def call_sites(self, arn: str) -> Mapping[tuple[str, str], CallSite]:
        """Where the operations are called, by sub-type and name, as far as that is certain."""
        found = await self._read(CallSites, f"{_OWN}/durable-executions/{uri_encode(arn)}/call-sites")
        return {(site.sub_type, site.name): site for site in found.call_sites}

    async def position(self, arn: str, seen: str, wait_s: int) -> str:
        """Where the execution stands, or all if `arn` is empty: as soon as that is not `seen`, or when the wait is over."""
        asked = [("Position", seen), ("WaitSeconds", str(wait_s))]
        if arn:
            asked.append(("DurableExecutionArn", arn))
        return (await self._read(Change, f"{_OWN}/changes", asked)).position

    async def execution(self, arn: str, *, with_data: bool = True) -> Execution:
        asked = [("IncludeExecutionData", "true" if with_data else "false")]
        return await self._read(Execution, f"{_EXECUTIONS}/{uri_encode(arn)}", asked)

    async def history(
        self, arn: str, *, marker: str | None = None, size: int = HISTORY_PAGE, with_data: bool = False, newest_first: bool = False
    ) -> HistoryPage:
        asked = [("IncludeExecutionData", "true" if with_data else "false"), ("MaxItems", str(size))]
        if newest_first:
            asked.append(("ReverseOrder", "true"))
        if marker:
            asked.append(("Marker", marker))
        return await self._read(HistoryPage, f"{_EXECUTIONS}/{uri_encode(arn)}/history", asked)

    async def events(self, arn: str) -> AsyncGenerator[dict[str, object]]:
        """All of its history, oldest first, with payloads."""
        marker: str | None = None
        while True:
            page = await self.history(arn, marker=marker, with_data=True)
            for event in page.events:
                yield event
            marker = page.next_marker
            if marker is None:
                return

    async def origin(self, arn: str) -> Origin:
        """What invoked it, and where it was forked from."""
        return await self._read(Origin, f"{_OWN}/durable-executions/{uri_encode(arn)}/origin")

    async def stop(self, arn: str, error: ErrorObject) -> None:
        await self._ask("POST", f"{_EXECUTIONS}/{uri_encode(arn)}/stop", body=msgspec.json.encode(error))

    async def pause(self, arn: str, reason: str) -> None:
        await self._ask("POST", f"{_EXECUTIONS}/{uri_encode(arn)}/pause", body=_members(Reason=reason))

    async def resume(self, arn: str, reason: str) -> None:
        await self._ask("POST", f"{_EXECUTIONS}/{uri_encode(arn)}/resume", body=_members(Reason=reason))

    async def delete(self, arn: str) -> None:
        await self._ask("DELETE", f"{_EXECUTIONS}/{uri_encode(arn)}")

    async def start(self, function: str, qualifier: str, payload: str, name: str) -> str:
        """The new execution's ARN; empty if the function is not durable. name: of the execution; empty: one is made up."""
        headers = {"x-amz-invocation-type": "Event"}
        if name:
            headers["x-amz-durable-execution-name"] = name
        asked = [("Qualifier", qualifier)] if qualifier else []
        path = f"{_FUNCTIONS}/{uri_encode(function)}/invocations"
        answer = await self._ask("POST", path, asked, payload.encode(), headers)
        return str(answer.headers.get("x-amz-durable-execution-arn", ""))

    async def run_again(self, arn: str) -> str:
        """A new execution of the same version with the same input; its ARN."""
        before = await self.execution(arn)
        if before.input_payload is None:
            raise Refused(409, "NoInput", "The execution's input is not there any more, so it cannot be run again.")
        return await self.start(before.function, before.version, before.input_payload, "")

    async def fork(self, arn: str, operation_id: str, name: str, result: str | None) -> str:
        """The new execution's ARN. name: empty: one is made up. result: instead the operation succeeded with this text."""
        asked = {"Operation": operation_id, "Name": name or None, "Result": result}
        body = msgspec.json.encode({member: value for member, value in asked.items() if value is not None})
        answer = await self._ask("POST", f"{_OWN}/durable-executions/{uri_encode(arn)}/fork", body=body)
        return msgspec.json.decode(answer.content, type=Forked).durable_execution_arn

    # -- callbacks

    async def succeed_callback(self, callback_id: str, result: str) -> None:
        await self._ask("POST", f"{_CALLBACKS}/{uri_encode(callback_id)}/succeed", body=result.encode())

    async def fail_callback(self, callback_id: str, error: ErrorObject) -> None:
        await self._ask("POST", f"{_CALLBACKS}/{uri_encode(callback_id)}/fail", body=msgspec.json.encode(error))

    # -- functions

    async def functions(self, marker: str | None = None) -> FunctionPage:
        return await self._read(FunctionPage, _FUNCTIONS, [("Marker", marker)] if marker else [])

    async def function(self, name: str) -> Function:
        return await self._read(Function, f"{_FUNCTIONS}/{uri_encode(name)}/configuration")

    async def input_schema(self, name: str) -> dict[str, object] | None:
        """Of the latest version; None if the service does not know it."""
        return (await self._read(InputSchema, f"{_OWN}/functions/{uri_encode(name)}/input-schema")).schema

    async def versions(self, name: str) -> Sequence[Function]:
        return (await self._read(VersionPage, f"{_FUNCTIONS}/{uri_encode(name)}/versions")).versions

    async def aliases(self, name: str) -> Sequence[Alias]:
        return (await self._read(AliasPage, f"{_FUNCTIONS}/{uri_encode(name)}/aliases")).aliases

    # -- inside

    async def _read(self, kind: type[T], path: str, asked: Sequence[tuple[str, str]] = ()) -> T:
        return msgspec.json.decode((await self._ask("GET", path, asked)).content, type=kind)

    async def _ask(
        self, method: str, path: str, asked: Sequence[tuple[str, str]] = (), body: bytes = b"", headers: Mapping[str, str] | None = None
    ) -> httpx.Response:
        query = "&".join(f"{name}={value}" for name, value in sorted((uri_encode(name), uri_encode(value)) for name, value in asked))
        base = self._client.base_url
        sent = {"host": base.netloc.decode(), **(headers or {})}
        if self._credentials is not None:
            sent = signed(
                sent,
                at=time.strftime(DATE_FORMAT, time.gmtime()),
                method=method,
                path=path,
                query=query,
                body=body,
                credentials=self._credentials,
                region=self._region,
                service="lambda",
            )
        url = f"{base.scheme}://{base.netloc.decode()}{path}" + (f"?{query}" if query else "")
        try:
            answer = await self._client.request(method, url, content=body, headers=sent)
        except httpx.HTTPError as error:
            raise Refused(502, "ServiceUnreachable", f"The service does not answer: {error or type(error).__name__}") from error
        if answer.status_code >= 400:
            raise _refused(answer)
        return answer


def _members(**members: str) -> bytes:
    return msgspec.json.encode({name: value for name, value in members.items() if value})


def _refused(answer: httpx.Response) -> Refused:
    code = answer.headers.get("x-amzn-errortype", f"HTTP {answer.status_code}").partition(":")[0]
    try:
        said = msgspec.json.decode(answer.content, type=_Refusal)
    except msgspec.DecodeError:
        said = _Refusal()
    return Refused(answer.status_code, code, said.message or said.capital or "no reason was given")
