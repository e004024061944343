"""Several services on one database."""

from __future__ import annotations

import asyncio
import json
import os
import random
import subprocess
import sys
import time
from collections.abc import Awaitable, Callable
from contextlib import suppress
from functools import partial
from typing import TypeVar, cast

import pytest
from tests.service.fakes import NOON, PENDING, Fake, ManualClock, Run, fake
from tests.service.postgres import Server
from tests.service.test_crashes import callbacks as unanswered
from tests.service.test_crashes import order, pack, price

from everstep.errors import ExecutionFailed, ServiceError
from everstep.protocol.ids import execution_id
from everstep.service.embedded import Service
from everstep.service.started import StartedExecution
from everstep.service.stores.postgres import PostgresStore
from everstep.service.stores.postgres.processes import this_process
from everstep.service.stores.shared import Ended
from everstep.service.stores.urls import store_at

T = TypeVar("T")

SHORT_LEASE_S = 0.6
PROMPTLY_S = 2.0
"""Much less than a third of the default lease, when services look by themselves."""


async def until(condition: Callable[[], bool]) -> None:
    for _ in range(2_000):
        if condition():
            return
        await asyncio.sleep(0.005)
    raise AssertionError(f"it did not happen: {condition}")


async def promptly(outcome: Awaitable[T]) -> T:
    return await asyncio.wait_for(outcome, PROMPTLY_S)


def elsewhere(service: Service, handler: Fake, execution: StartedExecution[object]) -> StartedExecution[object]:
    """The same execution, seen from another service."""
    return service.execution(handler, execution.arn)


async def double(run: Run) -> object:
    number = run.input
    assert isinstance(number, int)
    return await run.step("double", lambda: 2 * number)


async def approval(run: Run) -> object:
    operation = await run.callback("approval")
    if operation.status == "STARTED":
        callbacks[run.invocation.arn] = operation.callback_details.callback_id or "" if operation.callback_details else ""
        return PENDING
    return json.loads(operation.callback_details.result or "") if operation.callback_details else None


callbacks: dict[str, str] = {}


class Gate:
    """A handler that does a step, then stands still until it is let go, then does another one."""

    def __init__(self) -> None:
        self.entered: list[int] = []
        self.refusals: list[str] = []
        self.opened = asyncio.Event()

    async def __call__(self, run: Run) -> object:
        await run.step("before", lambda: "before")
        self.entered.append(run.number)
        await self.opened.wait()
        try:
            return await run.step("after", lambda: "after")
        except ServiceError as error:
            self.refusals.append(error.code)
            raise

    def handler(self) -> Fake:
        return Fake(self, "gate")


def without(handler: Fake) -> Fake:
    """The same handler, as another service has it."""
    return Fake(handler.handler, handler.name)


class Crashing(PostgresStore):
    """A store that is gone without saying so."""

    def __init__(self, url: str) -> None:
        store = store_at(url)
        assert isinstance(store, PostgresStore)
        self.__dict__.update(store.__dict__)

    async def close(self) -> None:
        self._connections.close()


class Deaf(Crashing):
    """A store whose service is never told what the others wait for."""

    @property
    def tells_ends(self) -> bool:
        return False

    async def close(self) -> None:
        await PostgresStore.close(self)


class Stalled(Crashing):
    """A store whose service does not keep its lease, as if its machine had stood still for a while."""

    async def renew(self) -> bool:
        await asyncio.Event().wait()
        raise AssertionError

    async def close(self) -> None:
        await PostgresStore.close(self)


async def test_a_result_is_known_to_every_service_at_once(postgres: Server) -> None:
    url, gate = postgres.new_schema(), Gate()
    here, there = gate.handler(), gate.handler()
    async with Service(url) as one, Service(url) as other:
        one.register(here)
        other.register(there)
        execution = await one.start(here, None)
        await until(lambda: bool(gate.entered))
        result = asyncio.ensure_future(elsewhere(other, there, execution).result())
        await asyncio.sleep(0.05)
        gate.opened.set()

        assert await promptly(result) == "after"
        assert (await other.describe(execution.arn)).status == "SUCCEEDED"

    assert (here.invocations, there.invocations) == (1, 0)


async def test_ends_are_told_only_of_what_another_service_waits_for(postgres: Server) -> None:
    url, gate = postgres.new_schema(), Gate()
    here, there, quick = gate.handler(), gate.handler(), fake(double)
    told: list[str] = []

    async def listen(store: PostgresStore) -> None:
        async with store.news() as news:
            async for item in news:
                match item:
                    case Ended(ended):
                        told.append(ended)
                    case _:
                        pass

    async with Service(url) as one, Service(url) as other, asyncio.TaskGroup() as group:
        listening = group.create_task(listen(cast("PostgresStore", other.engine.store)))
        one.register(here)
        one.register(quick)
        other.register(there)
        assert await (await one.start(quick, 21)).result() == 42
        execution = await one.start(here, None)
        await until(lambda: bool(gate.entered))
        result = asyncio.ensure_future(elsewhere(other, there, execution).result())
        await until(lambda: cast("PostgresStore", one.engine.store).tells_ends)
        gate.opened.set()
        assert await promptly(result) == "after"
        await until(lambda: bool(told))
        listening.cancel()

    assert told == [execution_id(execution.arn)]


async def test_a_result_that_nobody_told_of_is_found_by_looking_again(postgres: Server) -> None:
    """It ended after this service had looked, and before the other one knew that somebody waits."""
    url, gate = postgres.new_schema(), Gate()
    here, there = gate.handler(), gate.handler()
    async with Service(Deaf(url)) as one, Service(url) as other, Service(url) as third:
        one.register(here)
        other.register(there)
        execution = await one.start(here, None)
        await until(lambda: bool(gate.entered))
        result = asyncio.ensure_future(elsewhere(other, there, execution).result())
        await until(lambda: cast("PostgresStore", third.engine.store).tells_ends)  # so the other one has looked, and asked
        gate.opened.set()

        assert await promptly(result) == "after"


async def test_a_callback_can_be_answered_through_any_service(postgres: Server) -> None:
    url, here, there = postgres.new_schema(), fake(approval), fake(approval)
    async with Service(url) as one, Service(url) as other:
        one.register(here)
        other.register(there)
        executions = [await one.start(here, None) for _ in range(4)]
        await until(lambda: all(execution.arn in callbacks for execution in executions))
        for number, execution in enumerate(executions):
            await (one, other)[number % 2].succeed_callback(callbacks[execution.arn], number)

        assert await promptly(asyncio.gather(*(execution.result() for execution in executions))) == [0, 1, 2, 3]
        with pytest.raises(ServiceError) as refusal:
            await other.succeed_callback(callbacks[executions[0].arn])
        assert refusal.value.code == "CallbackTimeoutException"


async def test_a_callback_that_is_answered_elsewhere_while_its_handler_runs_is_in_the_next_answer(postgres: Server) -> None:
    entered, answered = asyncio.Event(), asyncio.Event()

    async def busy(run: Run) -> object:
        operation = await run.callback("approval")
        assert operation.callback_details is not None
        callbacks["busy"] = operation.callback_details.callback_id or ""
        entered.set()
        await answered.wait()
        await run.step("meanwhile", lambda: None)
        details = (await run.callback("approval")).callback_details
        return details and json.loads(details.result or "")

    url, here = postgres.new_schema(), fake(busy)
    async with Service(url) as one, Service(url) as other:
        one.register(here)
        execution = await one.start(here, None)
        await entered.wait()
        await other.succeed_callback(callbacks["busy"], "yes")
        answered.set()

        assert await promptly(execution.result()) == "yes"

    assert here.invocations == 1


async def test_an_execution_that_is_stopped_elsewhere_is_over_for_its_owner_too(postgres: Server) -> None:
    url, gate = postgres.new_schema(), Gate()
    handler = gate.handler()
    async with Service(url, grace=0) as one, Service(url) as other:
        one.register(handler)
        execution = await one.start(handler, None)
        await until(lambda: bool(gate.entered))
        await other.stop(execution.arn)

        assert (await one.describe(execution.arn)).status == "STOPPED"
        with pytest.raises(ExecutionFailed):
            await promptly(execution.result())
        gate.opened.set()
        await until(lambda: bool(gate.refusals))


async def test_a_change_is_heard_of_in_every_service(postgres: Server) -> None:
    url, here, there = postgres.new_schema(), fake(approval), fake(approval)
    async with Service(url) as one, Service(url) as other:
        one.register(here)
        other.register(there)
        execution = await one.start(here, None)
        await until(lambda: execution.arn in callbacks)
        identity, changes = execution_id(execution.arn), other.engine.changes
        seen, of_any = await changes.of(identity, "", 0), await changes.of_any("", 0)

        waits = asyncio.ensure_future(changes.of(identity, seen, 20))
        any_waits = asyncio.ensure_future(changes.of_any(of_any, 20))
        await until(lambda: changes.waiting == 2)
        await one.stop(execution.arn)

        assert await promptly(waits) != seen
        assert await asyncio.wait_for(any_waits, 5) != of_any


async def test_what_one_service_has_no_room_for_another_one_does(postgres: Server) -> None:
    url, gate = postgres.new_schema(), Gate()
    here, there = gate.handler(), gate.handler()
    async with Service(url, max_invocations=2) as one, Service(url, max_invocations=3) as other:
        one.register(here)
        other.register(there)
        executions = [await one.start(here, None) for _ in range(8)]
        await until(lambda: len(gate.entered) == 5)
        gate.opened.set()

        assert set(await asyncio.gather(*(execution.result() for execution in executions))) == {"after"}

    assert here.invocations + there.invocations == 8
    assert there.invocations >= 3


async def test_sleepers_are_woken_once_by_whoever_comes_first(postgres: Server) -> None:
    async def sleepy(run: Run) -> object:
        return "slept" if await run.pause("nap", 60) else PENDING

    url, clock, here, there = postgres.new_schema(SHORT_LEASE_S), ManualClock(), fake(sleepy), fake(sleepy)
    async with Service(url, clock=clock) as one, Service(url, clock=clock) as other:
        one.register(here)
        other.register(there)
        executions = [await one.start(here, None) for _ in range(60)]
        await until(lambda: len(here.outputs) == 60)
        await asyncio.sleep(SHORT_LEASE_S)  # so that the other one has looked, too
        assert clock.alarms.count(NOON + 60_000) == 2
        clock.move(seconds=60)

        assert await promptly(asyncio.gather(*(elsewhere(other, there, one).result() for one in executions))) == ["slept"] * 60

    assert here.invocations + there.invocations == 120
    assert there.invocations > 0


async def test_a_function_that_only_one_service_has_runs_there(postgres: Server) -> None:
    async def parent(run: Run) -> object:
        operation = await run.invoke("child", "child", 4)
        return PENDING if operation.status == "STARTED" else operation.chained_invoke_details and operation.chained_invoke_details.result

    async def child(run: Run) -> object:
        return [run.input, "done"] if await run.pause("nap", 1) else PENDING

    url, here, there = postgres.new_schema(), fake(parent), fake(child)
    async with Service(url) as one, Service(url) as other:
        one.register(here)
        one.register(without(there))
        other.register(there)
        execution = await one.start(here, None)

        assert await asyncio.wait_for(execution.result(), 5) == '[4, "done"]'


async def test_the_work_of_a_service_that_died_is_taken_over(postgres: Server) -> None:
    url, gate = postgres.new_schema(SHORT_LEASE_S), Gate()
    here, there = gate.handler(), gate.handler()

    async def dying() -> None:
        async with Service(Crashing(url), grace=0) as one:
            one.register(here)
            for _ in range(3):
                await one.start(here, None)
            await asyncio.Event().wait()

    async with Service(url) as other:
        life = asyncio.ensure_future(dying())
        await until(lambda: len(gate.entered) == 3)
        other.register(there)
        life.cancel()
        with suppress(asyncio.CancelledError):
            await life
        gate.opened.set()
        executions = await other.list()

        results = [await asyncio.wait_for(other.execution(there, one.arn).result(), 5) for one in executions]

    assert results == ["after"] * 3
    assert there.invocations == 3


async def test_what_a_stalled_service_writes_late_is_refused(postgres: Server) -> None:
    url, stuck, free = postgres.new_schema(SHORT_LEASE_S), Gate(), Gate()
    here, there = stuck.handler(), free.handler()
    free.opened.set()
    async with Service(Stalled(url), grace=5) as one, Service(url) as other:
        one.register(here)
        other.register(there)
        execution = await one.start(here, None)
        result = await asyncio.wait_for(elsewhere(other, there, execution).result(), 5)
        before = await other.history(execution.arn)
        stuck.opened.set()
        await until(lambda: bool(stuck.refusals))
        await asyncio.sleep(0.05)

        assert result == "after"
        assert stuck.refusals == ["InvalidParameterValueException"]
        assert await other.history(execution.arn) == before
        assert await promptly(execution.result()) == "after"


async def test_a_service_that_leaves_hands_its_work_over_at_once(postgres: Server) -> None:
    url, gate = postgres.new_schema(), Gate()
    here, there = gate.handler(), gate.handler()
    async with Service(url) as other:
        other.register(there)
        async with Service(url, grace=0) as one:
            one.register(here)
            execution = await one.start(here, None)
            await until(lambda: bool(gate.entered))
        gate.opened.set()

        assert await promptly(elsewhere(other, there, execution).result()) == "after"


@pytest.mark.parametrize("seed", range(3))
async def test_whoever_does_what_and_dies_when_every_execution_ends_as_it_should(postgres: Server, seed: int) -> None:
    dice, clock, url = random.Random(seed), ManualClock(), postgres.new_schema(SHORT_LEASE_S)
    unanswered.clear()
    living: list[tuple[Service, Fake]] = []
    names = [f"order-{number}" for number in range(12)]

    async def life(ends: asyncio.Event) -> None:
        async with Service(Crashing(url), clock=clock, grace=0) as service:
            handler = fake(order)
            for function in (handler, fake(pack)):
                service.register(function)
            service.register(price)
            living.append((service, handler))
            await ends.wait()
            living.remove((service, handler))

    async def answer() -> None:
        while True:
            await asyncio.sleep(0.01)
            for arn, callback_id in list(unanswered.items()):
                with suppress(ServiceError):
                    await dice.choice(living)[0].succeed_callback(callback_id, "yes")
                    unanswered.pop(arn, None)
            upcoming = [alarm for alarm in clock.alarms if alarm < NOON + 86_400_000]
            if upcoming and dice.random() < 0.3:
                clock.move(ms=max(0, upcoming[0] - clock.now))

    async with asyncio.TaskGroup() as group:
        ends = [asyncio.Event() for _ in range(4)]
        for end in ends[:3]:
            group.create_task(life(end))
        await until(lambda: len(living) == 3)
        answering = group.create_task(answer())
        for name in names:
            service, handler = dice.choice(living)
            await service.start(handler, {"name": name}, name=name)
            await asyncio.sleep(dice.random() * 0.02)
        ends[0].set()
        group.create_task(life(ends[3]))
        await asyncio.sleep(SHORT_LEASE_S)
        ends[1].set()
        last, _ = living[-1]
        for _ in range(600):
            if len(await last.list(function="order", status="SUCCEEDED", limit=99)) == len(names):
                break
            await asyncio.sleep(0.05)
        found = await last.list(limit=99)
        results = [(await last.describe(one.arn)).result for one in found if one.function == "order"]
        histories = [await last.history(one.arn) for one in found]
        answering.cancel()
        for end in ends:
            end.set()

    assert [json.loads(result or "null") for result in results] == [[17, "yes", 500, [6, "packed"]]] * len(names)
    assert len(found) == 2 * len(names), "each has one child, whoever started it"
    for history in histories:
        assert [event["EventId"] for event in history] == list(range(1, len(history) + 1))


MORTAL = """
import asyncio, sys
from everstep.service.embedded import Service
from tests.service.fakes import Fake, Run

async def gate(run: Run) -> object:
    await run.step("before", lambda: "from the dead")
    print(run.invocation.arn, flush=True)
    await asyncio.Event().wait()

async def main() -> None:
    handler = Fake(gate, "gate")
    async with Service(sys.argv[1]) as service:
        service.register(handler)
        for _ in range(3):
            await service.start(handler, None)
        await asyncio.Event().wait()

asyncio.run(main())
"""


def process_of(program: str, url: str) -> subprocess.Popen[str]:
    environment = {**os.environ, "PYTHONPATH": os.pathsep.join(sys.path)}
    return subprocess.Popen([sys.executable, "-c", program, url], stdout=subprocess.PIPE, env=environment, text=True)


@pytest.mark.skipif(this_process() is None, reason="this system does not show its processes")
async def test_a_process_that_is_killed_on_this_machine_is_not_waited_for(postgres: Server) -> None:
    async def gate(run: Run) -> object:
        return await run.step("before", lambda: "done again")

    url, handler = postgres.new_schema(lease_s=600), fake(gate)
    with process_of(MORTAL, url) as process:
        assert process.stdout is not None
        arns = [(await asyncio.to_thread(process.stdout.readline)).strip() for _ in range(3)]
        process.kill()
    async with Service(url) as service:
        service.register(handler)
        results = [await asyncio.wait_for(service.execution(handler, arn).result(), 10) for arn in arns]

    assert results == ["from the dead"] * 3


async def test_the_work_of_a_killed_process_is_taken_over_at_the_latest_when_its_lease_ends(postgres: Server) -> None:
    async def gate(run: Run) -> object:
        return await run.step("before", lambda: "done again")

    url, handler = postgres.new_schema(SHORT_LEASE_S), fake(gate)
    async with Service(url) as service:
        with process_of(MORTAL, url) as process:
            assert process.stdout is not None
            arns = [(await asyncio.to_thread(process.stdout.readline)).strip() for _ in range(3)]
            service.register(handler)
            await asyncio.sleep(2 * SHORT_LEASE_S)
            assert handler.invocations == 0, "it is alive"
            process.kill()
        killed = time.monotonic()
        results = [await asyncio.wait_for(service.execution(handler, arn).result(), 10) for arn in arns]

    assert results == ["from the dead"] * 3
    assert time.monotonic() - killed < 5 * SHORT_LEASE_S


class Patient:
    """A handler that sends again what could not be recorded, as an SDK does."""

    async def __call__(self, run: Run) -> object:
        total = 0
        for number in range(20):
            name = f"step-{number}"
            while True:
                try:
                    await run.step(name, partial(int, number))
                except ServiceError as error:
                    if error.code != "StoreError":
                        raise
                    await asyncio.sleep(0.05)
                else:
                    break
            total += number
            await asyncio.sleep(0.01)
        return total if await run.pause("nap", 1) else PENDING


async def test_nothing_is_lost_when_the_database_restarts(postgres: Server) -> None:
    url = postgres.new_schema(SHORT_LEASE_S)
    here, there = Fake(Patient(), "patient"), Fake(Patient(), "patient")
    async with Service(url) as one, Service(url) as other:
        one.register(here)
        other.register(there)
        executions = [await service.start(handler, None) for service, handler in ((one, here), (other, there)) for _ in range(5)]
        await asyncio.sleep(0.1)
        await asyncio.to_thread(postgres.stop)
        await asyncio.sleep(0.2)
        await asyncio.to_thread(postgres.start)

        results = await asyncio.wait_for(asyncio.gather(*(elsewhere(other, there, one).result() for one in executions)), 30)
        histories = [await one.history(execution.arn) for execution in executions]
        later = await one.start(here, None)
        assert await asyncio.wait_for(later.result(), 10) == 190

    assert results == [190] * 10
    for history in histories:
        assert [event["EventId"] for event in history] == list(range(1, len(history) + 1))
