"""A server that runs: service, functions, processes and a socket, from start to graceful end.

Rule: when it stops, first everything that only waits is let go (long polls, synchronous Invokes), then the service ends,
still answering the checkpoints of running invocations, then processes, and the socket last.
"""

from __future__ import annotations

import asyncio
import logging
import random
import socket
from collections.abc import AsyncGenerator, Generator, Sequence
from contextlib import ExitStack, asynccontextmanager, contextmanager
from typing import Final

import uvicorn

from everstep.server.access.exposure import check_exposure, is_loopback
from everstep.server.access.gate import Gate
from everstep.server.access.keys import AccessKey, check_keys, worker_key
from everstep.server.app import App
from everstep.server.backend import Backend
from everstep.server.catalog import Catalog, Function
from everstep.server.certificate import Certificate
from everstep.server.code import Code
from everstep.server.metrics import Metrics
from everstep.server.processes import Processes
from everstep.server.straight import connections_of
from everstep.service.clock import Clock
from everstep.service.deliveries import Webhook
from everstep.service.embedded import Service
from everstep.service.machine.rules import RULES, Rules
from everstep.service.stores.api import Store

log = logging.getLogger("everstep.server")

GRACE_S: Final = 10.0
KEEP_ALIVE_S: Final = 75
"""How long an idle connection stays open: longer than SDKs keep theirs."""
LAST_RESPONSES_S: Final = 2
BACKLOG: Final = 2_048
LOOPBACK: Final = "127.0.0.1"


class Server:
    """The server, once it answers. address: host:port. scheme: http or https."""

    def __init__(self, backend: Backend, address: str, scheme: str) -> None:
        self.backend, self.address, self.scheme = backend, address, scheme

    @property
    def url(self) -> str:
        return f"{self.scheme}://{self.address}"


@asynccontextmanager
async def serving(
    store: str | Store,
    functions: Sequence[Function] = (),
    *,
    host: str = "127.0.0.1",
    port: int = 0,
    account: str = "123456789012",
    region: str = "us-east-1",
    allow_unqualified: bool = False,
    keys: Sequence[AccessKey] = (),
    without_credentials: bool = False,
    certificate: Certificate | None = None,
    rules: Rules = RULES,
    clock: Clock | None = None,
    grace_s: float = GRACE_S,
    webhooks: Sequence[Webhook] = (),
) -> AsyncGenerator[Server]:
    """Serve until the end of the block. port: 0 takes a free one. grace_s: for how long invocations may go on then.

    keys: that callers must sign with; none: everybody may do everything, which other machines can only if `without_credentials`.
    certificate: to speak TLS with. rules: quotas and retries. clock: the time, which tests move by hand.
    webhooks: who is told when executions begin and end.

    Raises UsageError if two functions have one name, or keys or certificate can't be used, OSError if the address cannot be used,
    StoreError if the store cannot.
    """
    check_keys(keys)
    check_exposure(host, has_keys=bool(keys), without_credentials=without_credentials)
    if without_credentials and not is_loopback(host):
        log.warning("whoever reaches %s can do everything: --without-credentials", host or "this machine")
    if certificate is not None:
        certificate.check()
    catalog = Catalog(account=account, region=region, chance=random.random)
    for function in functions:
        catalog.declare(function)
    metrics = Metrics()
    service = Service(store, functions=catalog, rules=rules, grace=grace_s, clock=clock, meter=metrics, webhooks=webhooks)
    backend = Backend(service, catalog, metrics, allow_unqualified=allow_unqualified)
    own_key = worker_key() if keys else None
    gate = Gate([*keys, *([own_key] if own_key else ())], backend.now_ms, is_private=not without_credentials)
    app = App(backend, gate)
    with ExitStack() as listeners:
        listener = listeners.enter_context(_listening(host, port))
        address = own_address = _address(host, listener)
        webs = [_Web(app, listener, certificate)]
        processes = [code for code in _codes(catalog) if isinstance(code, Processes)]
        if certificate is not None and processes:
            # AWS's runtimes speak plain HTTP, and a certificate names the host that others know: a door of their own.
            own_listener = listeners.enter_context(_listening(LOOPBACK, 0))
            own_address = _address(LOOPBACK, own_listener)
            webs.append(_Web(app, own_listener))
        failure: Exception | None = None
        async with asyncio.TaskGroup() as group:
            try:
                async with service:
                    catalog.on_added = service.engine.registered
                    for web in webs:
                        group.create_task(web.serve_listener(), name="http")
                        await web.ready.wait()
                    backend.start(group)
                    for code in processes:
                        code.start(group, own_address, region, own_key)
                    try:
                        yield Server(backend, address, "http" if certificate is None else "https")
                    finally:
                        backend.stop()
            except Exception as error:  # it must leave as it is, not in a group
                failure = error
            await catalog.close()
            for web in webs:
                web.should_exit = True
        if failure is not None:
            raise failure


class _Web(uvicorn.Server):
    """Uvicorn, which leaves signals to whoever runs the server. ready: set when it answers."""

    def __init__(self, app: App, listener: socket.socket, certificate: Certificate | None = None) -> None:
        super().__init__(
            uvicorn.Config(
                app,
                http=connections_of(app),
                lifespan="off",
                ws="none",
                log_config=None,
                access_log=False,
                server_header=False,
                backlog=BACKLOG,
                timeout_keep_alive=KEEP_ALIVE_S,
                timeout_graceful_shutdown=LAST_RESPONSES_S,
                ssl_certfile=None if certificate is None else certificate.chain,
                ssl_keyfile=None if certificate is None else certificate.key,
            )
        )
        self._listener = listener
        self.ready = asyncio.Event()

    async def serve_listener(self) -> None:
        await self.serve([self._listener])

    @contextmanager
    def capture_signals(self) -> Generator[None]:
        yield

    async def startup(self, sockets: list[socket.socket] | None = None) -> None:
        await super().startup(sockets)
        self.ready.set()


@contextmanager
def _listening(host: str, port: int) -> Generator[socket.socket]:
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    listener = socket.create_server((host, port), family=family, backlog=BACKLOG)
    # Connections inherit it. asyncio sets it on those of listeners that name their protocol, which this one does not; without
    # it, a response's headers wait 40 ms for the client's acknowledgement before the body follows.
    listener.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
    try:
        yield listener
    finally:
        listener.close()


def _address(host: str, listener: socket.socket) -> str:
    """Where this machine reaches it."""
    port = listener.getsockname()[1]
    if host in ("", "0.0.0.0", "::"):
        host = LOOPBACK
    return f"[{host}]:{port}" if ":" in host else f"{host}:{port}"


def _codes(catalog: Catalog) -> list[Code]:
    codes = {id(version.code): version.code for function in catalog for version in function.versions.values()}
    return list(codes.values())
