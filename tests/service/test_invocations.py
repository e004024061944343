"""How the embedded service calls handlers: order, limits, failures, the time they may take, and leaving the service."""

from __future__ import annotations

import asyncio
from pathlib import Path

import pytest
from tests.service.fakes import NOON, PENDING, Fake, ManualClock, Run, eventually, fake, hashed, played_out, settled, step

from everstep.client.api import DurableClient
from everstep.client.function import Invocation
from everstep.errors import ExecutionFailed, ServiceError
from everstep.protocol.shapes import ErrorObject, InvocationOutput
from everstep.service.embedded import Service
from everstep.service.machine.rules import Rules
from everstep.service.stores.memory import MemoryStore


async def test_an_invocation_tells_the_handler_who_it_is_for() -> None:
    seen: list[Invocation] = []

    async def handler(run: Run) -> object:
        seen.append(run.invocation)
        return "slept" if await run.pause("nap", 60) else PENDING

    function, clock = fake(handler), ManualClock()
    async with Service("memory://", clock=clock) as service:
        service.register(function, invocation_timeout=30)
        execution = await service.start(function, {"a": 1}, name="x")
        await played_out(clock, execution.result())

    first, second = seen
    assert first.arn == second.arn == execution.arn
    assert (first.deadline, second.deadline) == (NOON + 30_000, NOON + 90_000)
    assert (list(first.updated_operation_ids), list(second.updated_operation_ids)) == ([], [hashed("nap")])
    assert first.request_id != second.request_id
    assert first.checkpoint_token != second.checkpoint_token


async def test_operations_are_the_live_ones_in_the_order_in_which_they_began() -> None:
    async def handler(run: Run) -> object:
        operations = run.invocation.operations
        assert [operation.type for operation in operations.values()] == ["EXECUTION"]
        await run.send(step("b", "START"), step("a", "START"))
        assert [operation.name for operation in operations.values()] == ["x", "b", "a"]
        assert operations[hashed("a")] == run.state[hashed("a")]
        assert "nobody" not in operations
        return len(operations)

    function = fake(handler)
    async with Service("memory://") as service:
        service.register(function)

        assert await (await service.start(function, None, name="x")).result() == 3


async def test_so_many_run_at_a_time_and_the_others_follow_in_order() -> None:
    running: list[int] = []
    most: list[int] = []
    turn = asyncio.Semaphore(0)

    async def handler(run: Run) -> object:
        assert isinstance(run.input, int)
        running.append(run.input)
        most.append(len(running))
        await turn.acquire()
        running.remove(run.input)
        order.append(run.input)
        return None

    order: list[int] = []
    function = fake(handler)
    async with Service("memory://", max_invocations=3) as service:
        service.register(function)
        executions = [await service.start(function, number) for number in range(10)]
        await settled()
        for _ in executions:
            turn.release()
            await settled()
        await asyncio.gather(*(execution.result() for execution in executions))

    assert max(most) == 3
    assert order == list(range(10))


async def test_an_execution_is_never_invoked_twice_at_a_time() -> None:
    running = 0

    async def handler(run: Run) -> object:
        nonlocal running
        running += 1
        assert running == 1
        await asyncio.sleep(0)
        done = [await run.pause(f"nap {number}", number) for number in range(1, 6)]
        await asyncio.sleep(0)
        running -= 1
        return "slept" if all(done) else PENDING

    function, clock = fake(handler), ManualClock()
    async with Service("memory://", clock=clock) as service:
        service.register(function)

        assert await played_out(clock, (await service.start(function, None)).result()) == "slept"

    assert function.invocations <= 6


# Failures


class Unlucky(Exception):
    pass


def unlucky(times: int) -> Fake:
    async def handler(run: Run) -> object:
        if run.number <= times:
            raise Unlucky(f"invocation {run.number}")
        return run.number

    return fake(handler)


async def test_an_invocation_that_raises_is_tried_again_after_a_growing_while() -> None:
    function, clock = unlucky(3), ManualClock()
    async with Service("memory://", clock=clock) as service:
        service.register(function)
        execution = await service.start(function, None)
        await settled()
        assert function.invocations == 1
        assert NOON + 500 <= clock.alarms[0] <= NOON + 1_000

        assert await played_out(clock, execution.result()) == 4
        history = await service.history(execution.arn)

    ends = [str(event["InvocationCompletedDetails"]) for event in history if event["EventType"] == "InvocationCompleted"]
    assert len(ends) == 4
    assert all(f"'ErrorMessage': 'invocation {number}'" in end for number, end in enumerate(ends[:3], start=1))
    assert all("Unlucky" in end for end in ends[:3])
    assert "Error" not in ends[3]
    assert clock.now >= NOON + 500 + 1_000 + 2_000


async def test_failures_are_given_up_where_the_rules_say_so() -> None:
    function, clock = unlucky(99), ManualClock()
    async with Service("memory://", clock=clock, rules=Rules(max_failures=3)) as service:
        service.register(function)
        with pytest.raises(ExecutionFailed, match="invocation 3"):
            await played_out(clock, (await service.start(function, None)).result())


async def test_a_handler_that_hangs_is_cut_off_and_tried_again() -> None:
    cancelled: list[int] = []

    async def handler(run: Run) -> object:
        if run.number == 1:
            try:
                await asyncio.Event().wait()
            except asyncio.CancelledError:
                cancelled.append(run.number)
                raise
        return "done"

    function, clock = fake(handler), ManualClock()
    async with Service("memory://", clock=clock) as service:
        service.register(function, invocation_timeout=0.01)
        execution = await service.start(function, None)

        assert await played_out(clock, execution.result()) == "done"
        history = await service.history(execution.arn)

    assert cancelled == [1]
    assert "Task timed out after 0.01 seconds" in str(history[1])
    assert "Sandbox.Timedout" in str(history[1])


async def test_a_timeout_of_the_handlers_own_is_an_ordinary_failure() -> None:
    async def handler(run: Run) -> object:
        if run.number == 1:
            raise TimeoutError("mine")
        return "done"

    function, clock = fake(handler), ManualClock()
    async with Service("memory://", clock=clock) as service:
        service.register(function)
        execution = await service.start(function, None)
        await played_out(clock, execution.result())

        assert "mine" in str(await service.history(execution.arn))


async def test_text_that_no_store_can_hold_fails_the_execution_and_nothing_else(tmp_path: Path) -> None:
    half = "\ud800"

    async def handler(run: Run) -> object:
        match run.input:
            case "checkpoint":
                with pytest.raises(ServiceError, match="cannot be recorded") as refusal:
                    await run.send(step("a", "SUCCEED", payload=half))
                assert not refusal.value.is_retryable
                return InvocationOutput(status="FAILED", error=ErrorObject(error_message="as it should"))
            case "output":
                return InvocationOutput(status="SUCCEEDED", result=half)
            case "raise":
                raise ValueError(half)
            case _:
                return "fine"

    function, clock = fake(handler), ManualClock()
    async with Service(f"sqlite:///{tmp_path}/executions.db", clock=clock, rules=Rules(max_failures=1)) as service:
        service.register(function)
        for kind, expected in (("checkpoint", "as it should"), ("output", "cannot be recorded"), ("raise", "ValueError")):
            with pytest.raises(ExecutionFailed, match=expected):
                await (await service.start(function, kind)).result()

        assert await (await service.start(function, "fine")).result() == "fine"


# The client


async def test_a_token_is_good_once_and_a_repeated_request_gets_the_same_answer() -> None:
    async def handler(run: Run) -> object:
        arn, token, client = run.invocation.arn, run.token, run.client
        assert token is not None
        first = await client.checkpoint(arn, token, [step("a", "START")], "same")
        again = await client.checkpoint(arn, token, [step("a", "START")], "same")
        assert again == first
        with pytest.raises(ServiceError, match="Invalid checkpoint token") as refusal:
            await client.checkpoint(arn, token, [step("b", "START")], "other")
        assert refusal.value.is_retryable
        with pytest.raises(ServiceError, match="Invalid checkpoint token"):
            await client.checkpoint(arn.replace("handler", "other"), first.token or "", [], "third")
        with pytest.raises(ServiceError, match="Invalid checkpoint token"):
            await client.checkpoint("nobody", first.token or "", [], "third")
        with pytest.raises(ServiceError, match="Invalid current STEP state") as refusal:
            await client.checkpoint(arn, first.token or "", [step("a", "START")], "fourth")
        assert not refusal.value.is_retryable
        return "done"

    function = fake(handler)
    async with Service("memory://") as service:
        service.register(function)

        assert await (await service.start(function, None)).result() == "done"


async def test_state_is_read_in_pages() -> None:
    async def read(client: DurableClient, arn: str, token: str) -> list[str | None]:
        names: list[str | None] = []
        marker: str | None = ""
        while marker is not None:
            page = await client.get_state(arn, token, marker, max_items=2)
            names += [operation.name for operation in page.operations]
            marker = page.next_marker
        return names

    async def handler(run: Run) -> object:
        await run.send(*(step(name, "START") for name in "abcd"))
        assert run.token is not None
        with pytest.raises(ServiceError, match="Invalid Marker"):
            await run.client.get_state(run.invocation.arn, run.token, "x")
        with pytest.raises(ServiceError, match="Invalid checkpoint token"):
            await run.client.get_state(run.invocation.arn, run.invocation.checkpoint_token, "")
        return await read(run.client, run.invocation.arn, run.token)

    function = fake(handler)
    async with Service("memory://") as service:
        service.register(function)

        assert await (await service.start(function, None, name="x")).result() == ["x", "a", "b", "c", "d"]


async def test_a_stopped_executions_handler_can_record_nothing_more() -> None:
    refused: list[str] = []
    stopped = asyncio.Event()

    async def handler(run: Run) -> object:
        await run.send(step("a", "START"))
        await stopped.wait()
        try:
            await run.send(step("a", "SUCCEED"))
        except ServiceError as error:
            refused.append(str(error))
            raise
        return "never"

    function = fake(handler)
    async with Service("memory://") as service:
        service.register(function)
        execution = await service.start(function, None)
        await eventually(lambda: function.invocations == 1)
        await service.stop(execution.arn)
        stopped.set()
        with pytest.raises(ExecutionFailed, match="STOPPED"):
            await execution.result()
        await settled()
        history = [event["EventType"] for event in await service.history(execution.arn)]

    assert refused == ["InvalidParameterValueException: Invalid checkpoint token"]
    assert history == ["ExecutionStarted", "StepStarted", "ExecutionStopped", "InvocationCompleted"]
    assert function.invocations == 1


# Leaving


async def test_leaving_lets_running_invocations_end_within_the_grace() -> None:
    going = asyncio.Event()

    async def handler(run: Run) -> object:
        await going.wait()
        return await run.step("a", lambda: 1)

    function, store = fake(handler), MemoryStore()
    async with Service(store, grace=5) as service:
        service.register(function)
        execution = await service.start(function, None)
        await eventually(lambda: function.invocations == 1)
        asyncio.get_running_loop().call_later(0.01, going.set)

    snapshot = await store.load(execution.arn.rsplit("/", 1)[1])
    assert snapshot is not None
    assert (snapshot.execution.status, snapshot.execution.result) == ("SUCCEEDED", "1")


async def test_a_handler_may_use_the_service_while_it_is_left() -> None:
    going = asyncio.Event()

    async def handler(run: Run) -> object:
        if run.input != "other":
            await going.wait()
            await service.start(function, "other", name="other")
        return None

    function, store = fake(handler), MemoryStore()
    async with Service(store) as service:
        service.register(function)
        await service.start(function, None)
        await eventually(lambda: function.invocations == 1)
        asyncio.get_running_loop().call_soon(going.set)

    assert await store.find("handler", "other") is not None
    assert function.invocations == 1


async def test_leaving_begins_nothing_new() -> None:
    going = asyncio.Event()

    async def handler(run: Run) -> object:
        await going.wait()
        return None

    function = fake(handler)
    async with Service("memory://", max_invocations=1) as service:
        service.register(function)
        for _ in range(3):
            await service.start(function, None)
        await eventually(lambda: function.invocations == 1)
        asyncio.get_running_loop().call_soon(going.set)

    assert function.invocations == 1


async def test_what_is_cut_off_when_the_grace_is_over_goes_on_at_the_next_start() -> None:
    async def handler(run: Run) -> object:
        await run.step("a", lambda: 1)
        if run.number == 1:
            await asyncio.Event().wait()
        return run.number

    function, store = fake(handler), MemoryStore()
    async with Service(store, grace=0) as service:
        service.register(function)
        execution = await service.start(function, None, name="x")
        await eventually(lambda: function.invocations == 1)
        await settled()
    async with Service(store) as service:
        service.register(function)

        assert await (await service.start(function, None, name="x")).result() == 2
        history = [event["EventType"] for event in await service.history(execution.arn)]

    assert history[3:] == ["InvocationCompleted", "InvocationCompleted", "ExecutionSucceeded"]


async def test_an_invocation_may_be_cut_off_before_its_first_turn() -> None:
    async def handler(run: Run) -> object:
        return "done"

    function, store = fake(handler), MemoryStore()
    async with asyncio.timeout(1):
        async with Service(store, grace=0) as service:
            service.register(function)
            execution = await service.start(function, None)
        async with Service(store) as service:
            service.register(function)

            assert await service.execution(function, execution.arn).result() == "done"

    assert function.invocations == 1


async def test_executions_of_a_function_wait_until_it_is_registered() -> None:
    async def handler(run: Run) -> object:
        return "slept" if await run.pause("nap", 60) else PENDING

    function, store, clock = fake(handler), MemoryStore(), ManualClock()
    async with Service(store, clock=clock) as service:
        service.register(function)
        execution = await service.start(function, None)
        await eventually(lambda: bool(function.outputs))
    async with Service(store, clock=clock) as service:
        clock.move(seconds=60)
        await settled()
        assert function.invocations == 1
        service.register(function)

        assert await service.execution(function, execution.arn).result() == "slept"
