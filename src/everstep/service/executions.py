"""The executions that are in memory, and the one way in which any of them changes.

Rule: a command is decided on the state in memory, absorbed, and handed to the committer in the same breath, so commands
on one execution follow each other without a lock. Whoever gave it hears of it, and its effects are performed, only once
it is durable. If it could not be made durable, the state is forgotten and read anew, and the caller has to try again.

States are kept while something is going on, then for as long as there is room: an execution that sleeps costs nothing.
"""

from __future__ import annotations

import asyncio
from collections import OrderedDict
from collections.abc import AsyncGenerator, Awaitable, Callable, Sequence
from contextlib import asynccontextmanager
from functools import partial
from typing import Final, TypeAlias

from msgspec.structs import replace

from everstep.errors import ServiceError
from everstep.service.clock import Clock
from everstep.service.committer import Committer, Handed
from everstep.service.machine.execution import start_execution
from everstep.service.machine.model import Execution, NewExecution, Transition
from everstep.service.machine.notices import Watch, notices
from everstep.service.machine.rejection import Rejected
from everstep.service.machine.state import State
from everstep.service.stores.api import Store, StoreError, Write
from everstep.service.stores.shared import SharedStore

ROOM: Final = 50_000
"""How many operations the states at rest may hold in all."""
WEIGHT_OF_STATE: Final = 10
"""What a state weighs by itself, in operations."""

Command: TypeAlias = Callable[[State, int], Transition]
"""Decides a change, given the state and the time. Raises Rejected."""


class UnknownExecution(Rejected):
    """There is no such execution (any more)."""

    def __init__(self) -> None:
        super().__init__("ResourceNotFoundException", "Durable Execution does not exist")


class _Resident:
    """A state in memory. users: why it must stay. last_write: the change that is not durable yet, if any. exists: in the store."""

    __slots__ = ("exists", "last_write", "state", "users", "weight")

    def __init__(self, state: State) -> None:
        self.state = state
        self.exists = True
        self.users = 0
        self.weight = 0
        self.last_write: Handed | None = None

    @property
    def id(self) -> str:
        return self.state.execution.id


class Executions:
    """Performs commands.

    on_durable: called with each transition once it is durable, and the time at which it was decided. on_doubt: called
    with the id of an execution of which nobody knows what is recorded, because the store failed. watches: of webhooks.
    """

    def __init__(
        self,
        store: Store,
        committer: Committer,
        clock: Clock,
        on_durable: Callable[[Transition, int], None],
        on_doubt: Callable[[str], None],
        *,
        shared: SharedStore | None = None,
        watches: Sequence[Watch] = (),
        room: int = ROOM,
    ) -> None:
        self._store, self._committer, self._clock = store, committer, clock
        self._on_durable, self._on_doubt = on_durable, on_doubt
        self._shared, self._watches = shared, watches
        self._residents: dict[str, _Resident] = {}
        self._resting: OrderedDict[str, _Resident] = OrderedDict()  # those without users; the one used last is last
        self._loading: dict[str, asyncio.Event] = {}
        self._room = room
        self._weight = 0

    def begin(self, new: NewExecution) -> tuple[Execution, Awaitable[bool]]:
        """Start an execution whose id nobody has heard of yet, and whether that was taken (False: its name is), once it is durable.

        Commands on it may follow at once: they go into the same commit, and are refused with it.
        """
        now = self._clock.now_ms()
        transition = self._with_notices(None, start_execution(new, now))
        resident = self._residents[new.id] = _Resident(State(transition.execution, transition.records))
        resident.exists = False
        resident.users += 1
        write = resident.last_write = self._write(transition)
        write.then(partial(self._written, resident, transition, now, write))
        return transition.execution, write

    async def create(self, new: NewExecution) -> Execution | None:
        """Start an execution, unless there is one of that id already; None if its id or name is taken. Raises StoreError."""
        return await self.create_as(new.id, lambda now: start_execution(new, now))

    async def create_as(self, execution_id: str, begin: Callable[[int], Transition]) -> Execution | None:
        """The same, as `begin` decides, given the time. Raises Rejected if it does."""
        while (loading := self._loading.get(execution_id)) is not None:
            await loading.wait()
        now = self._clock.now_ms()
        transition = self._with_notices(None, begin(now))
        # Others may find it in the store before we hear that it is there: they must not make a second state of it.
        self._loading[execution_id] = asyncio.Event()
        resident = _Resident(State(transition.execution, transition.records))
        resident.users += 1
        write = self._write(transition)
        write.then(partial(self._created, resident, transition, now, write))
        return transition.execution if await write else None

    async def perform(self, execution_id: str, command: Command) -> Transition:
        """Change an execution, durably. Raises UnknownExecution, Rejected, or ServiceError if it has to be tried again."""
        while True:
            resident = await self._resident(execution_id)
            now = self._clock.now_ms()
            before = resident.state.execution
            try:
                transition = command(resident.state, now)
            except Rejected:
                if self._shared is None or await self._is_current(resident):
                    raise
                continue
            if transition.execution is before:
                # Nothing to write. But what was decided rests on changes that may still be on their way to the disk.
                if await self._is_current(resident):
                    if transition.effects:
                        self._on_durable(transition, now)
                    return transition
                continue
            transition, write = self._record(resident, transition, now)
            if await write:
                return transition
            # Another service has changed the execution meanwhile, or it has not come into being: what is to be done is decided anew.
            if self._shared is None and resident.exists:
                raise ServiceError("the execution was changed by somebody else meanwhile", code="Conflict", is_retryable=True)

    def submit(self, execution_id: str, command: Command) -> tuple[Transition, Handed] | None:
        """The same, if nothing has to be waited for before it is written: the change, which is made once the write is taken.

        None: nothing has happened, and it is to be performed. So it is if the write is not taken. Raises Rejected.
        """
        resident = self._residents.get(execution_id)
        if resident is None:
            return None
        now = self._clock.now_ms()
        before = resident.state.execution
        try:
            transition = command(resident.state, now)
        except Rejected:
            if self._shared is None:
                raise
            return None
        return None if transition.execution is before else self._record(resident, transition, now)

    def live(self, execution_id: str) -> Execution | None:
        """As it is in memory, of which the last changes may not be durable yet; None if it is not there."""
        resident = self._residents.get(execution_id)
        return None if resident is None else resident.state.execution

    async def read(self, execution_id: str) -> Execution:
        """The execution as it is durable. Raises UnknownExecution or StoreError."""
        while True:
            resident = await self._resident(execution_id)
            execution = resident.state.execution
            if await self._is_current(resident):
                return execution

    async def heard(self, execution_id: str) -> Execution:
        """The same, but if it is this service's own, nobody asks whether another one has changed it: there will be news of that."""
        while True:
            resident = await self._resident(execution_id)
            execution = resident.state.execution
            is_own = self._shared is not None and self._shared.owns(execution_id)
            if await (_is_durable(resident) if is_own else self._is_current(resident)):
                return execution

    async def written(self, execution_id: str) -> None:
        """Returns when what has been decided about the execution until now is durable, or could not be recorded."""
        resident = self._residents.get(execution_id)
        if resident is not None and resident.last_write is not None:
            await resident.last_write.known()

    async def state(self, execution_id: str) -> State:
        """The live state, of which the last changes may not be durable yet. Raises UnknownExecution or StoreError."""
        while True:
            resident = await self._resident(execution_id)
            if self._shared is None or await self._is_current(resident):
                return resident.state

    @asynccontextmanager
    async def using(self, execution_id: str) -> AsyncGenerator[State]:
        """The live state, kept in memory until the end of the block. Raises UnknownExecution or StoreError."""
        resident = await self._resident(execution_id)
        self._use(resident)
        try:
            yield resident.state
        finally:
            self._release(resident)

    def forget(self, execution_id: str) -> None:
        """Drop what is in memory: the store no longer has it, or may have something else."""
        resident = self._residents.pop(execution_id, None)
        if resident is not None:
            self._wake(resident)

    # -- writing

    def _record(self, resident: _Resident, transition: Transition, now: int) -> tuple[Transition, Handed]:
        """What was decided on the resident's state."""
        before = resident.state.execution
        transition = self._with_notices(before, transition)
        resident.state.absorb(transition)
        self._use(resident)
        begins = before.invocation is None and transition.execution.invocation is not None
        write = resident.last_write = self._write(transition, after=resident.last_write, is_claim=begins)
        write.then(partial(self._written, resident, transition, now, write))
        return transition, write

    def _with_notices(self, before: Execution | None, transition: Transition) -> Transition:
        owed = notices(self._watches, before, transition.execution)
        return replace(transition, notices=owed) if owed else transition

    def _write(self, transition: Transition, *, after: Handed | None = None, is_claim: bool = False) -> Handed:
        write = Write(
            execution=transition.execution,
            records=transition.records,
            events=transition.events,
            notices=transition.notices,
            is_claim=is_claim,
        )
        return self._committer.hand_over(write, after=after)

    # Both are listeners, because the caller may have gone away meanwhile: the effects are due all the same.

    def _created(self, resident: _Resident, transition: Transition, now: int, write: Handed) -> None:
        self._loading.pop(resident.id).set()
        if write.was_taken:
            self.forget(resident.id)  # an earlier one of that id, which has been removed
            self._residents[resident.id] = resident
            self._on_durable(transition, now)
        elif _is_doubtful(write):
            self._on_doubt(resident.id)
        self._release(resident)

    def _written(self, resident: _Resident, transition: Transition, now: int, write: Handed) -> None:
        if resident.last_write is write:
            resident.last_write = None
        if write.was_taken:
            resident.exists = True
            self._on_durable(transition, now)
        else:
            if self._residents.get(resident.id) is resident:
                self.forget(resident.id)
            if _is_doubtful(write):
                self._on_doubt(resident.id)
        self._release(resident)

    # -- memory

    async def _is_current(self, resident: _Resident) -> bool:
        """Whether the state, as it is when this is called, became durable, and nobody else has changed it. If not, it is forgotten."""
        if not await _is_durable(resident):
            return False
        if self._shared is not None:
            stored = await self._shared.revision(resident.id)
            if stored is None or stored > resident.state.execution.revision:
                if self._residents.get(resident.id) is resident:
                    self.forget(resident.id)
                return False
        return True

    async def _resident(self, execution_id: str) -> _Resident:
        while True:
            resident = self._residents.get(execution_id)
            if resident is not None:
                if execution_id in self._resting:
                    self._resting.move_to_end(execution_id)
                return resident
            loading = self._loading.get(execution_id)
            if loading is None:
                return await self._load(execution_id)
            await loading.wait()

    async def _load(self, execution_id: str) -> _Resident:
        loading = self._loading[execution_id] = asyncio.Event()
        try:
            snapshot = await self._store.load(execution_id)
            resident = self._residents.get(execution_id)
            if resident is not None:  # created meanwhile, and perhaps changed since: what was read may be older
                return resident
            if snapshot is None:
                raise UnknownExecution
            resident = self._residents[execution_id] = _Resident(State(snapshot.execution, snapshot.records))
            self._rest(resident)
            return resident
        finally:
            del self._loading[execution_id]
            loading.set()

    def _use(self, resident: _Resident) -> None:
        resident.users += 1
        self._wake(resident)

    def _release(self, resident: _Resident) -> None:
        resident.users -= 1
        if not resident.users and self._residents.get(resident.id) is resident:
            self._rest(resident)

    def _wake(self, resident: _Resident) -> None:
        if self._resting.pop(resident.id, None) is not None:
            self._weight -= resident.weight

    def _rest(self, resident: _Resident) -> None:
        """Keep a state that nobody uses, and make room for it. The newest stays whatever its size: it is about to be used."""
        resident.weight = len(resident.state.records) + WEIGHT_OF_STATE
        self._weight += resident.weight
        self._resting[resident.id] = resident
        while self._weight > self._room and len(self._resting) > 1:
            execution_id, oldest = self._resting.popitem(last=False)
            self._weight -= oldest.weight
            del self._residents[execution_id]


def _is_doubtful(write: Handed) -> bool:
    """Whether the write may have been made, though it failed."""
    return isinstance(write.error, StoreError)


async def _is_durable(resident: _Resident) -> bool:
    """Whether the state became durable, as it is when this is called. If not, it is forgotten: look at it anew."""
    return (write := resident.last_write) is None or await write.known()
