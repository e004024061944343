"""An execution that is being created: whoever finds it in the store before its creator has heard of it makes no second state of it."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence

from tests.service.fakes import ManualClock, Run, fake

from everstep.service.embedded import Service
from everstep.service.stores.api import Due, Write
from everstep.service.stores.memory import MemoryStore


class SlowToTell(MemoryStore):
    """Has recorded a new execution long before it says so."""

    def __init__(self) -> None:
        super().__init__()
        self.recorded = asyncio.Event()
        self.tells = asyncio.Event()

    async def commit(self, writes: Sequence[Write]) -> Sequence[bool]:
        taken = await super().commit(writes)
        if any(write.execution.revision == 1 for write in writes):
            self.recorded.set()
            await self.tells.wait()
        return taken

    async def due(self, *, after: Due | None = None, limit: int) -> Sequence[Due]:
        return []  # the test is the scheduler


async def charge(run: Run) -> object:
    return await run.step("charge", lambda: 1)


async def test_a_scheduler_that_finds_a_new_execution_first_does_not_begin_it_on_a_state_of_its_own() -> None:
    store, handler = SlowToTell(), fake(charge)
    async with Service(store, clock=ManualClock()) as service:
        service.register(handler)
        starting = asyncio.ensure_future(service.start(handler, None, name="early"))
        await store.recorded.wait()
        found = await store.find("charge", "early")
        assert found is not None
        moving = asyncio.ensure_future(service.engine.move_on([found.id]))
        for _ in range(50):
            await asyncio.sleep(0)
        store.tells.set()
        await moving

        assert await asyncio.wait_for((await starting).result(), 5) == 1
    assert handler.invocations == 1
