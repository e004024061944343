"""Everything that runs the executions of one store in this process, put together: writes, time, invocations, errands.

Rule: an effect is performed after its transition is durable. Nothing is lost if the process ends in between, since what
is owed follows from what is recorded; the next start finds it there. A new execution's first invocation is recorded in the
commit of its start, which is durable when the handler is called.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import AsyncGenerator, Callable, Collection, Coroutine, Sequence
from contextlib import asynccontextmanager

from everstep.errors import ExecutionAlreadyStarted, ServiceError
from everstep.service.changes import Changes
from everstep.service.clock import RETRY_MS, Clock
from everstep.service.committer import Committer
from everstep.service.deliveries import Deliveries, Webhook
from everstep.service.direct import DirectClient
from everstep.service.errands import Errands
from everstep.service.executions import Executions, UnknownExecution
from everstep.service.functions import Functions
from everstep.service.invoker import Invoker
from everstep.service.machine.execution import already_started
from everstep.service.machine.fork import Fork, fork_execution
from everstep.service.machine.model import (
    CallFunction,
    DeleteExecution,
    Event,
    Execution,
    ExecutionEnded,
    InvokeHandler,
    NewExecution,
    NotifyParent,
    StartChild,
    Transition,
)
from everstep.service.machine.rejection import Rejected
from everstep.service.machine.rules import Rules
from everstep.service.machine.state import State
from everstep.service.machine.upkeep import call_again, fire_timers, recover
from everstep.service.metering import Meter
from everstep.service.scheduler import PAGE, Scheduler
from everstep.service.sharing import Sharing
from everstep.service.stores.api import Store, StoreError
from everstep.service.stores.shared import SharedStore

log = logging.getLogger("everstep.service")


class Engine:
    """Runs executions while `running` is entered. new_id, new_secret, jitter: randomness. limit: invocations at a time."""

    def __init__(
        self,
        store: Store,
        functions: Functions,
        clock: Clock,
        *,
        rules: Rules,
        limit: int,
        new_id: Callable[[], str],
        new_secret: Callable[[], bytes],
        jitter: Callable[[], float],
        meter: Meter | None = None,
        webhooks: Sequence[Webhook] = (),
    ) -> None:
        self._meter = meter
        self._new_id, self._new_secret = new_id, new_secret
        self.store, self._functions, self.clock = store, functions, clock
        self._shared = store if isinstance(store, SharedStore) else None
        self._committer = Committer(store, meter, is_elsewhere=self._shared is not None)
        self._deliveries = Deliveries(store.outbox, clock, webhooks, meter) if webhooks else None
        watches = [webhook.watch for webhook in webhooks]
        self.executions = Executions(store, self._committer, clock, self._on_durable, self._on_doubt, shared=self._shared, watches=watches)
        self.changes = Changes(self.executions, self._shared, new_id(), self._watch)
        self.client = DirectClient(self.executions, functions.resolve, rules, meter)
        self._invoker = Invoker(
            self.executions,
            functions,
            self.client,
            clock,
            rules=rules,
            limit=limit,
            new_id=new_id,
            new_secret=new_secret,
            jitter=jitter,
            meter=meter,
        )
        self._errands = Errands(self.executions, functions, store, clock)
        if self._shared is None:
            self._sharing = None
            self._scheduler = Scheduler(store, clock, self.move_on)
        else:
            self._sharing = Sharing(self._shared, clock, self, self._watch)
            self._scheduler = self._sharing.scheduler
            self._invoker.on_room = self._sharing.scheduler.room_was_made
        self._group: asyncio.TaskGroup | None = None
        self._watching: set[asyncio.Task[None]] = set()
        self._waiting: dict[str, set[asyncio.Future[Execution]]] = {}

    @asynccontextmanager
    async def running(self, grace_s: float) -> AsyncGenerator[None]:
        """Run until the end of the block; then running invocations may end by themselves within the grace. Raises StoreError."""
        failure: BaseException | None = None
        await self.store.open()
        try:
            left_open = await self.store.to_recover() if self._shared is None else ()
            self._invoker.withheld.update(left_open)
            async with asyncio.TaskGroup() as group:
                self._group = group
                group.create_task(self._committer.run(), name="committer")
                self._watch(self._scheduler.run(), "scheduler")
                self._watch(self._take_over_all(left_open), "recovery")
                if self._deliveries is not None:
                    self._watch(self._deliveries.run(), "webhooks")
                self._errands.start(group)
                self._invoker.start(group)
                lease = None
                if self._sharing is not None:
                    self._sharing.begin()
                    lease = group.create_task(self._sharing.keep_lease(), name="lease")
                try:
                    yield
                except BaseException as error:  # the block's own error must leave as it is, not in a group
                    failure = error
                self._group = None
                for task in tuple(self._watching):
                    task.cancel()
                await self._finish(grace_s)
                self._functions.drop_parked()
                self._committer.close()
                if lease is not None:
                    lease.cancel()
        finally:
            await self.store.close()
        if failure is not None:
            raise failure

    def _watch(self, work: Coroutine[object, object, None], name: str) -> None:
        """Run it in the background, until the service is left."""
        if self._group is None:  # it is being left
            work.close()
            return
        task = self._group.create_task(work, name=name)
        self._watching.add(task)
        task.add_done_callback(self._watching.discard)

    async def _finish(self, grace_s: float) -> None:
        """Begin nothing more, and end what runs: by itself while the grace lasts, then by cancelling it."""
        self._invoker.stop()
        time = asyncio.get_running_loop().time
        ends_at = time() + grace_s
        while tasks := [*self._invoker.tasks, *self._errands.tasks]:
            remaining = ends_at - time()
            if remaining <= 0:
                self._errands.stop()
                for task in tasks:
                    task.cancel()
            await asyncio.wait(tasks, timeout=remaining if remaining > 0 else None)

    # -- commands

    async def start(self, new: NewExecution) -> Execution:
        """The execution, or the one that was started before in the same way. Raises ExecutionAlreadyStarted, StoreError."""
        while True:
            execution, taken = self.executions.begin(new)
            if self._begins_here(execution):
                self._invoker.owe(execution.id)  # its first invocation begins in the same commit
            if await taken:
                return execution
            existing = await self.store.find(new.function, new.name)
            if existing is not None:  # else it has been removed this moment
                try:
                    return already_started(existing, new)
                except Rejected:
                    raise ExecutionAlreadyStarted(existing.arn) from None

    async def fork(self, execution_id: str, operation: str, *, name: str | None = None, result: str | None = None) -> Execution:
        """A new execution that begins where this one stood; see machine/fork.py. Raises Rejected, StoreError, ExecutionAlreadyStarted."""
        events: list[Event] = []
        while page := await self.store.events(execution_id, limit=PAGE, after=events[-1].event_id if events else None):
            events += page
        fork = Fork(id=self._new_id(), operation=operation, secret=self._new_secret(), name=name, result=result)
        source = await self.executions.state(execution_id)  # asked last, so that it knows all that events name
        created = await self.executions.create_as(fork.id, lambda now: fork_execution(fork, source, events, now))
        if created is not None:
            return created
        existing = None if name is None else await self.store.find(source.execution.function, name)
        raise ExecutionAlreadyStarted(existing.arn if existing is not None else execution_id)

    async def ended(self, execution_id: str, *, arn: str) -> Execution:
        """The execution, once it has closed. Raises UnknownExecution, also if it has another ARN."""
        waiting = self._waiting.setdefault(execution_id, set())
        ended: asyncio.Future[Execution] = asyncio.get_running_loop().create_future()
        waiting.add(ended)
        try:
            execution = await self.executions.heard(execution_id)
            if execution.arn != arn:
                raise UnknownExecution
            if execution.ended_at is not None:
                return execution
            if self._sharing is not None:
                self._sharing.hear_ends_of([execution_id])
            return await ended
        finally:
            waiting.discard(ended)
            if not waiting and self._waiting.get(execution_id) is waiting:
                del self._waiting[execution_id]

    def waiting(self) -> Collection[str]:
        """The executions whose end somebody waits for."""
        return self._waiting.keys()

    def room(self) -> int:
        """How many more invocations may begin or queue."""
        return self._invoker.room

    def running_invocations(self) -> int:
        return len(self._invoker.tasks)

    def functions(self) -> Collection[str]:
        """Whose executions can be invoked."""
        return self._functions.names()

    def registered(self, function: str) -> None:
        """The function can be called from now on."""
        self._invoker.registered(function)
        self._errands.registered(function)
        if self._sharing is not None:
            self._sharing.look()

    def _begins_here(self, new: Execution) -> bool:
        has_room = self._shared is None or self._shared.is_alone or self.room() > 0
        return has_room and self._functions.durable(new.function, new.version) is not None

    # -- what follows from commands

    def _on_durable(self, transition: Transition, now: int) -> None:
        if self._meter is not None:
            self._meter.recorded(transition)
        if self._deliveries is not None:
            for notice in transition.notices:
                self._deliveries.wake(notice.webhook)
        execution = transition.execution
        self.changes.tell(execution.id)
        if self._shared is not None and not self._shared.owns(execution.id):
            self._on_durable_elsewhere(execution)
            return
        for effect in transition.effects:
            match effect:
                case InvokeHandler():
                    if self._sharing is None or self._sharing.scheduler.keeps(execution):
                        self._invoker.owe(execution.id)
                case ExecutionEnded():
                    self._tell(execution)
                case CallFunction() | StartChild() | NotifyParent() | DeleteExecution():
                    self._errands.run(effect)
        # What is due already is what the effects are about, if there are any.
        if execution.due_at is not None and (execution.due_at > now or not transition.effects):
            self._scheduler.announce(execution.id, execution.due_at)

    def _on_durable_elsewhere(self, execution: Execution) -> None:
        """The execution is at rest now, or its owner, who has been told, does what there is to do."""
        if execution.ended_at is not None:
            self._tell(execution)
        elif self._sharing is not None:
            self._sharing.hear_ends_of([execution.id])
        if execution.due_at is not None:
            self._scheduler.announce(execution.id, execution.due_at)

    def _tell(self, ended: Execution) -> None:
        """Answer everybody who waits for its result."""
        for waiter in self._waiting.pop(ended.id, ()):
            if not waiter.done():
                waiter.set_result(ended)

    def _on_doubt(self, execution_id: str) -> None:
        """The store failed to record a change, or failed to say that it did: then nobody performed its effects."""
        if self._group is not None and execution_id not in self._invoker.withheld:
            clearing_up = self.take_over(execution_id) if self._shared is None else self._take_over_if_owned(self._shared, execution_id)
            self._watch(clearing_up, f"clearing up {execution_id}")

    # -- what is done without a command

    async def move_on(self, execution_ids: Collection[str]) -> Collection[str]:
        """Fire the timers of executions that are due; returns those that have to be tried again."""
        failed: list[str] = []

        async def fire(execution_id: str) -> None:
            try:
                await self.executions.perform(execution_id, self._fire_timers)
            except UnknownExecution:
                pass
            except ServiceError as error:
                log.warning("execution %s could not be moved on, trying again: %s", execution_id, error)
                failed.append(execution_id)
            except Exception:
                log.exception("execution %s cannot be moved on; it is left alone until the service starts again", execution_id)

        async with asyncio.TaskGroup() as group:
            for execution_id in execution_ids:
                group.create_task(fire(execution_id))
        return failed

    def _fire_timers(self, state: State, now: int) -> Transition:
        due_at = state.execution.due_at
        if self._meter is not None and due_at is not None and due_at <= now:
            self._meter.timer_fired((now - due_at) / 1000)
        return fire_timers(state, now)

    async def _take_over_all(self, execution_ids: Sequence[str]) -> None:
        """Go on with what the last process left open."""
        for first in range(0, len(execution_ids), PAGE):
            async with asyncio.TaskGroup() as group:
                for execution_id in execution_ids[first : first + PAGE]:
                    group.create_task(self.take_over(execution_id))

    async def take_over(self, execution_id: str) -> None:
        """Do what follows from what is recorded, whoever may have done it or not. No invocation begins meanwhile."""
        while True:
            self._invoker.withheld.add(execution_id)
            await self._invoker.idle(execution_id)
            try:
                await self._recover(execution_id)
            except UnknownExecution:
                self._invoker.withheld.discard(execution_id)
            except ServiceError as error:
                log.warning("execution %s could not be taken over, trying again: %s", execution_id, error)
                await self.clock.sleep_until(self.clock.now_ms() + RETRY_MS)
                continue
            except Exception:
                log.exception("execution %s cannot be taken over; it is left alone until the service starts again", execution_id)
            return

    async def _take_over_if_owned(self, shared: SharedStore, execution_id: str) -> None:
        while True:
            try:
                if await shared.owned([execution_id]):
                    await self.take_over(execution_id)
            except StoreError:
                await self.clock.sleep_until(self.clock.now_ms() + RETRY_MS)
            else:
                return

    async def catch_up(self, execution_id: str) -> None:
        """Another service has changed an execution that this one owns: do what follows from that."""
        while True:
            try:
                await self.executions.perform(execution_id, fire_timers)
                execution = (await self.executions.perform(execution_id, call_again)).execution
            except UnknownExecution:
                return
            except ServiceError as error:
                log.warning("could not catch up with execution %s, trying again: %s", execution_id, error)
                await self.clock.sleep_until(self.clock.now_ms() + RETRY_MS)
            else:
                self._settle(execution)
                return

    async def answer(self, execution_id: str) -> None:
        """Answer whoever waits for the execution, if it has ended."""
        try:
            execution = await self.executions.read(execution_id)
        except UnknownExecution as error:
            for waiter in self._waiting.pop(execution_id, ()):
                if not waiter.done():
                    waiter.set_exception(error)
        except StoreError:
            pass  # it is looked up again soon
        else:
            if execution.ended_at is not None:
                self._tell(execution)

    async def _recover(self, execution_id: str) -> None:
        def command(state: State, now: int) -> Transition:
            self._invoker.withheld.discard(execution_id)  # the effects of this command are to be performed
            return recover(state, now)

        await self.executions.perform(execution_id, command)
        self._settle((await self.executions.perform(execution_id, fire_timers)).execution)

    def _settle(self, execution: Execution) -> None:
        """Everything that is due has been done."""
        if execution.ended_at is not None:
            self._tell(execution)
        if execution.due_at is not None and execution.due_at > self.clock.now_ms():
            self._scheduler.announce(execution.id, execution.due_at)
