"""A server that runs: service, functions, processes and a socket, from start to graceful end.

Rule: when it stops, first everything that only waits is let go (long polls, synchronous Invokes), then the service ends,
still answering the checkpoints of running invocations, then processes, and the socket last.
"""

from __future__ import annotations

import asyncio
import random
import socket
from collections.abc import AsyncGenerator, Generator, Sequence
from contextlib import asynccontextmanager, contextmanager
from typing import Final

import uvicorn

from everstep.server.app import create_app
from everstep.server.backend import Backend
from everstep.server.catalog import Catalog, Function
from everstep.server.code import Code
from everstep.server.processes import Processes
from everstep.service.embedded import Service
from everstep.service.machine.rules import RULES, Rules
from everstep.service.stores.api import Store

GRACE_S: Final = 10.0
KEEP_ALIVE_S: Final = 75
"""How long an idle connection stays open: longer than SDKs keep theirs."""
LAST_RESPONSES_S: Final = 2
BACKLOG: Final = 2_048


class Server:
    """The server, once it answers. address: host:port."""

    def __init__(self, backend: Backend, address: str) -> None:
        self.backend, self.address = backend, address

    @property
    def url(self) -> str:
        return f"http://{self.address}"


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
    rules: Rules = RULES,
    grace_s: float = GRACE_S,
) -> AsyncGenerator[Server]:
    """Serve until the end of the block. port: 0 takes a free one. grace_s: for how long invocations may go on then.

    Raises UsageError if two functions have one name, OSError if the address cannot be used, StoreError if the store cannot.
    """
    catalog = Catalog(account=account, region=region, chance=random.random)
    for function in functions:
        catalog.declare(function)
    service = Service(store, functions=catalog, rules=rules, grace=grace_s)
    backend = Backend(service, catalog, allow_unqualified=allow_unqualified)
    with _listening(host, port) as listener:
        address = _address(host, listener)
        failure: Exception | None = None
        async with asyncio.TaskGroup() as group:
            web = _Web(backend)
            try:
                async with service:
                    catalog.on_added = service.engine.registered
                    group.create_task(web.serve([listener]), name="http")
                    await web.ready.wait()
                    backend.start(group)
                    for code in _codes(catalog):
                        if isinstance(code, Processes):
                            code.start(group, address, region)
                    try:
                        yield Server(backend, address)
                    finally:
                        backend.stop()
            except Exception as error:  # it must leave as it is, not in a group
                failure = error
            await catalog.close()
            web.should_exit = True
        if failure is not None:
            raise failure


class _Web(uvicorn.Server):
    """Uvicorn, which leaves signals to whoever runs the server. ready: set when it answers."""

    def __init__(self, backend: Backend) -> None:
        super().__init__(
            uvicorn.Config(
                create_app(backend),
                lifespan="off",
                ws="none",
                log_config=None,
                access_log=False,
                server_header=False,
                backlog=BACKLOG,
                timeout_keep_alive=KEEP_ALIVE_S,
                timeout_graceful_shutdown=LAST_RESPONSES_S,
            )
        )
        self.ready = asyncio.Event()

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
    try:
        yield listener
    finally:
        listener.close()


def _address(host: str, listener: socket.socket) -> str:
    """Where the server's own processes reach it."""
    port = listener.getsockname()[1]
    if host in ("", "0.0.0.0", "::"):
        host = "127.0.0.1"
    return f"[{host}]:{port}" if ":" in host else f"{host}:{port}"


def _codes(catalog: Catalog) -> list[Code]:
    codes = {id(version.code): version.code for function in catalog for version in function.versions.values()}
    return list(codes.values())
