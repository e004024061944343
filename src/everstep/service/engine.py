"""Everything that runs the executions of one store in this process, put together: writes, time, invocations, errands.

Rule: an effect is performed after its transition is durable. Nothing is lost if the process ends in between, since what
is owed follows from what is recorded; the next start finds it there.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import AsyncGenerator, Callable, Collection, Sequence
from contextlib import asynccontextmanager

from everstep.errors import ExecutionAlreadyStarted, ServiceError
from everstep.service.clock import RETRY_MS, Clock
from everstep.service.committer import Committer
from everstep.service.direct import DirectClient
from everstep.service.errands import Errands
from everstep.service.executions import Command, Executions, UnknownExecution
from everstep.service.functions import Functions
from everstep.service.invoker import Invoker
from everstep.service.machine.execution import already_started
from everstep.service.machine.model import (
    CallFunction,
    DeleteExecution,
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
from everstep.service.machine.upkeep import fire_timers, recover
from everstep.service.scheduler import PAGE, Scheduler
from everstep.service.stores.api import Store

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
    ) -> None:
        self.store, self._functions, self.clock = store, functions, clock
        self._committer = Committer(store)
        self.executions = Executions(store, self._committer, clock, self._on_durable, self._on_doubt)
        self._scheduler = Scheduler(store, clock, self._move_on)
        self.client = DirectClient(self.executions, functions.resolve, rules)
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
        )
        self._errands = Errands(self.executions, functions, store, clock)
        self._group: asyncio.TaskGroup | None = None
        self._waiting: dict[str, set[asyncio.Future[Execution]]] = {}

    @asynccontextmanager
    async def running(self, grace_s: float) -> AsyncGenerator[None]:
        """Run until the end of the block; then running invocations may end by themselves within the grace. Raises StoreError."""
        failure: BaseException | None = None
        await self.store.open()
        try:
            self._unrecovered.update(await self.store.to_recover())
            async with asyncio.TaskGroup() as group:
                group.create_task(self._committer.run(), name="committer")
                watch = [
                    group.create_task(self._recover(list(self._unrecovered)), name="recovery"),
                    group.create_task(self._scheduler.run(), name="scheduler"),
                ]
                self._errands.start(group)
                self._invoker.start(group)
                try:
                    yield
                except BaseException as error:  # the block's own error must leave as it is, not in a group
                    failure = error
                self._group = None
                for task in self._watching:
                    task.cancel()
                await self._finish(grace_s)
                self._functions.drop_parked()
                self._committer.close()
        finally:
            await self.store.close()
        if failure is not None:
            raise failure

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
            created = await self.executions.create(new)
            if created is not None:
                return created
            existing = await self.store.find(new.function, new.name)
            if existing is not None:  # else it has been removed this moment
                try:
                    return already_started(existing, new)
                except Rejected:
                    raise ExecutionAlreadyStarted(existing.arn) from None

    async def ended(self, execution_id: str) -> Execution:
        """The execution, once it has closed. Raises UnknownExecution."""
        waiting = self._waiting.setdefault(execution_id, set())
        ended: asyncio.Future[Execution] = asyncio.get_running_loop().create_future()
        waiting.add(ended)
        try:
            execution = await self.executions.read(execution_id)
            return execution if execution.ended_at is not None else await ended
        finally:
            waiting.discard(ended)
            if not waiting and self._waiting.get(execution_id) is waiting:
                del self._waiting[execution_id]

    def registered(self, function: str) -> None:
        """The function can be called from now on."""
        self._invoker.registered(function)
        self._errands.registered(function)

    # -- what follows from commands

    def _on_durable(self, transition: Transition, now: int) -> None:
        execution = transition.execution
        for effect in transition.effects:
            match effect:
                case InvokeHandler():
                    self._invoker.owe(execution.id)
                case ExecutionEnded():
                    self._tell(execution)
                case CallFunction() | StartChild() | NotifyParent() | DeleteExecution():
                    self._errands.run(effect)
        # What is due already is what the effects are about, if there are any.
        if execution.due_at is not None and (execution.due_at > now or not transition.effects):
            self._scheduler.announce(execution.id, execution.due_at)

    def _tell(self, ended: Execution) -> None:
        """Answer everybody who waits for its result."""
        for waiter in self._waiting.pop(ended.id, ()):
            if not waiter.done():
                waiter.set_result(ended)

    def _on_doubt(self, execution_id: str) -> None:
        """The store failed to record a change, or failed to say that it did: then nobody performed its effects."""
        if self._group is not None and execution_id not in self._invoker.withheld:
            self._invoker.withheld.add(execution_id)
            self._watch(self._group.create_task(self._clear_up(execution_id), name=f"clearing up {execution_id}"))

    async def _clear_up(self, execution_id: str) -> None:
        """Do what follows from what is recorded."""
        while True:
            await self._invoker.idle(execution_id)
            if not await self._perform_each([execution_id], self._recovery_of, lambda _: fire_timers):
                break
            self._invoker.withheld.add(execution_id)
            await self._clock.sleep_until(self._clock.now_ms() + RETRY_MS)
        ...

    async def _move_on(self, execution_ids: Collection[str]) -> Collection[str]:
        """Fire the timers of executions that are due; returns those that have to be tried again."""
        return await self._perform_each(execution_ids, lambda _: fire_timers)

    async def _recover(self, execution_ids: Sequence[str]) -> None:
        """Take over what the last process left open. No invocation of an execution begins before that."""
        for first in range(0, len(execution_ids), PAGE):
            remaining: Collection[str] = execution_ids[first : first + PAGE]
            while remaining := await self._perform_each(remaining, self._recovery_of):
                self._unrecovered.update(remaining)
                await self.clock.sleep_until(self.clock.now_ms() + RETRY_MS)

    def _recovery_of(self, execution_id: str) -> Command:
        def command(state: State, now: int) -> Transition:
            self._unrecovered.discard(execution_id)
            return recover(state, now)

        return command

    async def _perform_each(self, execution_ids: Collection[str], command_for: Callable[[str], Command]) -> Collection[str]:
        """Perform one command on each, at the same time; returns the ids of those that have to be tried again."""
        failed: list[str] = []

        async def perform(execution_id: str) -> None:
            try:
                await self.executions.perform(execution_id, command_for(execution_id))
            except UnknownExecution:
                pass
            except ServiceError as error:
                log.warning("execution %s could not be moved on, trying again: %s", execution_id, error)
                failed.append(execution_id)
            except Exception:
                log.exception("execution %s cannot be moved on; it is left alone until the service starts again", execution_id)

        async with asyncio.TaskGroup() as group:
            for execution_id in execution_ids:
                group.create_task(perform(execution_id))
        return failed
