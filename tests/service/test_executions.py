from __future__ import annotations

import asyncio
from collections.abc import AsyncGenerator, Sequence
from contextlib import asynccontextmanager

import pytest
from tests.service.fakes import ManualClock, settled

from everstep.errors import ServiceError
from everstep.protocol.shapes import ErrorObject
from everstep.service.committer import Committer
from everstep.service.executions import Executions, UnknownExecution
from everstep.service.machine.execution import stop_execution
from everstep.service.machine.model import ExecutionEnded, InvokeHandler, NewExecution, Terms, Transition
from everstep.service.machine.pause import pause_execution
from everstep.service.machine.rejection import Rejected
from everstep.service.machine.state import State
from everstep.service.stores.api import Snapshot, StoreError, Write
from everstep.service.stores.memory import MemoryStore


class Store(MemoryStore):
    """A memory store that can be held up, can fail, and counts what is loaded."""

    def __init__(self) -> None:
        super().__init__()
        self.loads: list[str] = []
        self.is_open = asyncio.Event()
        self.is_open.set()
        self.failure: StoreError | None = None
        self.fails_after_commit = False
        self.commits = 0

    async def commit(self, writes: Sequence[Write]) -> Sequence[bool]:
        await self.is_open.wait()
        if self.failure and not self.fails_after_commit:
            raise self.failure
        self.commits += 1
        taken = await super().commit(writes)
        if self.failure:
            raise self.failure
        return taken

    async def load(self, execution_id: str) -> Snapshot | None:
        self.loads.append(execution_id)
        await asyncio.sleep(0)
        return await super().load(execution_id)


class Fixture:
    def __init__(self, room: int) -> None:
        self.store = Store()
        self.durable: list[Transition] = []
        self.doubts: list[str] = []
        self.committer = Committer(self.store)
        self.executions = Executions(
            self.store, self.committer, ManualClock(), lambda transition, _: self.durable.append(transition), self.doubts.append, room=room
        )


@asynccontextmanager
async def executing(room: int = 1_000) -> AsyncGenerator[Fixture]:
    fixture = Fixture(room)
    async with asyncio.TaskGroup() as group:
        group.create_task(fixture.committer.run())
        yield fixture
        fixture.committer.close()


def new(identity: str = "e-1", name: str | None = None) -> NewExecution:
    return NewExecution(
        id=identity, arn=f"arn/{identity}", name=name or identity, function="order", version="$LATEST", terms=Terms(timeout_s=60)
    )


def stop(state: State, now: int) -> Transition:
    return stop_execution(state, ErrorObject(), now)


def pause(state: State, now: int) -> Transition:
    return pause_execution(state, now)


async def test_an_effect_is_performed_only_after_its_transition_is_durable() -> None:
    async with executing() as fixture:
        fixture.store.is_open.clear()
        starting = asyncio.ensure_future(fixture.executions.create(new()))
        await settled()
        before = list(fixture.durable)
        fixture.store.is_open.set()
        await starting

    assert before == []
    assert fixture.durable[0].effects == (InvokeHandler(execution_id="e-1"),)


async def test_effects_are_performed_though_the_caller_went_away() -> None:
    async with executing() as fixture:
        await fixture.executions.create(new())
        fixture.store.is_open.clear()
        stopping = asyncio.ensure_future(fixture.executions.perform("e-1", stop))
        await settled()
        stopping.cancel()
        fixture.store.is_open.set()
        await settled()

    assert ExecutionEnded(execution_id="e-1") in fixture.durable[-1].effects


async def test_a_taken_name_creates_nothing() -> None:
    async with executing() as fixture:
        await fixture.executions.create(new("e-1", "order-17"))

        assert await fixture.executions.create(new("e-2", "order-17")) is None
        with pytest.raises(UnknownExecution):
            await fixture.executions.read("e-2")

    assert len(fixture.durable) == 1


async def test_what_follows_a_start_in_the_same_breath_goes_into_its_commit() -> None:
    async with executing() as fixture:
        await settled()
        _, taken = fixture.executions.begin(new())
        stopping = fixture.executions.submit("e-1", stop)

        assert await taken
        assert stopping is not None
        transition, stopped = stopping
        assert await stopped
        assert transition.execution.status == "STOPPED"

    assert fixture.store.commits == 1
    assert [transition.execution.status for transition in fixture.durable] == ["RUNNING", "STOPPED"]


async def test_what_follows_a_start_whose_name_is_taken_finds_no_execution() -> None:
    async with executing() as fixture:
        await fixture.executions.create(new("e-1", "order-17"))
        _, taken = fixture.executions.begin(new("e-2", "order-17"))
        reading, stopping = fixture.executions.read("e-2"), asyncio.ensure_future(fixture.executions.perform("e-2", stop))

        assert not await taken
        for following in (reading, stopping):
            with pytest.raises(UnknownExecution):
                await following

    assert len(fixture.durable) == 1
    assert fixture.doubts == []


async def test_commands_follow_each_other_without_waiting_for_the_disk() -> None:
    async with executing() as fixture:
        await fixture.executions.create(new())
        fixture.store.is_open.clear()
        pausing = asyncio.ensure_future(fixture.executions.perform("e-1", pause))
        stopping = asyncio.ensure_future(fixture.executions.perform("e-1", stop))
        await settled()
        state = await fixture.executions.state("e-1")
        revision_meanwhile = state.execution.revision
        fixture.store.is_open.set()
        await asyncio.gather(pausing, stopping)

    assert revision_meanwhile == 3
    assert [transition.execution.revision for transition in fixture.durable] == [1, 2, 3]


async def test_what_is_read_is_durable() -> None:
    async with executing() as fixture:
        await fixture.executions.create(new())
        fixture.store.is_open.clear()
        stopping = asyncio.ensure_future(fixture.executions.perform("e-1", stop))
        await settled()
        reading = asyncio.ensure_future(fixture.executions.read("e-1"))
        await settled()
        was_done = reading.done()
        fixture.store.is_open.set()
        await stopping

        assert not was_done
        assert (await reading).status == "STOPPED"


async def test_a_command_that_writes_nothing_still_waits_for_what_it_rests_on() -> None:
    async with executing() as fixture:
        await fixture.executions.create(new())
        fixture.store.is_open.clear()
        stopping = asyncio.ensure_future(fixture.executions.perform("e-1", stop))
        again = asyncio.ensure_future(fixture.executions.perform("e-1", stop))
        await settled()
        was_done = again.done()
        fixture.store.is_open.set()
        await asyncio.gather(stopping, again)

    assert not was_done
    assert len(fixture.durable) == 2


async def test_a_rejected_command_changes_nothing() -> None:
    async with executing() as fixture:
        await fixture.executions.create(new())
        await fixture.executions.perform("e-1", stop)
        with pytest.raises(Rejected, match="closed"):
            await fixture.executions.perform("e-1", pause)

        assert (await fixture.executions.read("e-1")).revision == 2


async def test_what_is_submitted_is_made_without_waiting_once_its_write_is_taken() -> None:
    async with executing() as fixture:
        await fixture.executions.create(new())
        fixture.store.is_open.clear()
        submitted = fixture.executions.submit("e-1", stop)
        waiting = asyncio.ensure_future(fixture.executions.written("e-1"))
        await settled()

        assert submitted is not None
        transition, write = submitted
        assert (transition.execution.status, write.was_taken, waiting.done()) == ("STOPPED", False, False)
        fixture.store.is_open.set()
        await waiting
        assert write.was_taken
        assert fixture.durable[-1] is transition


async def test_what_has_to_wait_first_or_writes_nothing_is_not_submitted() -> None:
    async with executing() as fixture:
        assert fixture.executions.submit("e-1", stop) is None
        await fixture.executions.create(new())
        assert fixture.executions.submit("e-1", lambda state, now: Transition(execution=state.execution)) is None
        await fixture.executions.perform("e-1", stop)
        with pytest.raises(Rejected, match="closed"):
            fixture.executions.submit("e-1", pause)
        await fixture.executions.written("e-1")
        await fixture.executions.written("e-2")

        assert (await fixture.executions.read("e-1")).revision == 2


async def test_what_was_submitted_and_could_not_be_recorded_says_why() -> None:
    async with executing() as fixture:
        await fixture.executions.create(new())
        fixture.store.failure = StoreError("the disk is full")
        submitted = fixture.executions.submit("e-1", stop)
        await fixture.executions.written("e-1")

        assert submitted is not None
        assert submitted[1].error is fixture.store.failure
        assert fixture.doubts == ["e-1"]


async def test_a_failed_commit_forgets_the_state_and_the_next_command_starts_from_the_store() -> None:
    async with executing() as fixture:
        await fixture.executions.create(new())
        fixture.store.failure = StoreError("the disk is full")
        with pytest.raises(StoreError):
            await fixture.executions.perform("e-1", stop)
        fixture.store.failure = None

        assert fixture.doubts == ["e-1"]
        assert (await fixture.executions.read("e-1")).status == "RUNNING"
        assert fixture.store.loads == ["e-1"]
        await fixture.executions.perform("e-1", stop)
        assert (await fixture.executions.read("e-1")).status == "STOPPED"


async def test_commands_queued_behind_a_failed_one_fail_too() -> None:
    async with executing() as fixture:
        await fixture.executions.create(new())
        fixture.store.is_open.clear()
        pausing = asyncio.ensure_future(fixture.executions.perform("e-1", pause))
        await settled()
        stopping = asyncio.ensure_future(fixture.executions.perform("e-1", stop))
        await settled()
        fixture.store.failure = StoreError("the disk is full")
        fixture.store.is_open.set()
        with pytest.raises(StoreError):
            await pausing
        fixture.store.failure = None
        with pytest.raises(ServiceError) as refused:
            await stopping

        assert refused.value.is_retryable
        assert (await fixture.executions.read("e-1")).revision == 1


async def test_a_commit_that_was_made_though_it_failed_is_found_again() -> None:
    async with executing() as fixture:
        await fixture.executions.create(new())
        fixture.store.failure, fixture.store.fails_after_commit = StoreError("the answer was lost"), True
        with pytest.raises(StoreError):
            await fixture.executions.perform("e-1", stop)
        fixture.store.failure = None

        assert (await fixture.executions.read("e-1")).status == "STOPPED"
        await fixture.executions.perform("e-1", lambda state, now: stop_execution(state, None, now))


async def test_an_execution_is_loaded_once_however_many_ask() -> None:
    async with executing(room=0) as fixture:
        await fixture.executions.create(new("e-1"))
        await fixture.executions.create(new("e-2"))
        states = await asyncio.gather(*(fixture.executions.state("e-1") for _ in range(5)))

    assert fixture.store.loads == ["e-1"]
    assert len(set(map(id, states))) == 1


async def test_states_at_rest_make_room_the_one_used_longest_ago_first() -> None:
    async with executing(room=25) as fixture:  # two states of one operation each
        for identity in ("e-1", "e-2"):
            await fixture.executions.create(new(identity))
        await fixture.executions.read("e-1")
        await fixture.executions.create(new("e-3"))
        for identity in ("e-3", "e-1", "e-2"):
            await fixture.executions.read(identity)

    assert fixture.store.loads == ["e-2"]


async def test_a_state_in_use_stays() -> None:
    async with executing(room=0) as fixture:
        await fixture.executions.create(new("e-1"))
        async with fixture.executions.using("e-1") as state:
            await fixture.executions.create(new("e-2"))
            await fixture.executions.create(new("e-3"))
            await fixture.executions.perform("e-1", stop)

            assert state.execution.status == "STOPPED"

    assert fixture.store.loads == []


async def test_an_unknown_execution_is_unknown_to_all_who_ask() -> None:
    async with executing() as fixture:
        answers = await asyncio.gather(*(fixture.executions.read("nobody") for _ in range(3)), return_exceptions=True)

    assert all(isinstance(answer, UnknownExecution) for answer in answers)
