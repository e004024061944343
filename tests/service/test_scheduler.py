from __future__ import annotations

import asyncio
from collections.abc import AsyncGenerator, Collection, Sequence
from contextlib import asynccontextmanager

from hypothesis import given
from hypothesis import strategies as st
from tests.service.fakes import NOON, ManualClock, settled
from tests.service.stores.rows import execution

from everstep.service.scheduler import PAGE, Scheduler
from everstep.service.stores.api import Due, StoreError, Write
from everstep.service.stores.memory import MemoryStore


class Store(MemoryStore):
    def __init__(self) -> None:
        super().__init__()
        self.failure: StoreError | None = None

    async def due(self, *, after: Due | None = None, limit: int) -> Sequence[Due]:
        if self.failure:
            raise self.failure
        return await super().due(after=after, limit=limit)


class Fixture:
    """Executions that come due once: moving one on takes its due time away."""

    def __init__(self) -> None:
        self.store, self.clock = Store(), ManualClock()
        self.moved: list[tuple[int, str]] = []
        self.fails: set[str] = set()
        self.scheduler = Scheduler(self.store, self.clock, self.move_on)
        self.revisions: dict[str, int] = {}

    async def set_due(self, identity: str, due_at: int | None) -> None:
        """What a durable commit does."""
        self.revisions[identity] = revision = self.revisions.get(identity, 0) + 1
        await self.store.commit([Write(execution=execution(identity, revision=revision, due_at=due_at))])
        if due_at is not None:
            self.scheduler.announce(identity, due_at)

    async def move_on(self, ids: Collection[str]) -> Collection[str]:
        failed = [identity for identity in ids if identity in self.fails]
        for identity in ids:
            self.moved.append((self.clock.now, identity))
            if identity not in self.fails:
                await self.set_due(identity, None)
        return failed


@asynccontextmanager
async def scheduling(fixture: Fixture) -> AsyncGenerator[None]:
    running = asyncio.ensure_future(fixture.scheduler.run())
    await settled()
    try:
        yield
    finally:
        running.cancel()
        await asyncio.wait([running])
        assert running.cancelled(), running.exception()


async def test_what_is_overdue_at_the_start_is_moved_on_at_once_earliest_first() -> None:
    fixture = Fixture()
    for identity, due_at in (("late", NOON - 1), ("later", NOON - 9), ("now", NOON), ("soon", NOON + 1)):
        await fixture.set_due(identity, due_at)

    async with scheduling(fixture):
        assert fixture.moved == [(NOON, "later"), (NOON, "late"), (NOON, "now")]


async def test_nothing_is_moved_on_early() -> None:
    fixture = Fixture()
    await fixture.set_due("a", NOON + 1_000)

    async with scheduling(fixture):
        fixture.clock.move(ms=999)
        await settled()
        assert fixture.moved == []
        fixture.clock.move(ms=1)
        await settled()
        assert fixture.moved == [(NOON + 1_000, "a")]


async def test_an_earlier_due_time_ends_the_sleep() -> None:
    fixture = Fixture()
    await fixture.set_due("a", NOON + 5_000)

    async with scheduling(fixture):
        await fixture.set_due("b", NOON + 1_000)
        await settled()
        assert fixture.clock.alarms == [NOON + 1_000]
        fixture.clock.move(seconds=1)
        await settled()

    assert fixture.moved == [(NOON + 1_000, "b")]


async def test_a_later_due_time_does_not_wake_anybody() -> None:
    fixture = Fixture()
    await fixture.set_due("a", NOON + 1_000)

    async with scheduling(fixture):
        fixture.store.failure = StoreError("asking would fail")
        await fixture.set_due("b", NOON + 2_000)
        await settled()
        assert fixture.clock.alarms == [NOON + 1_000]


async def test_a_due_time_behind_the_point_reached_is_taken_at_once() -> None:
    fixture = Fixture()
    await fixture.set_due("a", NOON + 1_000)

    async with scheduling(fixture):
        fixture.clock.move(seconds=1)
        await settled()
        await fixture.set_due("b", NOON + 500)
        await settled()

    assert [identity for _, identity in fixture.moved] == ["a", "b"]


async def test_what_could_not_be_moved_on_is_tried_again_after_a_second() -> None:
    fixture = Fixture()
    await fixture.set_due("a", NOON)
    fixture.fails.add("a")

    async with scheduling(fixture):
        fixture.fails.clear()
        fixture.clock.move(ms=999)
        await settled()
        assert fixture.moved == [(NOON, "a")]
        fixture.clock.move(ms=1)
        await settled()

    assert fixture.moved == [(NOON, "a"), (NOON + 1_000, "a")]


async def test_a_failing_store_is_asked_again_after_a_second() -> None:
    fixture = Fixture()
    await fixture.set_due("a", NOON)
    fixture.store.failure = StoreError("the disk is full")

    async with scheduling(fixture):
        fixture.store.failure = None
        fixture.clock.move(seconds=1)
        await settled()

    assert fixture.moved == [(NOON + 1_000, "a")]


async def test_very_many_due_at_once_are_moved_on_in_bounded_batches() -> None:
    fixture = Fixture()
    batches: list[int] = []
    move_on = fixture.move_on

    async def counted(ids: Collection[str]) -> Collection[str]:
        batches.append(len(ids))
        return await move_on(ids)

    fixture.scheduler = Scheduler(fixture.store, fixture.clock, counted)
    for number in range(2 * PAGE + 1):
        await fixture.set_due(f"e-{number}", NOON)

    async with scheduling(fixture):
        await settled()

    assert batches == [PAGE, PAGE, 1]
    assert len({identity for _, identity in fixture.moved}) == 2 * PAGE + 1


@given(st.lists(st.tuples(st.sampled_from("abcd"), st.integers(-3, 30) | st.none(), st.integers(0, 4)), max_size=30))
def test_everything_is_moved_on_when_it_is_due_and_never_before(steps: list[tuple[str, int | None, int]]) -> None:
    async def run() -> None:
        fixture = Fixture()
        expected: dict[str, int] = {}

        async def check() -> None:
            await settled()
            for at, identity in fixture.moved:
                assert expected.pop(identity) <= at
            fixture.moved.clear()
            assert all(at > fixture.clock.now for at in expected.values())

        async with scheduling(fixture):
            for identity, delay, passes in steps:
                if delay is None:
                    expected.pop(identity, None)
                else:
                    expected[identity] = fixture.clock.now + delay
                await fixture.set_due(identity, expected.get(identity))
                await check()
                fixture.clock.move(ms=passes)
                await check()

    asyncio.run(run())
