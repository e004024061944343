"""Executions from outside: starting, reading and listing them, answering their callbacks. For tools and tests, not for handlers.

Rule: each call is the API's own, made with the transport that handlers use, on the caller's thread; answers are in wire form.
Source: Lambda API model 2015-03-31 (spec 2).
"""

from __future__ import annotations

import os
from collections.abc import Iterable, Iterator, Mapping, Sequence
from datetime import datetime
from itertools import chain, repeat, takewhile
from typing import Final, TypeAlias, cast

import msgspec

from everstep.client import rest
from everstep.client.calls import attempts_in
from everstep.client.credentials import EnvironmentCredentials, botocore_credentials, credentials_in
from everstep.client.endpoint import endpoint_in, profile_region, region_in
from everstep.client.http import HttpClient
from everstep.errors import ServiceError
from everstep.protocol.shapes import ErrorObject, ExecutionStatus
from everstep.protocol.sigv4 import uri_encode

JsonObject: TypeAlias = Mapping[str, object]

PAGE: Final = 1_000
"""The most that a page may have. Source: API model."""
_NEWEST: Final = 10
"""How many events are asked for to see whether there are new ones."""
_FUNCTIONS_PAGE: Final = 50
"""The most that ListFunctions answers with. Source: API model."""
_EXECUTIONS: Final = "/2025-12-01/durable-executions"
_OWN: Final = "/everstep/2026-11-01"
_CALLBACKS: Final = "/2025-12-01/durable-execution-callbacks"
_ARN_HEADER: Final = "x-amz-durable-execution-arn"


def client_for(
    endpoint_url: str | None, region: str | None, environ: Mapping[str, str] = os.environ, *, profile: str | None = None
) -> HttpClient:
    """The transport to a service: AWS as the environment says, or whatever answers at the URL. Raises UsageError.

    Requests to a URL are signed if the environment holds keys: a service of one's own may ask for none. profile: of AWS's
    configuration files; its keys and region come before those of the environment, as with AWS's command line.
    """
    if profile is not None:
        known = region or profile_region(profile) or region_in(environ)
        return HttpClient(
            endpoint_in(environ, known) if endpoint_url is None else endpoint_url,
            region=known,
            credentials=botocore_credentials(profile),
            ca_bundle=environ.get("AWS_CA_BUNDLE") or None,
            max_attempts=attempts_in(environ),
            environ=environ,
        )
    if endpoint_url is None:
        return HttpClient.from_environment(environ if region is None else {**environ, "AWS_REGION": region})
    has_keys = credentials_in(environ) is not None
    known = region or (region_in(environ) if has_keys and _names_region(environ) else "us-east-1")
    return HttpClient(
        endpoint_url,
        region=known,
        credentials=EnvironmentCredentials(environ) if has_keys else None,
        ca_bundle=environ.get("AWS_CA_BUNDLE") or None,
        max_attempts=attempts_in(environ),
        environ=environ,
    )


def _names_region(environ: Mapping[str, str]) -> bool:
    return bool(environ.get("AWS_REGION") or environ.get("AWS_DEFAULT_REGION"))


class ExecutionsApi:
    """The calls. Each raises ServiceError if the service refuses, or cannot be reached."""

    def __init__(self, client: HttpClient) -> None:
        self._client = client

    def close(self) -> None:
        self._client.close()

    def start(self, function: str, payload: str, *, name: str | None = None) -> str:
        """Start an execution and return its ARN. function: name, NAME:QUALIFIER or ARN. name: of the execution; makes this idempotent."""
        reference, qualifier = split_qualifier(function)
        named = () if name is None else (("x-amz-durable-execution-name", name),)
        headers = (*named, ("x-amz-invocation-type", "Event"))
        path = f"/2015-03-31/functions/{uri_encode(reference)}/invocations"
        query = "" if qualifier is None else f"Qualifier={uri_encode(qualifier)}"
        answer = self._client.ask(rest.Request("POST", path, query, payload.encode(), headers))
        arn = answer.headers.get(_ARN_HEADER)
        if not arn:
            raise ServiceError(f"{function} was invoked, and no durable execution began: is it a durable function?", code="NotDurable")
        return arn

    def run_again(self, arn: str) -> str:
        """A new execution of the same version with the same input; its ARN."""
        before = self.describe(arn)
        payload = before.get("InputPayload")
        if payload is None:
            raise ServiceError(f"the input of {arn} is not there any more", code="NoInput", status=409)
        function = str(before["FunctionArn"])
        reference, qualifier = split_qualifier(function)
        return self.start(function if qualifier else f"{reference}:{before.get('Version') or '$LATEST'}", str(payload))

    def describe(self, arn: str) -> JsonObject:
        """What GetDurableExecution answers."""
        return self._json(rest.Request("GET", f"{_EXECUTIONS}/{uri_encode(arn)}"))

    def call_sites(self, arn: str) -> Sequence[JsonObject]:
        """Where its operations are called, as far as that is known: of our own server alone."""
        found = self._json(rest.Request("GET", f"{_OWN}/durable-executions/{uri_encode(arn)}/call-sites"))
        return cast("Sequence[JsonObject]", found["CallSites"])

    def history(self, arn: str, *, after: int = 0) -> list[JsonObject]:
        """All events, oldest first, with their payloads. after: those with a larger id alone, without reading what comes before."""
        path, asked = f"{_EXECUTIONS}/{uri_encode(arn)}/history", [("IncludeExecutionData", "true")]
        if not after:
            return list(self._pages(path, asked, "Events"))
        newest_first = self._pages(path, [*asked, ("ReverseOrder", "true")], "Events", chain((_NEWEST,), repeat(PAGE)))
        return list(takewhile(lambda event: cast("int", event["EventId"]) > after, newest_first))[::-1]

    def list(
        self,
        function: str,
        *,
        statuses: Sequence[ExecutionStatus] = (),
        name: str | None = None,
        started_after: datetime | None = None,
        started_before: datetime | None = None,
        page: int = PAGE,
    ) -> Iterator[JsonObject]:
        """Executions of a function, those started last first. function: name, NAME:QUALIFIER or ARN. page: how many at once."""
        reference, qualifier = split_qualifier(function)
        path = f"/2025-12-01/functions/{uri_encode(reference)}/durable-executions"
        asked = _asked(statuses, Qualifier=qualifier, DurableExecutionName=name, StartedAfter=started_after, StartedBefore=started_before)
        return self._pages(path, asked, "DurableExecutions", repeat(page))

    def search(
        self,
        *,
        function: str | None = None,
        statuses: Sequence[ExecutionStatus] = (),
        name: str | None = None,
        error_type: str | None = None,
        waiting_name: str | None = None,
        waiting_type: str | None = None,
        started_after: datetime | None = None,
        started_before: datetime | None = None,
        page: int = PAGE,
    ) -> Iterator[JsonObject]:
        """Executions of any function, those started last first. Our own service has that, AWS's has not.

        function: its name. error_type: those that failed so. waiting_name, waiting_type: those that wait in such an operation.
        """
        asked = _asked(
            statuses,
            FunctionName=function,
            DurableExecutionName=name,
            ErrorType=error_type,
            WaitingName=waiting_name,
            WaitingType=waiting_type,
            StartedAfter=started_after,
            StartedBefore=started_before,
        )
        return self._pages(f"{_OWN}/executions", asked, "Executions", repeat(page))

    def durable_functions(self) -> Iterator[str]:
        """The names of the functions that are durable."""
        for function in self._pages("/2015-03-31/functions", [], "Functions", repeat(_FUNCTIONS_PAGE)):
            if function.get("DurableConfig"):
                yield str(function["FunctionName"])

    def succeed_callback(self, callback_id: str, result: str | None) -> None:
        body = b"" if result is None else result.encode()
        self._client.ask(rest.Request("POST", f"{_CALLBACKS}/{uri_encode(callback_id)}/succeed", body=body))

    def fail_callback(self, callback_id: str, error: ErrorObject) -> None:
        self._client.ask(rest.Request("POST", f"{_CALLBACKS}/{uri_encode(callback_id)}/fail", body=msgspec.json.encode(error)))

    def heartbeat_callback(self, callback_id: str) -> None:
        self._client.ask(rest.Request("POST", f"{_CALLBACKS}/{uri_encode(callback_id)}/heartbeat"))

    def stop(self, arn: str, error: ErrorObject | None) -> None:
        body = b"{}" if error is None else msgspec.json.encode(error)
        self._client.ask(rest.Request("POST", f"{_EXECUTIONS}/{uri_encode(arn)}/stop", body=body))

    def pause(self, arn: str, reason: str | None) -> None:
        self._ask_to("pause", arn, {} if reason is None else {"Reason": reason})

    def resume(self, arn: str, reason: str | None) -> None:
        self._ask_to("resume", arn, {} if reason is None else {"Reason": reason})

    def delete(self, arn: str) -> None:
        self._client.ask(rest.Request("DELETE", f"{_EXECUTIONS}/{uri_encode(arn)}"))

    def fork(self, arn: str, operation: str, *, name: str | None = None, result: str | None = None) -> str:
        """A new execution that begins where this one stood; its ARN. Our own service has that, AWS's has not.

        operation: from which on it runs anew, by id or a name that no other has. result: instead it succeeded with that, as text.
        """
        asked = {"Operation": operation, "Name": name, "Result": result}
        body = msgspec.json.encode({member: value for member, value in asked.items() if value is not None})
        answer = self._json(rest.Request("POST", f"{_OWN}/durable-executions/{uri_encode(arn)}/fork", body=body))
        return str(answer["DurableExecutionArn"])

    def _ask_to(self, verb: str, arn: str, members: JsonObject) -> None:
        self._client.ask(rest.Request("POST", f"{_EXECUTIONS}/{uri_encode(arn)}/{verb}", body=msgspec.json.encode(members)))

    def _pages(self, path: str, asked: Sequence[tuple[str, str]], member: str, sizes: Iterable[int] = repeat(PAGE)) -> Iterator[JsonObject]:
        """What all pages have in this member. sizes: of one page after the other, at the most."""
        marker: object = None
        for size in sizes:
            query = [*asked, ("MaxItems", str(size))]
            if marker:
                query.append(("Marker", str(marker)))
            encoded = "&".join(sorted(f"{name}={uri_encode(value)}" for name, value in query))
            page = self._json(rest.Request("GET", path, encoded))
            yield from cast("list[JsonObject]", page.get(member) or [])
            marker = page.get("NextMarker")
            if not marker:
                return

    def _json(self, request: rest.Request) -> JsonObject:
        return msgspec.json.decode(self._client.ask(request).body, type=dict[str, object])


def _asked(statuses: Sequence[ExecutionStatus], **members: str | datetime | None) -> list[tuple[str, str]]:
    """The parameters of a listing, those that are asked for."""
    asked: list[tuple[str, str]] = [("Statuses", status) for status in statuses]
    for member, value in members.items():
        if value is not None:
            asked.append((member, value if isinstance(value, str) else value.isoformat()))
    return asked


def split_qualifier(function: str) -> tuple[str, str | None]:
    """A function's reference without its qualifier, and that: "order:live" is ("order", "live")."""
    parts = function.split(":")
    if function.startswith("arn:"):
        return (":".join(parts[:7]), parts[7]) if len(parts) == 8 else (function, None)
    return (parts[0], parts[1]) if len(parts) == 2 else (function, None)
