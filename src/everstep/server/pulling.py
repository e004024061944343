"""A worker: asks a server for invocations of its functions and works on several at a time, until it is told to stop.

Rule: one question at a time is open, for as many invocations as there is room for, of whichever of the functions comes first; each
that it brings runs as a task of its own. What they have to say goes together, see `batcher`. The worker outlives the server: it
asks again, less and less often, until it is back. When it stops, it takes nothing new, and what it has got may end within the grace.
"""

from __future__ import annotations

import asyncio
import inspect
import logging
import os
import random
import ssl
import time
from collections.abc import Awaitable, Callable, Generator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from contextvars import copy_context
from functools import partial
from typing import Final, NamedTuple, Protocol, TypeGuard, cast
from urllib.parse import quote
from uuid import uuid4

import msgspec

from everstep.client.api import DurableClient
from everstep.client.endpoint import Endpoint
from everstep.client.event_state import EventState
from everstep.errors import UsageError
from everstep.protocol.shapes import InvocationOutput
from everstep.protocol.sigv4 import DATE_FORMAT, Credentials, signed
from everstep.serdes import parameter_annotation, result_serdes, serdes_for
from everstep.server.batcher import BatchedClient, Batcher
from everstep.server.line import Answered, Line, Lines
from everstep.server.line_client import READ_TIMEOUT_S, LineClient
from everstep.server.together import MSGPACK, Asked, Given, Kind, Message, Outcome, Reply, read_given, read_replies, written
from everstep.server.worker import RUNTIME, WorkerContext, reported, takes_context

log = logging.getLogger("everstep.worker")

FIRST_DELAY_S: Final = 0.1
LONGEST_DELAY_S: Final = 5.0
ANSWER_ATTEMPTS: Final = 6
_encode: Final = msgspec.json.Encoder().encode


class DurableOnEvents(Protocol):
    """A durable handler, as AWS Lambda would call it."""

    async def run_event(self, state: EventState, client: DurableClient, lambda_context: object = None) -> InvocationOutput: ...
    def drop_parked(self) -> None: ...


class _Invocation(NamedTuple):
    slot: str
    request_id: str
    function: str
    version: str
    headers: Mapping[str, str]
    event: bytes


class _Unavailable(Exception):
    """The server gives no work now."""


class PullingWorker:
    """Runs `functions`, by `NAME` or `NAME:VERSION`. concurrency: how many invocations at a time. client: for durable handlers.

    credentials: to sign with, None where nothing is asked for. tls: whom to trust, None: the system's certificates.
    """

    def __init__(
        self,
        server: Endpoint,
        functions: Mapping[str, Callable[..., object]],
        *,
        client: LineClient,
        concurrency: int,
        grace_s: float,
        credentials: Credentials | None,
        region: str,
        tls: ssl.SSLContext | None,
    ) -> None:
        self._server, self._grace_s = server, grace_s
        self._credentials, self._region, self._tls = credentials, region, tls
        self._path = f"{server.path}/runtime/{quote(','.join(functions), safe=',:$')}/{uuid4().hex}"
        self._environ = dict(os.environ)  # which encodes and decodes each time that it is asked
        self._threads = ThreadPoolExecutor(concurrency, thread_name_prefix="function")
        self._batcher = Batcher(self._send)
        self._client = BatchedClient(client, self._batcher)
        self._functions = {name: self._function(handler) for name, handler in functions.items()}
        self._slots: asyncio.Queue[str | None] = asyncio.Queue()
        for slot in range(concurrency):
            self._slots.put_nowait(str(slot))
        self._line = Line(server, tls)
        self._lines = Lines(server, tls)
        self._running: set[asyncio.Task[None]] = set()
        self._stopping = asyncio.Event()
        self._was_reached = False

    def _function(self, handler: Callable[..., object]) -> _Durable | _Plain:
        return _Durable(handler, self._client) if _is_durable(handler) else _Plain(handler, self._threads)

    async def run(self, stop: asyncio.Event) -> None:
        """Work until `stop` is set. Raises UsageError if the server knows no such functions."""
        presence = asyncio.create_task(self._be_present(), name="presence")
        asking = asyncio.create_task(self._ask(), name="asking")
        stopping = asyncio.create_task(stop.wait(), name="stop")
        try:
            await asyncio.wait((presence, asking, stopping), return_when=asyncio.FIRST_COMPLETED)
            if presence.done():
                presence.result()
            if asking.done():
                asking.result()
            self._stopping.set()
            self._slots.put_nowait(None)
            self._line.finish()
            log.info("stopping; invocations that have %g s to end: %d", self._grace_s, len(self._running))
            async with asyncio.timeout(self._grace_s):
                await asking
                if self._running:
                    await asyncio.wait(self._running)
        except TimeoutError:
            if self._running:
                log.warning("%d invocations are cut off: they had no time to end", len(self._running))
        finally:
            for task in (presence, asking, stopping, *self._running):
                task.cancel()
            await asyncio.gather(presence, asking, stopping, *self._running, return_exceptions=True)
            await self._batcher.close()
            await self._line.close()
            await self._lines.close()
            for function in self._functions.values():
                function.close()
            self._threads.shutdown(wait=False)

    # -- the server

    async def _be_present(self) -> None:
        """Hold a request open, whose end tells the server that this process is gone."""
        line = Line(self._server, self._tls)
        delays = _delays()
        try:
            while True:
                began = time.monotonic()
                try:
                    answered = await self._exchange(line, "GET", f"{self._path}{RUNTIME}/presence")
                except ssl.SSLCertVerificationError as error:
                    raise UsageError(
                        f"the server at {self._server.authority} is not trusted: {error.verify_message}. Give the certificate of its "
                        "authority by --ca-bundle or AWS_CA_BUNDLE, and the name that its own certificate has by --server"
                    ) from error
                except OSError:
                    answered = None
                if answered is not None and not self._was_reached:
                    self._check(answered)
                lasted_s = time.monotonic() - began
                if lasted_s > 1:
                    self._was_reached = True
                if lasted_s > LONGEST_DELAY_S:
                    delays = _delays()
                    continue  # it was cut, by a proxy say: be back before anybody misses us
                await asyncio.sleep(next(delays))
        finally:
            await line.close()

    def _check(self, answered: Answered) -> None:
        """Raises UsageError if there is no point in asking."""
        said = _said(answered.status, answered.body)
        if answered.status == 403:
            advice = "set AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY to a key with the role worker"
            raise UsageError(f"the server at {self._server.authority} refuses this worker, {advice}: {said}")
        if answered.status == 404:
            raise UsageError(f"the server at {self._server.authority} gives no work here: {said}")

    async def _send(self, messages: Sequence[Message]) -> Sequence[Reply]:
        """One request. It may be made twice, see Lines: what was asked may be asked again."""
        path, body = f"{self._path}{RUNTIME}/calls", written(messages)
        async with asyncio.timeout(READ_TIMEOUT_S):
            answered = await self._lines.answered(lambda line: self._exchange(line, "POST", path, body))
        if answered.status == 200:
            try:
                return read_replies(answered.body)
            except msgspec.DecodeError as error:
                raise ConnectionError(f"the server's answer cannot be read: {error}") from error
        return [Reply(answered.status, answered.body, answered.headers)] * len(messages)

    async def _exchange(self, line: Line, method: str, path: str, body: bytes | None = None) -> Answered:
        headers: dict[str, str] = {}
        if self._credentials is not None:
            headers = signed(
                {"host": self._server.authority},
                method=method,
                path=path,
                query="",
                body=body or b"",
                at=time.strftime(DATE_FORMAT, time.gmtime()),
                credentials=self._credentials,
                region=self._region,
                service="lambda",
            )
            del headers["host"]  # which the line sends itself
        return await line.exchange(method, path, body, headers.items(), content_type=MSGPACK)

    async def _ask(self) -> None:
        delays = _delays()
        is_away = False
        free: list[str] = []
        while not self._stopping.is_set() and await self._room(free):
            try:
                invocations = await self._next(free)
            except (OSError, _Unavailable) as error:
                # What slots may have been given in an answer that was lost is given up when they ask again, so they are next.
                if not is_away and not self._stopping.is_set():
                    is_away = True
                    log.warning("%s gives no work, asking again until it does: %s", self._server.authority, error or type(error).__name__)
                with suppress(TimeoutError):
                    await asyncio.wait_for(self._stopping.wait(), next(delays))
                continue
            if is_away:
                log.info("%s gives work again", self._server.authority)
            is_away, delays = False, _delays()
            for invocation in invocations:
                free.remove(invocation.slot)
                task = asyncio.create_task(self._serve(invocation), name=f"{invocation.function} {invocation.request_id}")
                self._running.add(task)
                task.add_done_callback(self._running.discard)

    async def _room(self, free: list[str]) -> bool:
        """Add the slots that are free now to those, once there is one. False: the worker stops."""
        while not free or not self._slots.empty():
            slot = await self._slots.get()
            if slot is None:
                return False
            free.append(slot)
        return True

    async def _next(self, slots: Sequence[str]) -> Sequence[_Invocation]:
        answered = await self._exchange(self._line, "POST", f"{self._path}{RUNTIME}/invocations", written(Asked(slots)))
        if answered.status != 200:
            raise _Unavailable(_said(answered.status, answered.body))
        try:
            return [_invocation(given) for given in read_given(answered.body)]
        except msgspec.DecodeError as error:
            raise _Unavailable(f"its answer cannot be read: {error}") from error

    async def _serve(self, invocation: _Invocation) -> None:
        try:
            function = self._functions.get(f"{invocation.function}:{invocation.version}") or self._functions[invocation.function]
            remaining_s = int(invocation.headers["lambda-runtime-deadline-ms"]) / 1000 - time.time()
            try:
                async with asyncio.timeout(remaining_s):
                    kind, answer = await _outcome(function, invocation, self._environ)
            except TimeoutError:
                return  # the server has given it up as well
            await self._answer(Outcome(invocation.request_id, kind, answer))
        finally:
            self._slots.put_nowait(invocation.slot)

    async def _answer(self, outcome: Outcome) -> None:
        for delay_s, _ in zip(_delays(), range(ANSWER_ATTEMPTS), strict=False):
            try:
                reply = await self._batcher.call(outcome)
            except OSError as error:
                log.info("an answer could not be given, trying again: %s", error or type(error).__name__)
                await asyncio.sleep(delay_s)
                continue
            if reply.status >= 400:
                log.warning("an answer was not taken: %s", _said(reply.status, reply.body))
            return
        log.warning("an answer could not be given: %s is not reached", self._server.authority)


def _invocation(given: Given) -> _Invocation:
    name, _, version = given.headers["everstep-function"].partition(":")
    return _Invocation(given.slot, given.headers["lambda-runtime-aws-request-id"], name, version, given.headers, given.event)


# -- functions


class _Durable:
    def __init__(self, handler: DurableOnEvents, client: DurableClient) -> None:
        self._handler, self._client = handler, client

    async def run(self, event: bytes, context: WorkerContext) -> bytes:
        return _encode(await self._handler.run_event(EventState(event), self._client, context))

    def close(self) -> None:
        self._handler.drop_parked()


class _Plain:
    """A plain function. `def` runs in a thread."""

    def __init__(self, function: Callable[..., object], threads: ThreadPoolExecutor) -> None:
        self._function, self._threads = function, threads
        self._takes_context = takes_context(function)
        self._event, self._result = serdes_for(parameter_annotation(function, 0)), result_serdes(function)

    async def run(self, event: bytes, context: WorkerContext) -> bytes:
        value = self._event.deserialize(event.decode())
        arguments = (value, context) if self._takes_context else (value,)
        if inspect.iscoroutinefunction(self._function):
            result = await cast("Awaitable[object]", self._function(*arguments))
        else:
            result = await asyncio.get_running_loop().run_in_executor(
                self._threads, partial(copy_context().run, self._function, *arguments)
            )
        return self._result.serialize(result).encode()

    def close(self) -> None:
        pass


def _is_durable(handler: object) -> TypeGuard[DurableOnEvents]:
    return callable(getattr(handler, "run_event", None))


async def _outcome(function: _Durable | _Plain, invocation: _Invocation, environ: dict[str, str]) -> tuple[Kind, bytes]:
    named = {"AWS_LAMBDA_FUNCTION_NAME": invocation.function, "AWS_LAMBDA_FUNCTION_VERSION": invocation.version}
    context = WorkerContext(invocation.headers, environ | named)
    try:
        return "response", await function.run(invocation.event, context)
    except Exception as error:
        return "error", reported(error)


def _delays() -> Generator[float]:
    """Ever longer ones, each up to a half shorter, so that workers don't come back all at once."""
    delay_s = FIRST_DELAY_S
    while True:
        yield delay_s * (1 - random.random() / 2)
        delay_s = min(delay_s * 2, LONGEST_DELAY_S)


def _said(status: int, body: bytes) -> str:
    try:
        members = msgspec.json.decode(body, type=dict[str, object])
    except msgspec.DecodeError:
        members = {}
    return str(members.get("errorMessage") or members.get("message") or members.get("Message") or f"status {status}")
