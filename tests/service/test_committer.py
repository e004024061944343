from __future__ import annotations

import asyncio
from collections.abc import AsyncGenerator, Sequence
from contextlib import asynccontextmanager

import pytest
from tests.service.stores.rows import execution, step_write

from everstep.service.committer import MANY_AT_ONCE, MAX_GROUP, Committer
from everstep.service.stores.api import StoreError, Write
from everstep.service.stores.memory import MemoryStore


class SlowDisk(MemoryStore):
    """Commits only when told to; `groups` says what each commit carried."""

    def __init__(self) -> None:
        super().__init__()
        self.groups: list[list[tuple[str, int]]] = []
        self.turns = asyncio.Semaphore(0)
        self.failure: StoreError | None = None

    async def commit(self, writes: Sequence[Write]) -> Sequence[bool]:
        self.groups.append([(write.execution.id, write.execution.revision) for write in writes])
        await self.turns.acquire()
        if self.failure:
            raise self.failure
        if any(write.execution.input == "\ud800" for write in writes):
            raise UnicodeEncodeError("utf-8", "\ud800", 0, 1, "surrogates not allowed")
        return await super().commit(writes)


async def settle() -> None:
    for _ in range(10):
        await asyncio.sleep(0)


@asynccontextmanager
async def committing(store: SlowDisk, *, is_elsewhere: bool = False) -> AsyncGenerator[Committer]:
    committer = Committer(store, is_elsewhere=is_elsewhere)
    async with asyncio.TaskGroup() as group:
        group.create_task(committer.run())
        await settle()
        yield committer
        for _ in range(1_000):
            store.turns.release()
        committer.close()


async def test_a_lone_write_leaves_at_once() -> None:
    store = SlowDisk()
    async with committing(store) as committer:
        taken = committer.hand_over(step_write("a", 1))
        await settle()

        assert store.groups == [[("a", 1)]]
        assert not taken.done()
        store.turns.release()
        assert await taken


async def test_what_arrives_during_a_commit_goes_together_in_the_next_and_in_order() -> None:
    store = SlowDisk()
    async with committing(store) as committer:
        first = committer.hand_over(step_write("a", 1))
        await settle()
        others = [committer.hand_over(step_write(*write)) for write in (("a", 2), ("b", 1), ("a", 3), ("b", 5))]
        await settle()
        store.turns.release()
        assert await first
        store.turns.release()
        taken = [await other for other in others]

    assert store.groups == [[("a", 1)], [("a", 2), ("b", 1), ("a", 3), ("b", 5)]]
    assert taken == [True, True, True, False]


async def test_executions_in_step_are_parted_where_a_commit_is_another_processs_work() -> None:
    store = SlowDisk()
    async with committing(store, is_elsewhere=True) as committer:
        waiters = [committer.hand_over(step_write(str(number), 1)) for number in range(MANY_AT_ONCE)]
        store.turns.release()
        store.turns.release()
        assert all(await asyncio.gather(*waiters))

    assert [len(group) for group in store.groups] == [MANY_AT_ONCE // 2, MANY_AT_ONCE // 2]


async def test_what_rests_on_a_write_that_was_not_taken_is_refused_whatever_its_revision() -> None:
    store = SlowDisk()
    await MemoryStore.commit(store, [step_write("a", 1), step_write("a", 2)])
    async with committing(store) as committer:
        late = committer.hand_over(step_write("a", 2))
        await settle()
        resting_on_it = committer.hand_over(step_write("a", 3), after=late)
        store.turns.release()

        assert not await late
        assert not await resting_on_it

    assert store.groups == [[("a", 2)]]


async def test_every_waiter_of_a_failed_group_gets_the_error_and_the_next_group_is_tried() -> None:
    store = SlowDisk()
    async with committing(store) as committer:
        store.failure = StoreError("the disk is full")
        waiters = [committer.hand_over(step_write("a", 1)), committer.hand_over(step_write("b", 1))]
        store.turns.release()
        outcomes = await asyncio.gather(*waiters, return_exceptions=True)
        store.failure = None
        store.turns.release()

        assert outcomes == [store.groups and outcomes[0]] * 2
        assert isinstance(outcomes[0], StoreError)
        assert await committer.hand_over(step_write("a", 1))


async def test_a_write_that_cannot_be_recorded_fails_alone() -> None:
    store = SlowDisk()
    async with committing(store) as committer:
        waiters = [
            committer.hand_over(write)
            for write in (step_write("a", 1), Write(execution=execution("b", input_payload="\ud800")), step_write("c", 1))
        ]
        for _ in range(4):
            store.turns.release()
        outcomes = await asyncio.gather(*waiters, return_exceptions=True)

    assert [outcomes[0], outcomes[2]] == [True, True]
    assert isinstance(outcomes[1], UnicodeEncodeError)


async def test_a_waiter_that_gives_up_does_not_take_its_write_back() -> None:
    store = SlowDisk()
    async with committing(store) as committer:
        waiter = asyncio.ensure_future(committer.hand_over(step_write("a", 1)))
        await settle()
        waiter.cancel()
        store.turns.release()
        await settle()

    assert await store.load("a") is not None


async def test_closing_writes_what_is_queued_and_refuses_what_comes_later() -> None:
    store = SlowDisk()
    async with committing(store) as committer:
        early = committer.hand_over(step_write("a", 1))
        committer.close()
        late = committer.hand_over(step_write("b", 1))
        with pytest.raises(StoreError, match="closing"):
            await late

    assert await early
    assert await store.load("b") is None


async def test_who_asks_to_be_told_of_what_is_known_already_is_told_at_once() -> None:
    committer = Committer(SlowDisk())
    committer.close()
    late = committer.hand_over(step_write("a", 1))
    told: list[bool] = []

    late.then(lambda: told.append(late.done()))

    assert told == [True]


async def test_a_write_that_is_settled_holds_on_to_none_before_it() -> None:
    store = SlowDisk()
    async with committing(store) as committer:
        first = committer.hand_over(step_write("a", 1))
        second = committer.hand_over(step_write("a", 2), after=first)
        store.turns.release()

        assert await second
        assert second.after is None


async def test_a_cancelled_committer_leaves_nobody_waiting() -> None:
    store = SlowDisk()
    committer = Committer(store)
    running = asyncio.ensure_future(committer.run())
    waiters = [committer.hand_over(step_write("a", 1))]
    await settle()
    waiters.append(committer.hand_over(step_write("b", 1)))
    running.cancel()

    outcomes = await asyncio.gather(*waiters, return_exceptions=True)

    assert all(isinstance(outcome, StoreError) for outcome in outcomes)


async def test_a_very_long_queue_leaves_in_several_groups() -> None:
    store = SlowDisk()
    async with committing(store) as committer:
        waiters = [committer.hand_over(step_write(str(number), 1)) for number in range(MAX_GROUP + 1)]
        store.turns.release()
        store.turns.release()
        assert all(await asyncio.gather(*waiters))

    assert [len(group) for group in store.groups] == [MAX_GROUP, 1]
