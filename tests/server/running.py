"""A server in a thread of its own, and what tests ask of it."""

from __future__ import annotations

import asyncio
import json
import threading
import time
from collections.abc import Callable, Generator, Sequence
from concurrent.futures import Future
from contextlib import contextmanager
from http.client import HTTPConnection
from io import BytesIO
from pathlib import Path
from typing import Any, Final, NamedTuple, Protocol, TypeAlias, cast

import boto3  # type: ignore[import-untyped]  # no stubs are installed
import msgspec
import pytest
from botocore.config import Config  # type: ignore[import-untyped]  # the same
from botocore.exceptions import ClientError as BotoError  # type: ignore[import-untyped]  # the same

from everstep.server.access.keys import AccessKey
from everstep.server.catalog import Function
from everstep.server.certificate import Certificate
from everstep.server.declared import FunctionsFile, function_of
from everstep.server.serving import Server, serving
from everstep.service.clock import Clock

HERE: Final = "tests.server.functions"
CREDENTIALS: Final[dict[str, str | None]] = {"aws_access_key_id": "test", "aws_secret_access_key": "test"}


Answer: TypeAlias = "dict[str, Any]"
"""What an operation answered, as boto3 reads it."""

ClientError = cast("type[Exception]", BotoError)


class Pages(Protocol):
    """A paginator, whose pages are made when it runs."""

    def paginate(self, **arguments: object) -> list[Answer]: ...


class Waiter(Protocol):
    def wait(self, **arguments: object) -> None: ...


class Lambda(Protocol):
    """boto3's Lambda client, whose operations are made when it runs."""

    exceptions: Any

    def get_paginator(self, operation: str) -> Pages: ...
    def get_waiter(self, name: str) -> Waiter: ...
    def close(self) -> None: ...
    def __getattr__(self, operation: str) -> Callable[..., Answer]: ...


class Refusal(NamedTuple):
    """What an exception of boto3's says."""

    code: str
    message: str
    status: int


def refusal(error: pytest.ExceptionInfo[Exception]) -> Refusal:
    response = cast("Answer", getattr(error.value, "response"))  # noqa: B009  # its class is untyped
    return Refusal(response["Error"]["Code"], response["Error"]["Message"], response["ResponseMetadata"]["HTTPStatusCode"])


def client_of(url: str, *, attempts: int = 1, key: AccessKey | None = None, verify: Path | None = None) -> Lambda:
    """verify: the certificate to trust."""
    config = Config(retries={"total_max_attempts": attempts}, read_timeout=20, inject_host_prefix=False)
    credentials = CREDENTIALS if key is None else credentials_of(key)
    trusted = None if verify is None else str(verify)
    client = cast("Any", boto3).client("lambda", endpoint_url=url, region_name="us-east-1", config=config, verify=trusted, **credentials)
    client.meta.events.register("after-call.lambda.Invoke", _read_payload)
    return cast("Lambda", client)


def credentials_of(key: AccessKey) -> dict[str, str | None]:
    """As boto3 takes them."""
    return {
        "aws_access_key_id": key.access_key_id,
        "aws_secret_access_key": key.secret_access_key,
        "aws_session_token": key.session_token,
    }


def _read_payload(parsed: Answer, **more: object) -> None:
    """Read an Invoke's answer to its end: a connection is only free again when that is done."""
    if "Payload" in parsed:
        parsed["Payload"] = BytesIO(parsed["Payload"].read())


class Running:
    """A server that answers. client: boto3's, with the first of its keys. stop: ends it before its block does."""

    def __init__(self, server: Server, stop: Callable[[], None], keys: Sequence[AccessKey], certificate: Certificate | None) -> None:
        self.server, self.stop, self.address = server, stop, server.address
        self.in_loop: Callable[[Callable[[], None]], object] = lambda act: None
        """Has the server's thread do something."""
        self.url = server.url if certificate is None else server.url.replace("127.0.0.1", "localhost")
        self.client = client_of(self.url, key=keys[0] if keys else None, verify=None if certificate is None else certificate.chain)

    def request(
        self, method: str, path: str, body: bytes | None = None, headers: dict[str, str] | None = None
    ) -> tuple[int, dict[str, str], bytes]:
        """A request as it stands. The answer's headers are by lower-case name."""
        connection = HTTPConnection(self.address, timeout=20)
        try:
            connection.request(method, path, body, headers or {})
            response = connection.getresponse()
            return response.status, {name.lower(): value for name, value in response.getheaders()}, response.read()
        finally:
            connection.close()


@contextmanager
def running(
    functions: Sequence[Function],
    store: str = "memory://",
    *,
    allow_unqualified: bool = False,
    keys: Sequence[AccessKey] = (),
    certificate: Certificate | None = None,
    clock: Clock | None = None,
    port: int = 0,
) -> Generator[Running]:
    started: Future[tuple[Server, asyncio.AbstractEventLoop, asyncio.Event]] = Future()

    async def serve() -> None:
        stop = asyncio.Event()
        served = serving(
            store,
            functions,
            port=port,
            grace_s=0.2,
            allow_unqualified=allow_unqualified,
            keys=keys,
            certificate=certificate,
            clock=clock,
        )
        async with served as server:
            started.set_result((server, asyncio.get_running_loop(), stop))
            await stop.wait()

    def run() -> None:
        try:
            asyncio.run(serve())
        except BaseException as error:
            if started.done():
                raise
            started.set_exception(error)

    thread = threading.Thread(target=run, name="server")
    thread.start()
    server, loop, stop = started.result(timeout=20)

    def end() -> None:
        if thread.is_alive():
            loop.call_soon_threadsafe(stop.set)
            thread.join(timeout=20)
            assert not thread.is_alive()

    answering = Running(server, end, keys, certificate)
    answering.in_loop = loop.call_soon_threadsafe
    try:
        yield answering
    finally:
        answering.client.close()
        end()


def text_of(answer: Answer, member: str) -> str:
    value = answer[member]
    assert isinstance(value, str)
    return value


def payload_of(answer: Answer) -> Any:
    """What an Invoke returned."""
    return json.loads(answer["Payload"].read())


def until(condition: Callable[[], bool], what: str) -> None:
    """Wait for something that a server of its own does in real time."""
    deadline = time.monotonic() + 15
    while not condition():
        assert time.monotonic() < deadline, f"{what} did not happen"
        time.sleep(0.02)


def events_of(client: Lambda, arn: str) -> list[Answer]:
    events: list[Answer] = client.get_durable_execution_history(DurableExecutionArn=arn)["Events"]
    return events


def status_of(client: Lambda, arn: str) -> object:
    return client.get_durable_execution(DurableExecutionArn=arn)["Status"]


def declared(
    name: str,
    *,
    config: dict[str, int] | None = None,
    is_tenanted: bool = False,
    versions: dict[int, str | None] | None = None,
    logs: Path | None = None,
    **members: object,
) -> Function:
    """A function as a functions file declares it. versions: number to handler. logs: a directory."""
    declaration = {"name": name, **members}
    if config is not None:
        declaration["DurableConfig"] = config
    if is_tenanted:
        declaration["TenancyConfig"] = {"TenantIsolationMode": "PER_TENANT"}
    if versions is not None:
        declaration["versions"] = {number: None if own is None else {"handler": own} for number, own in versions.items()}
    read = msgspec.convert({"functions": [declaration]}, FunctionsFile, strict=False).functions[0]
    return function_of(read, default_timeout_s=900, logs=logs)
