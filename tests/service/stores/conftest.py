"""The stores that the shared suite runs on: same commands, same answers."""

from __future__ import annotations

from collections.abc import AsyncGenerator, Callable
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from pathlib import Path

import pytest
from tests.service.postgres import Server

from everstep.service.stores.api import Store
from everstep.service.stores.memory import MemoryStore
from everstep.service.stores.sqlite import SqliteStore
from everstep.service.stores.urls import store_at

Opening = Callable[[], AbstractAsyncContextManager[Store]]
"""Opens the test's store, as a service does when it starts. Opened again later, it holds what it held."""


@pytest.fixture(params=["memory", "sqlite", "postgres"])
def opening(request: pytest.FixtureRequest, tmp_path: Path) -> Opening:
    make: Callable[[], Store]
    if request.param == "memory":
        memory = MemoryStore()

        def make() -> Store:
            return memory
    elif request.param == "sqlite":

        def make() -> Store:
            return SqliteStore(tmp_path / "executions.db")
    else:
        server: Server = request.getfixturevalue("postgres")
        url = server.new_schema()

        def make() -> Store:
            return store_at(url)

    @asynccontextmanager
    async def opened() -> AsyncGenerator[Store]:
        store = make()
        await store.open()
        try:
            yield store
        finally:
            await store.close()

    return opened
