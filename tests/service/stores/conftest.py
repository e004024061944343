"""The stores that the shared suite runs on: same commands, same answers."""

from __future__ import annotations

from collections.abc import AsyncGenerator, Callable
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from pathlib import Path

import pytest

from everstep.service.stores.api import Store
from everstep.service.stores.memory import MemoryStore
from everstep.service.stores.sqlite import SqliteStore

Opening = Callable[[], AbstractAsyncContextManager[Store]]
"""Opens the test's store, as a service does when it starts. Opened again later, it holds what it held."""


@pytest.fixture(params=["memory", "sqlite"])
def opening(request: pytest.FixtureRequest, tmp_path: Path) -> Opening:
    memory = MemoryStore()

    @asynccontextmanager
    async def opened() -> AsyncGenerator[Store]:
        store: Store = memory if request.param == "memory" else SqliteStore(tmp_path / "executions.db")
        await store.open()
        try:
            yield store
        finally:
            await store.close()

    return opened
