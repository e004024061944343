"""What only the PostgreSQL store does. What it does as every store is in test_every_store.py."""

from __future__ import annotations

import asyncio
import random
from collections.abc import AsyncGenerator
from contextlib import AsyncExitStack, asynccontextmanager

import psycopg
import pytest
from msgspec.structs import replace
from tests.service.postgres import Server
from tests.service.stores.rows import NOON, execution, step_write

from everstep.errors import UsageError
from everstep.service.machine.model import Invocation
from everstep.service.stores.api import Filter, StoreError, Write
from everstep.service.stores.postgres import PostgresStore
from everstep.service.stores.postgres.holdings import Holdings
from everstep.service.stores.postgres.schema import migrations
from everstep.service.stores.shared import Changed, Ended, MembersChanged, Missed, SharedStore, WorkLeft
from everstep.service.stores.urls import store_at


@asynccontextmanager
async def opened(url: str) -> AsyncGenerator[PostgresStore]:
    store = store_at(url)
    assert isinstance(store, PostgresStore)
    await store.open()
    try:
        yield store
    finally:
        await store.close()


def schema_of(url: str) -> str:
    return url.partition("schema=")[2].partition("&")[0]


def busy(identity: str, revision: int = 1, *, is_claim: bool = False) -> Write:
    """A write after which an invocation runs."""
    invocation = Invocation(number=1, request_id="r", secret=b"s", started_at=NOON, seen_before=0)
    return Write(execution=replace(execution(identity, revision=revision), invocation=invocation), is_claim=is_claim)


# The schema


async def test_instances_that_start_together_on_an_empty_database_make_the_schema_once(postgres: Server) -> None:
    url = postgres.new_schema()
    async with AsyncExitStack() as stack:
        stores = await asyncio.gather(*(stack.enter_async_context(opened(url)) for _ in range(5)))

        assert await stores[0].commit([step_write("e-1", 1)]) == [True]
        assert all([await store.load("e-1") is not None for store in stores])


async def test_a_newer_schema_is_refused(postgres: Server) -> None:
    url = postgres.new_schema()
    async with opened(url):
        pass
    with psycopg.connect(postgres.url, autocommit=True) as connection:
        connection.execute(f"UPDATE {schema_of(url)}.schema_version SET version = version + 1".encode())

    with pytest.raises(StoreError, match=f"version {len(migrations()) + 1}, written by a newer Everstep.*Upgrade everstep") as refusal:
        await store_at(url).open()

    assert not refusal.value.is_retryable


async def test_another_programs_schema_is_refused(postgres: Server) -> None:
    url = postgres.new_schema()
    with psycopg.connect(postgres.url, autocommit=True) as connection:
        connection.execute(f"CREATE SCHEMA {schema_of(url)} CREATE TABLE customers (id int)".encode())

    with pytest.raises(StoreError, match="another program's tables"):
        await store_at(url).open()


async def test_a_role_that_may_use_a_schema_of_its_own_needs_no_other_right(postgres: Server) -> None:
    url = postgres.new_schema()
    with psycopg.connect(postgres.url, autocommit=True) as connection:
        connection.execute("DROP ROLE IF EXISTS clerk")
        connection.execute("CREATE ROLE clerk LOGIN")
        connection.execute(f"CREATE SCHEMA {schema_of(url)} AUTHORIZATION clerk".encode())

    async with opened(url.replace("postgres@", "clerk@")) as store:
        assert await store.commit([step_write("e-1", 1)]) == [True]


async def test_a_role_without_rights_is_told_what_it_needs(postgres: Server) -> None:
    with psycopg.connect(postgres.url, autocommit=True) as connection:
        connection.execute("DROP ROLE IF EXISTS visitor")
        connection.execute("CREATE ROLE visitor LOGIN")

    with pytest.raises(StoreError, match="a schema that it owns") as refusal:
        await store_at(postgres.new_schema().replace("postgres@", "visitor@")).open()

    assert not refusal.value.is_retryable


# The URL


@pytest.mark.parametrize("scheme", ["postgresql", "postgres"])
def test_both_spellings_of_the_url_name_a_shared_store(scheme: str) -> None:
    assert isinstance(store_at(f"{scheme}://user@host/db"), SharedStore)


@pytest.mark.parametrize(
    ("url", "advice"),
    [
        ("postgresql://user:secret@host/db?sslmoon=1", "sslmoon"),
        ("postgresql://user:secret@host/db?lease=soon", "no number of seconds"),
        ("postgresql://user:secret@host/db?lease=0", "the least is"),
        ("postgresql://user:secret@host/db?schema=", "names no schema"),
    ],
)
def test_a_wrong_url_is_refused_without_telling_its_password(url: str, advice: str) -> None:
    with pytest.raises(UsageError) as refusal:
        store_at(url)

    assert advice in str(refusal.value)
    assert "secret" not in str(refusal.value)


async def test_a_server_that_is_not_there_is_named() -> None:
    with pytest.raises(StoreError, match="PostgreSQL db at /nowhere") as refusal:
        await store_at("postgresql://user@/db?host=/nowhere").open()

    assert refusal.value.is_retryable


async def test_a_closed_store_says_so(postgres: Server) -> None:
    url = postgres.new_schema()
    with pytest.raises(StoreError, match="is not open"):
        await store_at(url).load("e-1")
    async with opened(url) as store:
        pass
    with pytest.raises(StoreError, match="is not open"):
        await store.commit([step_write("e-1", 1)])


async def test_text_that_no_row_can_hold_names_nothing(postgres: Server) -> None:
    async with opened(postgres.new_schema()) as store:
        for text in ("e\x001", "\ud800"):
            assert await store.load(text) is None
            assert await store.find("order", text) is None
            assert await store.executions(Filter(name=text), limit=9) == []


async def test_calls_that_are_cancelled_at_any_moment_lose_no_connection_and_no_cancellation(postgres: Server) -> None:
    dice = random.Random(1)
    async with opened(postgres.new_schema()) as store:
        for number in range(150):
            calls = [
                asyncio.ensure_future(call)
                for call in (store.commit([step_write(f"e-{number}", 1)]), store.renew(), store.renew(), store.claim(NOON, [], limit=1))
            ]
            await asyncio.sleep(dice.random() * 0.003)
            unfinished = [call for call in calls if call.cancel()]
            await asyncio.wait(calls)

            assert all(call.cancelled() for call in unfinished)
        async with asyncio.timeout(5):
            assert await store.commit([step_write("last", 1)]) == [True]
            assert await store.renew()
            assert await store.load("last") is not None


def test_what_was_added_after_the_question_is_not_removed_by_its_answer() -> None:
    holdings = Holdings()
    holdings.add(["before", "other"])
    asked = holdings.asked()
    holdings.add(["meanwhile"])

    holdings.remove(["before", "meanwhile", "unknown"], asked)

    assert [name for name in ("before", "other", "meanwhile") if name in holdings] == ["other", "meanwhile"]


# Several instances


async def test_a_late_write_is_refused_and_so_is_what_rests_on_it(postgres: Server) -> None:
    url = postgres.new_schema()
    async with opened(url) as one, opened(url) as other:
        await one.commit([step_write("e-1", 1)])
        assert await other.commit([step_write("e-1", 2, result='"other"')]) == [True]

        assert await one.commit([step_write("e-1", 2), step_write("e-1", 3), step_write("e-2", 1)]) == [False, False, True]
        snapshot = await one.load("e-1")

    assert snapshot is not None
    assert snapshot.execution.revision == 2
    assert snapshot.records[-1].operation.step_details is not None
    assert snapshot.records[-1].operation.step_details.result == '"other"'


async def test_groups_that_touch_the_same_rows_in_any_order_never_wait_for_each_other_in_a_circle(postgres: Server) -> None:
    url, dice = postgres.new_schema(), random.Random(1)
    identities = [f"e-{number}" for number in range(12)]

    async def fight(store: PostgresStore) -> int:
        taken = 0
        for _ in range(60):
            chosen = dice.sample(identities, 8)
            revisions = {identity: await store.revision(identity) or 0 for identity in chosen}
            # New executions fight for the names of some that may be there already.
            taken += sum(await store.commit([step_write(identity, revisions[identity] + 1) for identity in chosen]))
            if dice.random() < 0.2:
                await store.delete(dice.sample(identities, 4))
        return taken

    async with opened(url) as one, opened(url) as other, opened(url) as third:
        assert all(await asyncio.gather(fight(one), fight(other), fight(third)))


async def test_a_write_that_begins_work_makes_its_writer_the_owner_and_rest_makes_nobody(postgres: Server) -> None:
    url = postgres.new_schema()
    async with opened(url) as one, opened(url) as other:
        await one.commit([busy("e-1"), step_write("e-2", 1)])
        assert (one.owns("e-1"), one.owns("e-2")) == (True, False)

        await other.commit([busy("e-1", 2)])
        assert not other.owns("e-1")
        assert await one.owned() == ["e-1"]

        await other.commit([busy("e-1", 3, is_claim=True)])
        assert other.owns("e-1")
        assert await one.owned() == []

        await one.commit([step_write("e-1", 4)])
        assert await other.owned() == []


async def test_what_is_due_is_claimed_once(postgres: Server) -> None:
    url = postgres.new_schema()
    async with opened(url) as one, opened(url) as other:
        await one.commit([step_write(f"e-{number}", 1, due_at=NOON + number) for number in range(6)])

        first = await one.claim(NOON + 4, ["order"], limit=3)
        rest = await other.claim(NOON + 4, ["order"], limit=3)

        assert (first, rest) == (["e-0", "e-1", "e-2"], ["e-3", "e-4"])
        assert await one.next_due(NOON) == NOON + 5
        await one.give_back(["e-1", "e-3"])
        assert await other.claim(NOON + 4, ["order"], limit=3) == ["e-1"]


async def test_what_has_begun_is_not_given_back_any_more(postgres: Server) -> None:
    """Without an owner nobody would take it over when its service dies."""
    url = postgres.new_schema()
    async with opened(url) as one, opened(url) as other:
        await one.commit([busy("e-1"), Write(execution=replace(execution("e-2", due_at=NOON), invoke_at=NOON))])

        await one.give_back(["e-1", "e-2"])

        assert (one.owns("e-1"), one.owns("e-2")) == (True, False)
        assert await one.owned() == ["e-1"]
        assert await other.claim(NOON, ["order"], limit=3) == ["e-2"]


async def test_an_owed_invocation_is_claimed_by_who_has_the_function(postgres: Server) -> None:
    url = postgres.new_schema()
    owed = replace(execution("e-1", due_at=NOON), invoke_at=NOON)
    async with opened(url) as one, opened(url) as other:
        await one.commit([Write(execution=owed)])
        await one.give_back(["e-1"])

        assert await other.claim(NOON, ["invoice"], limit=3) == []
        assert await other.claim(NOON, [], limit=3) == []
        assert await other.claim(NOON, ["invoice", "order"], limit=3) == ["e-1"]


async def test_the_dead_are_taken_over_from_and_the_living_are_not(postgres: Server) -> None:
    url = postgres.new_schema(lease_s=1)
    async with opened(url) as one, opened(url) as other:
        await one.commit([busy("e-1")])
        assert await other.take_over(["order"], limit=9) == []
        await asyncio.sleep(0.6)
        assert await one.renew()
        await asyncio.sleep(0.6)
        assert await other.take_over(["order"], limit=9) == []
        await asyncio.sleep(0.6)
        assert await other.take_over(["invoice"], limit=9) == []
        assert await other.take_over(["order"], limit=9) == ["e-1"]
        assert not await one.renew()
        assert await one.owned() == []


async def test_who_leaves_is_dead_at_once(postgres: Server) -> None:
    url = postgres.new_schema()
    async with opened(url) as other:
        async with opened(url) as one:
            await one.commit([busy("e-1")])
        assert await other.take_over(["order"], limit=9) == ["e-1"]


async def test_owners_hear_of_changes_and_everybody_of_ends(postgres: Server) -> None:
    url = postgres.new_schema()
    async with opened(url) as one, opened(url) as other:
        await one.hear_ends(wanted=True)
        await other.renew()
        await hears_of_changes_and_ends(one, other)


async def test_ends_are_told_only_while_somebody_asks_for_them(postgres: Server) -> None:
    url = postgres.new_schema()
    async with opened(url) as one, opened(url) as other, one.news() as news:
        assert await anext(news) == Missed()
        await other.commit([Write(execution=execution("e-1", status="FAILED"))])
        await one.hear_ends(wanted=True)
        assert await anext(news) == MembersChanged()  # and no end before that
        await other.renew()
        await one.renew()  # keeps what was asked for
        await other.commit([Write(execution=execution("e-2", status="FAILED"))])
        assert await anext(news) == Ended("e-2")
        await one.hear_ends(wanted=False)
        assert await anext(news) == MembersChanged()
        await other.renew()
        await other.commit([Write(execution=execution("e-3", status="FAILED"))])
        await other.give_back(["e-3"])
        assert await anext(news) == WorkLeft()


async def hears_of_changes_and_ends(one: SharedStore, other: SharedStore) -> None:
    async with one.news() as news:
        assert await anext(news) == Missed()
        await one.commit([busy("e-1")])
        await other.commit([busy("e-1", 2)])
        assert await anext(news) == Changed("e-1")
        await other.commit([Write(execution=execution("e-1", revision=3, status="STOPPED"))])
        assert await anext(news) == Changed("e-1")
        await other.commit([step_write("e-2", 1), Write(execution=execution("e-2", revision=2, status="FAILED"))])
        assert await anext(news) == Ended("e-2")
        assert list(await other.still_open(["e-1", "e-2", "nobody"])) == []
