"""An execution may be seen in the store, and loaded from there, before the service that creates it knows that it is recorded."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence

from tests.service.fakes import ManualClock, settled

from everstep.service.committer import Committer
from everstep.service.executions import Executions
from everstep.service.machine.model import NewExecution, Terms
from everstep.service.machine.pause import pause_execution
from everstep.service.machine.upkeep import fire_timers
from everstep.service.stores.api import Snapshot, Write
from everstep.service.stores.memory import MemoryStore


class Slow(MemoryStore):
    """Answers late: what it tells may be out of date by then."""

    def __init__(self) -> None:
        super().__init__()
        self.committed, self.loaded = asyncio.Event(), asyncio.Event()

    async def commit(self, writes: Sequence[Write]) -> Sequence[bool]:
        taken = await super().commit(writes)
        await self.committed.wait()
        return taken

    async def load(self, execution_id: str) -> Snapshot | None:
        snapshot = await super().load(execution_id)
        await self.loaded.wait()
        return snapshot


async def test_what_was_loaded_while_an_execution_was_created_does_not_replace_what_came_of_it() -> None:
    store = Slow()
    committer = Committer(store)
    executions = Executions(store, committer, ManualClock(), lambda transition, now: None, lambda execution_id: None)
    new = NewExecution(id="e-1", arn="arn/e-1", name="e-1", function="order", version="$LATEST", terms=Terms(timeout_s=60))
    async with asyncio.TaskGroup() as group:
        group.create_task(committer.run())
        creating = group.create_task(executions.create(new))
        await settled()
        early = group.create_task(executions.perform("e-1", fire_timers))
        await settled()
        store.committed.set()
        await creating
        await executions.perform("e-1", pause_execution)
        store.loaded.set()
        await early
        transition = await executions.perform("e-1", fire_timers)
        committer.close()

    assert transition.execution.status == "PAUSED"
    assert transition.execution.revision == 2
