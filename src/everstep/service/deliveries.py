"""Delivers to webhooks what they are owed, at least once, whatever they do and whatever becomes of this process.

Rule: what is owed stands in the store, from the commit that it is about until it is delivered or given up. Webhooks do not
wait for each other, and executions for none of them: one that keeps failing is asked by one request at a time, and rarely.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Sequence
from typing import Final, Protocol

from everstep.service.clock import RETRY_MS, Clock
from everstep.service.machine.notices import Watch
from everstep.service.metering import Meter
from everstep.service.stores.api import StoreError
from everstep.service.stores.outbox import Later, Outbox, Owed

log = logging.getLogger("everstep.service")

AT_A_TIME: Final = 8
"""Requests to one webhook. After so many failures in a row it gets one at a time."""
FIRST_DELAY_MS: Final = 1_000
LONGEST_DELAY_MS: Final = 3_600_000
"""Between two attempts at one event: each delay is twice the last one."""
LONGEST_REST_MS: Final = 60_000
"""Between two attempts at whatever a webhook is owed, while it fails."""
PATIENCE_MS: Final = 24 * 3_600_000
"""From the change on; then an event is given up."""
CLAIM_MS: Final = 15_000
"""Longer than an attempt takes. What a service that died had claimed is delivered after that."""
LOOK_MS: Final = 5_000
"""How often to look for what other services have left."""
TIDY_MS: Final = 3_600_000


class DeliveryFailed(Exception):
    """What is wrong, for the log."""


class Webhook(Protocol):
    """watch: which events it is for; its name there tells it from others, also at the next start."""

    @property
    def watch(self) -> Watch: ...

    async def deliver(self, notice_id: str, body: str) -> None:
        """Raises DeliveryFailed, in less than CLAIM_MS."""
        ...


class Deliveries:
    def __init__(self, outbox: Outbox, clock: Clock, webhooks: Sequence[Webhook], meter: Meter | None) -> None:
        self._outbox, self._clock = outbox, clock
        self._lanes = {webhook.watch.webhook: _Lane(outbox, clock, webhook, meter) for webhook in webhooks}

    def wake(self, webhook: str) -> None:
        """It is owed something more."""
        self._lanes[webhook].awake.set()

    async def run(self) -> None:
        async with asyncio.TaskGroup() as group:
            for lane in self._lanes.values():
                group.create_task(lane.run(), name=f"webhook {lane.name}")
            group.create_task(self._tidy(), name="webhooks that are gone")

    async def _tidy(self) -> None:
        """Give up what is owed to webhooks that nobody has declared for as long as events are kept."""
        while True:
            now = self._clock.now_ms()
            try:
                if count := await self._outbox.forget_others(self._lanes.keys(), now - PATIENCE_MS):
                    log.warning("gave up %d events for webhooks that are not declared any more", count)
            except StoreError as error:
                log.warning("events for former webhooks could not be removed, trying again: %s", error)
            await self._clock.sleep_until(now + TIDY_MS)


class _Lane:
    """What goes to one webhook. awake: set when there may be something to do."""

    def __init__(self, outbox: Outbox, clock: Clock, webhook: Webhook, meter: Meter | None) -> None:
        self.name = webhook.watch.webhook
        self.awake = asyncio.Event()
        self._outbox, self._clock, self._webhook, self._meter = outbox, clock, webhook, meter
        self._running: dict[str, asyncio.Task[None]] = {}
        self._gone: list[str] = []
        self._later: list[Later] = []
        self._failures = 0  # in a row
        self._rests_until = 0

    async def run(self) -> None:
        async with asyncio.TaskGroup() as group:
            while True:
                self.awake.clear()
                try:
                    wakes_at = await self._turn(group)
                except StoreError as error:
                    log.warning("webhook %s: what it is owed cannot be read or written, trying again: %s", self.name, error)
                    await self._clock.sleep_until(self._clock.now_ms() + RETRY_MS)
                except Exception:
                    log.exception("webhook %s: what it is owed cannot be read or written", self.name)
                    await self._clock.sleep_until(self._clock.now_ms() + LOOK_MS)
                else:
                    await self._sleep(wakes_at)

    async def _turn(self, group: asyncio.TaskGroup) -> int:
        """Note how attempts have ended, and begin others; returns when to look again, unless something happens before."""
        if self._gone or self._later:
            gone, later = tuple(self._gone), tuple(self._later)
            await self._outbox.settle(self.name, gone, later)
            del self._gone[: len(gone)], self._later[: len(later)]
            for notice_id in (*gone, *(one.id for one in later)):
                self._running.pop(notice_id, None)
        now = self._clock.now_ms()
        is_failing = self._failures >= AT_A_TIME
        if is_failing and now < self._rests_until:
            return self._rests_until
        if is_failing:
            await self._expire(now)
        room = (1 if is_failing else AT_A_TIME) - len(self._running)
        if room <= 0:
            return now + LOOK_MS
        claimed = await self._outbox.claim(self.name, now, now + CLAIM_MS, limit=room, besides=self._running.keys())
        for owed in claimed:
            self._running[owed.notice.id] = group.create_task(self._attempt(owed), name=f"webhook {self.name}")
        if len(claimed) == room:
            return now + LOOK_MS
        next_due = await self._outbox.next_due(self.name, besides=self._running.keys())
        return now + LOOK_MS if next_due is None else min(next_due, now + LOOK_MS)

    async def _sleep(self, until: int) -> None:
        async def ring() -> None:
            await self._clock.sleep_until(until)
            self.awake.set()

        alarm = asyncio.create_task(ring())
        try:
            await self.awake.wait()
        finally:
            alarm.cancel()

    async def _attempt(self, owed: Owed) -> None:
        try:
            await self._webhook.deliver(owed.notice.id, owed.notice.body)
        except DeliveryFailed as failure:
            self._failed(owed, str(failure))
        except Exception as error:
            log.exception("webhook %s: an attempt failed unexpectedly", self.name)
            self._failed(owed, repr(error))
        else:
            if self._failures:
                log.info("webhook %s takes events again", self.name)
            self._failures = 0
            self._gone.append(owed.notice.id)
            if self._meter is not None:
                self._meter.delivered(self.name)
        self.awake.set()

    def _failed(self, owed: Owed, reason: str) -> None:
        now = self._clock.now_ms()
        if not self._failures:
            log.warning("webhook %s does not take events, trying again: %s", self.name, reason)
        self._failures += 1
        if self._failures >= AT_A_TIME:
            self._rests_until = now + min(FIRST_DELAY_MS << min(self._failures - AT_A_TIME, 20), LONGEST_REST_MS)
        if self._meter is not None:
            self._meter.delivery_failed(self.name)
        due_at = now + min(FIRST_DELAY_MS << min(owed.attempts, 20), LONGEST_DELAY_MS)
        if due_at < owed.notice.at + PATIENCE_MS:
            self._later.append(Later(owed.notice.id, owed.attempts + 1, due_at))
        else:
            self._gone.append(owed.notice.id)
            self._give_up(1, reason)

    async def _expire(self, now: int) -> None:
        """What has waited too long behind others. A webhook that does not fail gets everything, however late."""
        if count := await self._outbox.expire(self.name, now - PATIENCE_MS):
            self._give_up(count, "it has failed for too long")

    def _give_up(self, count: int, reason: str) -> None:
        log.error("webhook %s: gave up %d events that it was owed for 24 hours: %s", self.name, count, reason)
        if self._meter is not None:
            self._meter.gave_up(self.name, count)
