"""What a service does because it may not be alone with its store: it takes its share of what is due, and keeps in touch.

Rule: nothing here is needed for correctness, only for somebody to act. An outdated state is found out by its revision,
and what is not heard in time is found by looking, three times per lease. Leases are kept in real time.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Awaitable, Callable, Collection, Coroutine
from typing import Final, Protocol, TypeAlias, TypeVar

from everstep.service.clock import RETRY_MS, Clock
from everstep.service.machine.model import Execution
from everstep.service.scheduler import PAGE, Scheduler
from everstep.service.stores.api import StoreError
from everstep.service.stores.shared import Changed, Ended, MembersChanged, Missed, SharedStore, WorkLeft

T = TypeVar("T")

log = logging.getLogger("everstep.service")

SHARE: Final = 20
"""How many executions are claimed at a time if others would like to have some too."""
RETRY_S: Final = 1.0
RENEWALS_PER_LEASE: Final = 3
LOOK_AGAIN_S: Final = (0.02, 0.1, 0.5)
"""After this service has asked to hear of ends: what ended before the others knew that, they did not tell."""

Start: TypeAlias = Callable[[Coroutine[object, object, None], str], None]


class Work(Protocol):
    """What is going on in this service."""

    def room(self) -> int:
        """How many more invocations may begin or queue here."""
        ...

    def functions(self) -> Collection[str]:
        """Whose executions can be invoked here."""
        ...

    def waiting(self) -> Collection[str]:
        """Of which executions somebody here waits for the result."""
        ...

    async def move_on(self, execution_ids: Collection[str]) -> Collection[str]: ...

    async def catch_up(self, execution_id: str) -> None:
        """Another service has changed an execution that is ours: do what follows from that."""
        ...

    async def take_over(self, execution_id: str) -> None:
        """The execution is ours now; its last owner is gone."""
        ...

    async def answer(self, execution_id: str) -> None:
        """Answer whoever waits for the execution, if it has ended."""
        ...


class SharedScheduler(Scheduler):
    """Hands over what this service owns when it comes due, and what nobody owns if it can be claimed.

    What sleeps without an owner is kept in mind by nobody: each service knows when the next one is due, and whoever
    comes first moves it on.
    """

    def __init__(self, store: SharedStore, clock: Clock, work: Work) -> None:
        super().__init__(store, clock, work.move_on)
        self._shared, self._work = store, work
        self.on_given_back: Callable[[Collection[str]], None] = lambda execution_ids: None
        """Called with the executions that this service owns no longer."""
        self._due: dict[str, int] = {}  # of what this service owns
        self._surplus: dict[str, None] = {}
        self._is_starved = False
        self.is_in_doubt = False
        """Whether something may have been claimed, though the answer was lost."""

    def announce(self, execution_id: str, due_at: int) -> None:
        if self._shared.owns(execution_id):
            self._due[execution_id] = due_at
        else:
            self._due.pop(execution_id, None)
        if self._wakes_at is None or due_at < self._wakes_at or not self._is_asleep:
            self.wake()

    def drop(self, execution_id: str) -> None:
        """The execution is no longer ours."""
        self._due.pop(execution_id, None)

    def wake(self) -> None:
        self._awake.set()

    def room_was_made(self) -> None:
        """Another invocation may begin."""
        if self._is_starved:
            self.wake()

    def keeps(self, execution: Execution) -> bool:
        """Whether an invocation that is owed is to be begun here; if not, others are asked to."""
        has_room = self._shared.is_alone or self._work.room() > 0 or execution.calls > 0  # whoever makes its calls has to stay its owner
        if execution.function in self._work.functions() and has_room:
            self._surplus.pop(execution.id, None)
            return True
        self.give_back(execution.id)
        return False

    def give_back(self, execution_id: str) -> None:
        self._surplus[execution_id] = None
        self._is_starved = True
        self.wake()

    async def _turn(self) -> int | None:
        if self._surplus:
            surplus, self._surplus = self._surplus, {}
            for execution_id in surplus:
                self.drop(execution_id)
            await self._asked(self._shared.give_back(surplus))
            self.on_given_back(surplus)
        now = self._clock.now_ms()
        due = [execution_id for execution_id, due_at in self._due.items() if due_at <= now]
        for execution_id in due:  # before anything is awaited: a new time that is announced meanwhile stays
            self.drop(execution_id)
        room = self._work.room()
        self._is_starved = room < PAGE
        page = PAGE if self._shared.is_alone else SHARE
        functions, limit = (self._work.functions(), min(page, room)) if room > 0 else ((), page)
        try:
            claimed = await self._asked(self._shared.claim(now, functions, limit=limit))
        except StoreError:
            for execution_id in due:
                self._due.setdefault(execution_id, now)
            raise
        if ids := dict.fromkeys([*due, *claimed]):
            for execution_id in await self._move_on(ids):
                self._due[execution_id] = self._clock.now_ms() + RETRY_MS
            return now
        next_due = await self._shared.next_due(now)
        return min([*self._due.values(), *(() if next_due is None else (next_due,))], default=None)

    async def _asked(self, answer: Awaitable[T]) -> T:
        try:
            return await answer
        except StoreError:
            self.is_in_doubt = True
            raise


class Sharing:
    """Keeps the lease, hears of the others, and looks for what they left. start: runs something in the background."""

    def __init__(self, store: SharedStore, clock: Clock, work: Work, start: Start) -> None:
        self._store, self._work, self._start = store, work, start
        self.scheduler = SharedScheduler(store, clock, work)
        self.scheduler.on_given_back = self.hear_ends_of
        self._look_now = asyncio.Event()
        self._hears_ends = False
        self._needed_at = 0.0
        """When somebody here last waited for others, by the loop's clock."""

    def begin(self) -> None:
        self._start(self._look(), "looking for work of others")
        self._start(self._listen(), "news of others")

    def look(self) -> None:
        """There may be something to claim or to take over."""
        self._look_now.set()
        self.scheduler.wake()

    def hear_ends_of(self, execution_ids: Collection[str]) -> None:
        """See to it that we hear of those that somebody here waits for, if others may be at work for them."""
        waiting = self._work.waiting()
        if any(execution_id in waiting and not self._store.owns(execution_id) for execution_id in execution_ids):
            self._needed_at = asyncio.get_running_loop().time()
            if not self._hears_ends:
                self._hears_ends = True
                self._start(self._begin_to_hear(), "asking to hear of ends")

    async def _begin_to_hear(self) -> None:
        try:
            await self._store.hear_ends(wanted=True)
            for delay_s in LOOK_AGAIN_S:
                await asyncio.sleep(delay_s)
                await self._answer_all()
        except StoreError as error:
            log.warning("could not ask at once to hear of ends, the next renewal of the lease does: %s", error)

    async def keep_lease(self) -> None:
        """Runs for as long as anything is done here."""
        while True:
            try:
                await self._renew()
            except StoreError as error:
                log.warning("the lease could not be renewed: %s", error)
            await asyncio.sleep(self._store.lease_s / RENEWALS_PER_LEASE)

    async def _renew(self) -> None:
        if not await self._store.renew():
            log.warning("this service was not heard of for %g seconds: others may have taken its work over", self._store.lease_s)
            await self._catch_up_with_all()

    async def _look(self) -> None:
        """Take over from the dead, and find out what we should have heard of."""
        while True:
            self._look_now.clear()
            try:
                while taken := await self._store.take_over(self._work.functions(), limit=PAGE):
                    log.warning("taking over %d executions of a service that is gone", len(taken))
                    for execution_id in taken:
                        self._start(self._work.take_over(execution_id), f"taking over {execution_id}")
                if self.scheduler.is_in_doubt:
                    self.scheduler.is_in_doubt = False
                    await self._catch_up_with_all()
                await self._answer_all()
                await self._hear_what_is_needed()
            except StoreError as error:
                self.scheduler.is_in_doubt = True
                log.warning("could not look for work of others: %s", error)
            self.scheduler.wake()
            try:
                async with asyncio.timeout(self._store.lease_s / RENEWALS_PER_LEASE):
                    await self._look_now.wait()
            except TimeoutError:
                pass

    async def _listen(self) -> None:
        while True:
            try:
                async with self._store.news() as news:
                    async for item in news:
                        match item:
                            case Changed(execution_id):
                                self._start(self._work.catch_up(execution_id), f"catching up with {execution_id}")
                            case Ended(execution_id):
                                if execution_id in self._work.waiting():
                                    self._start(self._work.answer(execution_id), f"answering for {execution_id}")
                            case WorkLeft():
                                self.scheduler.wake()
                            case MembersChanged():
                                await self._renew()  # to know whether we are alone
                                self.look()
                            case Missed():
                                await self._catch_up_with_all()
                                self.look()
            except StoreError as error:
                log.warning("cannot hear of other services, trying again: %s", error)
                await asyncio.sleep(RETRY_S)

    async def _catch_up_with_all(self) -> None:
        for execution_id in await self._store.owned():
            self._start(self._work.catch_up(execution_id), f"catching up with {execution_id}")

    async def _hear_what_is_needed(self) -> None:
        """Somebody's execution may have got another owner; and what nobody has waited for in a while need not be told."""
        self.hear_ends_of(self._work.waiting())
        if self._hears_ends and asyncio.get_running_loop().time() - self._needed_at > self._store.lease_s:
            self._hears_ends = False
            await self._store.hear_ends(wanted=False)

    async def _answer_all(self) -> None:
        if waiting := set(self._work.waiting()):
            for execution_id in waiting.difference(await self._store.still_open(waiting)):
                await self._work.answer(execution_id)
