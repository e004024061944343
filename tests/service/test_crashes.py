"""A process may end at any instant: at the next start every open execution goes on, and its result is the same.

A crash is a store that from some commit on does nothing any more: either that commit never reached the disk, or it did
and nobody was told.
"""

from __future__ import annotations

import asyncio
import json
from collections.abc import Awaitable, Sequence
from contextlib import suppress

from hypothesis import example, given, settings
from hypothesis import strategies as st
from tests.service.fakes import NOON, PENDING, ManualClock, Run, fake, hashed, settled, step, wait

from everstep.errors import ServiceError
from everstep.protocol.shapes import TERMINAL
from everstep.service.embedded import Service
from everstep.service.stores.api import Due, Filter, StoreError, Write
from everstep.service.stores.memory import MemoryStore


class Mortal(MemoryStore):
    """Lives for so many commits. is_recorded: whether the last one still reaches the disk.

    fates: of the next commits: True: it fails, False: it is made and fails all the same, None: all is well.
    """

    def __init__(self, fates: Sequence[bool | None] = ()) -> None:
        super().__init__()
        self.fates = list(fates)
        self.life: int | None = None
        self.is_recorded = False
        self.died = asyncio.Event()

    def begin_life(self, commits: int | None, *, is_recorded: bool) -> None:
        self.life, self.is_recorded = commits, is_recorded
        self.died = asyncio.Event()

    async def commit(self, writes: Sequence[Write]) -> Sequence[bool]:
        await asyncio.sleep(0)
        if self.died.is_set():
            raise StoreError("dead")
        if self.life == 0:
            if self.is_recorded:
                await super().commit(writes)
            self.died.set()
            raise StoreError("dead")
        if self.life is not None:
            self.life -= 1
        fate = self.fates.pop(0) if self.fates else None
        if fate is True:
            raise StoreError("the disk is full")
        taken = await super().commit(writes)
        if fate is False:
            raise StoreError("the answer was lost")
        return taken

    async def due(self, *, after: Due | None = None, limit: int) -> Sequence[Due]:
        if self.died.is_set():
            raise StoreError("dead")
        return await super().due(after=after, limit=limit)


def result_of(run: Run, name: str) -> object:
    operation = run.state[hashed(name)]
    details = operation.callback_details or operation.chained_invoke_details
    assert details is not None
    return json.loads(details.result or "null")


async def succeeds_at_its_second_attempt(run: Run) -> bool:
    known = run.state.get(hashed("retried"))
    if known is None or known.status == "READY":
        await run.send(step("retried", "START"))
        known = run.state[hashed("retried")]
    if known.status == "STARTED":
        assert known.step_details is not None
        first = known.step_details.attempt == 0
        await run.send(step("retried", "RETRY", delay_s=2) if first else step("retried", "SUCCEED", payload="2"))
    return run.state[hashed("retried")].status == "SUCCEEDED"


callbacks: dict[str, str] = {}
"""Ids of the callbacks that nobody has answered yet, by execution."""


async def order(run: Run) -> object:
    """Steps, a retry, waits, a callback, a plain function and a durable child, several of them at a time."""
    paid = await run.step("charge", lambda: 17)
    if not await succeeds_at_its_second_attempt(run):
        return PENDING
    if hashed("nap") not in run.state:
        await run.send(wait("nap", 60))
    callback = await run.callback("approval")
    await run.invoke("price", "price", 5)
    await run.invoke("pack", "pack", 6)
    if any(run.state[hashed(name)].status not in TERMINAL for name in ("nap", "approval", "price", "pack")):
        assert callback.callback_details is not None
        assert callback.callback_details.callback_id is not None
        callbacks[run.invocation.arn] = callback.callback_details.callback_id
        return PENDING
    return [paid, result_of(run, "approval"), result_of(run, "price"), result_of(run, "pack")]


async def pack(run: Run) -> object:
    return [run.input, "packed"] if await run.pause("packing", 20) else PENDING


async def price(event: int) -> int:
    return event * 100


async def live(store: Mortal, clock: ManualClock, names: Sequence[str]) -> dict[str, object]:
    """One process: starts the executions (again), answers callbacks, and lets time pass until it ends or dies."""
    function, child = fake(order), fake(pack)
    results: dict[str, object] = {}
    async with Service(store, clock=clock, grace=0) as service:
        service.register(function)
        service.register(child)
        service.register(price)

        async def finish(name: str) -> None:
            while not store.died.is_set():
                with suppress(StoreError):
                    execution = await service.start(function, {"name": name}, name=name)
                    results[name] = await execution.result()
                    return

        async def answer() -> None:
            while True:
                await settled()
                for arn, callback_id in list(callbacks.items()):
                    with suppress(ServiceError):
                        await service.succeed_callback(callback_id, "yes")
                        del callbacks[arn]
                upcoming = [alarm for alarm in clock.alarms if alarm < NOON + 86_400_000]
                if upcoming:
                    clock.move(ms=upcoming[0] - clock.now)

        tasks = [asyncio.ensure_future(finish(name)) for name in names]
        answering, dying = asyncio.ensure_future(answer()), asyncio.ensure_future(store.died.wait())
        await until_one(asyncio.gather(*tasks), dying)
        for task in (*tasks, answering, dying):
            task.cancel()
        await asyncio.wait((*tasks, answering, dying))
    return results


async def until_one(one: Awaitable[object], other: Awaitable[object]) -> None:
    await asyncio.wait([asyncio.ensure_future(one), asyncio.ensure_future(other)], return_when=asyncio.FIRST_COMPLETED)


@settings(max_examples=100, deadline=None)
@example(lives=[(7, True), (14, True), (0, True), (17, True), (0, False)], names=["a", "b", "c"])
@given(
    lives=st.lists(st.tuples(st.integers(0, 40), st.booleans()), max_size=5),
    names=st.integers(1, 3).map(lambda count: [f"order-{number}" for number in range(count)]),
)
def test_every_open_execution_goes_on_after_a_crash_anywhere(lives: Sequence[tuple[int, bool]], names: Sequence[str]) -> None:
    async def run() -> None:
        callbacks.clear()
        store, clock = Mortal(), ManualClock()
        for commits, is_recorded in lives:
            store.begin_life(commits, is_recorded=is_recorded)
            await live(store, clock, names)
        store.begin_life(None, is_recorded=True)
        results = await live(store, clock, names)

        assert results == {name: [17, "yes", 500, [6, "packed"]] for name in names}
        executions = await store.executions(Filter(), limit=99)
        assert len(executions) == 2 * len(names)
        for execution in executions:
            events = await store.events(execution.id, limit=1_000)
            assert [event.event_id for event in events] == list(range(1, execution.events + 1))

    asyncio.run(asyncio.wait_for(run(), 20))


@settings(max_examples=100, deadline=None)
@given(fates=st.lists(st.sampled_from([True, False, None, None, None]), max_size=60))
def test_a_store_that_fails_for_a_while_holds_executions_up_and_loses_nothing(fates: Sequence[bool | None]) -> None:
    async def run() -> None:
        callbacks.clear()
        store = Mortal(fates)
        results = await live(store, ManualClock(), ["order-1", "order-2"])

        assert results == {name: [17, "yes", 500, [6, "packed"]] for name in ("order-1", "order-2")}

    asyncio.run(asyncio.wait_for(run(), 20))
