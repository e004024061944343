"""What webhooks are owed, on every store."""

from __future__ import annotations

from tests.service.stores.conftest import Opening
from tests.service.stores.rows import NOON, execution

from everstep.service.machine.model import Notice
from everstep.service.stores.api import Store, Write
from everstep.service.stores.outbox import Backlog, Later, Owed

LATE = NOON + 1_000_000


def notice(identity: str, *, webhook: str = "w", at: int = NOON) -> Notice:
    return Notice(webhook, identity, '{"an": "event \\u0000 ü"}', at)


def begun(identity: str, *notices: Notice) -> Write:
    return Write(execution=execution(identity), notices=notices)


async def claimed(store: Store, now: int = NOON, *, webhook: str = "w", limit: int = 10, besides: tuple[str, ...] = ()) -> list[str]:
    return [owed.notice.id for owed in await store.outbox.claim(webhook, now, now + 60_000, limit=limit, besides=besides)]


async def test_what_is_owed_is_recorded_with_its_change_and_kept_until_it_is_settled(opening: Opening) -> None:
    async with opening() as store:
        await store.commit([begun("e-1", notice("a"), notice("a", webhook="x")), begun("e-2"), begun("e-3", notice("b", at=NOON + 5))])
    async with opening() as store:
        assert await store.outbox.claim("w", LATE, LATE + 1, limit=10, besides=()) == [
            Owed(notice("a"), 0),
            Owed(notice("b", at=NOON + 5), 0),
        ]
        assert await store.outbox.backlog() == {"w": Backlog(2, NOON), "x": Backlog(1, NOON)}
        await store.outbox.settle("w", ["a"], [Later("b", 3, LATE + 9)])
    async with opening() as store:
        assert await store.outbox.next_due("w", besides=()) == LATE + 9
        assert await store.outbox.next_due("w", besides=["b"]) in (None, LATE + 9)
        assert await claimed(store, LATE + 8) == []
        assert await store.outbox.claim("w", LATE + 9, LATE + 10, limit=10, besides=()) == [Owed(notice("b", at=NOON + 5), 3)]
        await store.outbox.settle("w", ["b"], [])
        assert await store.outbox.backlog() == {"x": Backlog(1, NOON)}


async def test_a_change_that_is_refused_owes_nothing(opening: Opening) -> None:
    async with opening() as store:
        await store.commit([begun("e-1")])
        late = Write(execution=execution("e-1", revision=3), notices=[notice("a")])
        twice = Write(execution=execution("e-2", name="name-of-e-1"), notices=[notice("b")])

        assert await store.commit([late, twice, begun("e-3", notice("c"))]) == [False, False, True]
        assert await store.commit([late]) == [False]
        assert await claimed(store) == ["c"]


async def test_changes_of_one_execution_that_follow_each_other_owe_what_each_of_them_owes(opening: Opening) -> None:
    async with opening() as store:
        ended = Write(execution=execution("e-1", revision=2, status="FAILED"), notices=[notice("b", at=NOON + 1)])

        assert await store.commit([begun("e-1", notice("a")), ended]) == [True, True]
        assert await claimed(store, NOON + 1) == ["a", "b"]


async def test_an_event_that_is_owed_already_does_not_keep_a_change_from_being_recorded(opening: Opening) -> None:
    """Its execution was removed, and another one of that id has begun."""
    async with opening() as store:
        assert await store.commit([begun("e-1", notice("a"))]) == [True]
        await store.delete(["e-1"])

        assert await store.commit([begun("e-1", notice("a"))]) == [True]
        assert await claimed(store) == ["a"]


async def test_claims_take_what_is_due_longest_and_not_what_the_caller_has(opening: Opening) -> None:
    async with opening() as store:
        await store.commit([begun(f"e-{number}", notice(str(number), at=NOON + 5 - number)) for number in range(5)])

        assert await claimed(store, NOON + 3, limit=2) == ["4", "3"]
        assert await claimed(store, NOON + 3, limit=2, besides=("4", "3")) == ["2"]


async def test_what_has_been_owed_for_too_long_is_forgotten(opening: Opening) -> None:
    async with opening() as store:
        await store.commit([begun("e-1", notice("a"), notice("b", at=NOON + 9), notice("a", webhook="x"), notice("a", webhook="gone"))])

        assert await store.outbox.expire("w", NOON) == 0
        assert await store.outbox.expire("w", NOON + 9) == 1
        assert await store.outbox.forget_others(["w", "x"], NOON) == 0
        assert await store.outbox.forget_others(["w", "x"], NOON + 1) == 1
        assert await store.outbox.backlog() == {"w": Backlog(1, NOON + 9), "x": Backlog(1, NOON)}
