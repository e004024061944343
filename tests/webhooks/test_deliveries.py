"""Delivery to receivers on real sockets that fail, hang and die. Time is moved by hand."""

from __future__ import annotations

import asyncio
import base64
import logging
from collections import Counter
from collections.abc import AsyncGenerator, Iterator
from contextlib import asynccontextmanager
from datetime import UTC, datetime
from itertools import pairwise

import pytest
from standardwebhooks.webhooks import Webhook, WebhookVerificationError

from everstep.protocol.shapes import ErrorObject, InvocationOutput
from everstep.server.metrics import Metrics
from everstep.server.webhooks.declared import KEY_BYTES
from everstep.server.webhooks.target import Target, signature
from everstep.service.embedded import Service
from everstep.service.machine.notices import Watch
from everstep.service.stores.api import Store
from everstep.service.stores.memory import MemoryStore
from tests.service.fakes import Fake, ManualClock, Run, eventually
from tests.service.stores.conftest import Opening
from tests.service.stores.conftest import opening as opening  # noqa: PLC0414  # a fixture
from tests.webhooks.receiver import OTHER_SECRET, SECRET, Receiver, receiving

HOUR_S = 3_600


def key_of(secret: str) -> bytes:
    return base64.b64decode(secret.removeprefix("whsec_"))


def target(receiver: Receiver, watch: Watch | None = None, *secrets: str) -> Target:
    return Target(watch or Watch("shop"), receiver.url, [key_of(secret) for secret in secrets or (SECRET,)])


@pytest.fixture
def receiver() -> Iterator[Receiver]:
    with receiving() as one:
        yield one


async def order(run: Run) -> object:
    return await run.step("charge", lambda: "paid")


async def refused(run: Run) -> object:
    return InvocationOutput(status="FAILED", error=ErrorObject(error_type="Declined"))


class Shop:
    """A service over a store, with a clock that is moved by hand."""

    def __init__(self, store: Store, clock: ManualClock, *targets: Target) -> None:
        self.clock, self.metrics = clock, Metrics()
        self.order, self.refused = Fake(order), Fake(refused)
        self.service = Service(store, clock=clock, webhooks=targets, meter=self.metrics)

    @asynccontextmanager
    async def entered(self) -> AsyncGenerator[Shop]:
        async with self.service:
            yield self

    async def run(self, name: str) -> None:
        await (await self.service.start(self.order, None, name=name)).result()

    def counted(self, name: str) -> float:
        return self.metrics.registry.get_sample_value(f"everstep_{name}_total", {"webhook": "shop"}) or 0

    async def owed(self, store: Store) -> int:
        backlog = await store.outbox.backlog()
        return sum(one.count for one in backlog.values())

    async def until_nothing_is_owed(self, store: Store, *, step_s: float = 0) -> None:
        for _ in range(3_000):
            if not await self.owed(store):
                return
            await asyncio.sleep(0.005)
            self.clock.move(seconds=step_s)
        raise AssertionError("something is still owed")


async def test_a_receiver_is_told_of_every_beginning_and_end_and_can_verify_it(opening: Opening, receiver: Receiver) -> None:
    async with opening() as store:
        await store.close()
        async with Shop(store, ManualClock(), target(receiver)).entered() as shop:
            await shop.run("o-1")
            with pytest.raises(Exception, match="Declined"):
                await (await shop.service.start(shop.refused, None, name="o-2")).result()
            await shop.until_nothing_is_owed(store)

    assert receiver.taken == Counter({("o-1", "RUNNING"): 1, ("o-1", "SUCCEEDED"): 1, ("o-2", "RUNNING"): 1, ("o-2", "FAILED"): 1})
    assert {received.path for received in receiver.requests} == {"/hook?of=shop"}
    for received in receiver.requests:
        assert Webhook(SECRET).verify(received.body, received.headers) == received.event
        assert received.headers["webhook-id"] == received.event["id"]
        assert received.headers["content-type"] == "application/json"


async def test_while_a_secret_is_replaced_receivers_may_know_the_old_one_or_the_new_one(receiver: Receiver) -> None:
    store = MemoryStore()
    async with Shop(store, ManualClock(), target(receiver, None, SECRET, OTHER_SECRET)).entered() as shop:
        await shop.run("o-1")
        await shop.until_nothing_is_owed(store)

    received = receiver.requests[0]
    for secret in (SECRET, OTHER_SECRET):
        Webhook(secret).verify(received.body, received.headers)
    with pytest.raises(WebhookVerificationError):
        Webhook("whsec_" + "A" * 32).verify(received.body, received.headers)
    with pytest.raises(WebhookVerificationError):
        Webhook(SECRET).verify(received.body + b" ", received.headers)


@pytest.mark.parametrize("size", [KEY_BYTES[0], KEY_BYTES[-1]])
def test_signatures_are_the_ones_that_the_library_makes(size: int) -> None:
    key, at = bytes(range(size)), datetime(2026, 1, 2, tzinfo=UTC)

    assert signature(key, "id", int(at.timestamp()), "grüße".encode()) == Webhook(key).sign("id", at, "grüße")


@pytest.mark.parametrize("status", [302, 400, 410, 500, 503])
async def test_a_receiver_that_answers_anything_but_yes_is_asked_again_with_the_same_id(receiver: Receiver, status: int) -> None:
    store, answers = MemoryStore(), [status, status]
    receiver.answer = lambda received: answers.pop() if answers else 204
    async with Shop(store, ManualClock(), target(receiver, Watch("shop", statuses=frozenset({"SUCCEEDED"})))).entered() as shop:
        await shop.run("o-1")
        await eventually(lambda: len(receiver.requests) == 1)
        await shop.until_nothing_is_owed(store, step_s=0.1)

    assert [received.path for received in receiver.requests] == ["/hook?of=shop"] * 3  # no redirect was followed
    assert len({received.headers["webhook-id"] for received in receiver.requests}) == 1
    assert (shop.counted("webhook_failures"), shop.counted("webhook_deliveries")) == (2, 1)


async def test_each_delay_is_twice_the_last_one(receiver: Receiver) -> None:
    store, clock, times = MemoryStore(), ManualClock(), list[int]()

    def answer(received: object) -> int:
        times.append(clock.now)
        return 204 if len(times) == 6 else 500

    receiver.answer = answer
    async with Shop(store, clock, target(receiver, Watch("shop", statuses=frozenset({"RUNNING"})))).entered() as shop:
        await shop.run("o-1")
        await shop.until_nothing_is_owed(store, step_s=0.1)

    delays = [(later - earlier) / 1000 for earlier, later in pairwise(times)]
    assert delays == pytest.approx([1, 2, 4, 8, 16], abs=1)


async def test_a_receiver_that_hangs_holds_up_no_execution_and_no_other_webhook(
    receiver: Receiver, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("everstep.server.webhooks.target.TIMEOUT_S", 1.0)
    store = MemoryStore()
    with receiving() as hanging:
        hanging.resumes.clear()
        async with Shop(store, ManualClock(), target(receiver), target(hanging, Watch("hanging"))).entered() as shop:
            await asyncio.gather(*(shop.run(f"o-{number}") for number in range(20)))
            while len(receiver.requests) < 40:
                await asyncio.sleep(0.01)
                shop.clock.move(ms=100)
            assert hanging.requests == []
            hanging.resumes.set()
            await shop.until_nothing_is_owed(store, step_s=1)

    assert set(hanging.taken) == set(receiver.taken)


async def test_a_receiver_that_is_down_is_asked_rarely_and_gets_everything_when_it_is_back(receiver: Receiver) -> None:
    store, clock = MemoryStore(), ManualClock()
    async with Shop(store, clock, target(receiver)).entered() as shop:
        receiver.stop()
        await asyncio.gather(*(shop.run(f"o-{number}") for number in range(30)))
        for _ in range(600):
            clock.move(seconds=1)
            await asyncio.sleep(0.002)
        failures = shop.counted("webhook_failures")
        receiver.start()
        await shop.until_nothing_is_owed(store, step_s=10)

    assert 8 <= failures <= 40  # in ten minutes, though 60 events are owed
    assert receiver.taken == Counter({(f"o-{number}", status): 1 for number in range(30) for status in ("RUNNING", "SUCCEEDED")})


@pytest.mark.logs_errors
async def test_events_are_given_up_after_a_day(receiver: Receiver, caplog: pytest.LogCaptureFixture) -> None:
    store, clock = MemoryStore(), ManualClock()
    receiver.answer = lambda received: 500
    async with Shop(store, clock, target(receiver)).entered() as shop:
        await asyncio.gather(*(shop.run(f"o-{number}") for number in range(10)))
        with caplog.at_level(logging.ERROR):
            await shop.until_nothing_is_owed(store, step_s=300)
        gone_after_s = (clock.now - ManualClock().now) / 1000

    assert 20 * HOUR_S <= gone_after_s <= 26 * HOUR_S
    assert shop.counted("webhook_events_given_up") == 20
    assert "gave up" in caplog.text


async def test_what_was_owed_when_a_service_ended_is_delivered_by_the_next_one(opening: Opening, receiver: Receiver) -> None:
    clock = ManualClock()
    receiver.stop()
    async with opening() as store:
        await store.close()
        async with Shop(store, clock, target(receiver)).entered() as shop:
            await shop.run("o-1")
            await eventually(lambda: shop.counted("webhook_failures") == 2)
    receiver.start()
    async with opening() as store:
        await store.close()
        async with Shop(store, clock, target(receiver)).entered() as shop:
            await shop.until_nothing_is_owed(store, step_s=1)

    assert receiver.taken == Counter({("o-1", "RUNNING"): 1, ("o-1", "SUCCEEDED"): 1})


async def test_executions_that_no_webhook_watches_owe_nothing(receiver: Receiver) -> None:
    store = MemoryStore()
    watch = Watch("shop", functions=frozenset({"another"}))
    async with Shop(store, ManualClock(), target(receiver, watch)).entered() as shop:
        await shop.run("o-1")
        assert await shop.owed(store) == 0

    assert receiver.requests == []
