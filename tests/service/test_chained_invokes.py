"""Handlers that invoke other functions of the same service: durable children, and plain async functions."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import date, timedelta
from typing import cast

import pytest
from tests.service.fakes import PENDING, Handler, ManualClock, Run, eventually, fake, played_out

from everstep.protocol.shapes import ErrorObject, InvocationOutput
from everstep.service.embedded import Service
from everstep.service.stores.memory import MemoryStore


def caller(function: str, payload: object = None) -> Handler:
    """A handler that invokes one function and returns how that ended."""

    async def parent(run: Run) -> object:
        operation = await run.invoke("call", function, payload)
        details = operation.chained_invoke_details
        if operation.status == "STARTED":
            return PENDING
        assert details is not None
        return [operation.status, details.result, details.error and details.error.error_type, details.error and details.error.error_message]

    return parent


async def outcome(register: Callable[[Service], None], function: str, payload: object = None) -> Sequence[object]:
    clock, parent = ManualClock(), fake(caller(function, payload))
    async with Service("memory://", clock=clock, grace=0) as service:
        service.register(parent)
        register(service)
        result = await played_out(clock, (await service.start(parent, None)).result())
        assert isinstance(result, list)
        return cast("Sequence[object]", result)


async def double(event: int) -> int:
    return 2 * event


async def nothing(event: object) -> None:
    pass


async def broken(event: object) -> object:
    raise LookupError("no such price")


async def unwritable(event: object) -> object:
    return object()


async def hanging(event: object) -> object:
    await asyncio.Event().wait()
    return None


async def test_a_plain_function_answers_with_json() -> None:
    assert await outcome(lambda service: service.register(double), "double", 21) == ["SUCCEEDED", "42", None, None]
    assert await outcome(lambda service: service.register(nothing), "nothing") == ["SUCCEEDED", "null", None, None]
    assert await outcome(lambda service: service.register(double, name="zwei"), "zwei", 1) == ["SUCCEEDED", "2", None, None]


@dataclass
class Order:
    count: int
    ready: date


async def day_after(event: Order) -> Order:
    return Order(event.count, event.ready + timedelta(days=1))


async def test_a_plain_function_reads_and_writes_what_its_annotations_say() -> None:
    given = {"count": 1, "ready": "2026-03-01"}

    assert await outcome(lambda service: service.register(day_after), "day_after", given) == [
        "SUCCEEDED",
        '{"count":1,"ready":"2026-03-02"}',
        None,
        None,
    ]
    status, _, kind, _ = await outcome(lambda service: service.register(day_after), "day_after", "tomorrow")
    assert (status, kind) == ("FAILED", "everstep.errors.SerializationError")


async def test_a_plain_function_fails_with_its_error() -> None:
    assert await outcome(lambda service: service.register(broken), "broken") == ["FAILED", None, "LookupError", "no such price"]
    status, _, kind, _ = await outcome(lambda service: service.register(unwritable), "unwritable")
    assert (status, kind) == ("FAILED", "everstep.errors.SerializationError")


async def test_a_plain_function_that_hangs_is_given_up() -> None:
    status, *_ = await outcome(lambda service: service.register(hanging, invocation_timeout=1), "hanging")

    assert status == "TIMED_OUT"  # by the service's clock, which is moved past it before a real second is over


async def test_an_unknown_function_fails_at_once() -> None:
    status, _, kind, message = await outcome(lambda service: None, "nobody")

    assert (status, kind) == ("FAILED", "ResourceNotFoundException")
    assert "function:nobody:$LATEST" in str(message)


async def child(run: Run) -> object:
    return {"slept": run.input} if await run.pause("nap", 30) else PENDING


async def unhappy(run: Run) -> object:
    return InvocationOutput(status="FAILED", error=ErrorObject(error_type="ValueError", error_message="no"))


async def test_a_durable_child_answers_when_it_ends() -> None:
    function = fake(child)

    assert await outcome(lambda service: service.register(function), "child", 7) == ["SUCCEEDED", '{"slept": 7}', None, None]
    assert function.invocations == 2


async def test_a_durable_child_fails_and_times_out_with_its_error() -> None:
    assert await outcome(lambda service: service.register(fake(unhappy)), "unhappy") == ["FAILED", None, "ValueError", "no"]
    timed_out = await outcome(lambda service: service.register(fake(child), execution_timeout=10), "child")
    assert timed_out == ["TIMED_OUT", None, "ChainedInvoke.Timeout", "CHAINED_INVOKE timed out after 10 seconds."]


async def test_a_stopped_child_stops_its_parents_operation() -> None:
    parent, function, clock = fake(caller("child")), fake(child), ManualClock()
    async with Service("memory://", clock=clock) as service:
        service.register(parent)
        service.register(function)
        execution = await service.start(parent, None)
        await eventually(lambda: bool(function.outputs))
        (started,) = await service.list(function="child")
        await service.stop(started.arn, error=ErrorObject(error_type="Enough"))

        assert await execution.result() == ["STOPPED", None, "Enough", None]


async def test_a_child_survives_its_parents_end() -> None:
    parent, function, clock = fake(caller("child")), fake(child), ManualClock()
    async with Service("memory://", clock=clock) as service:
        service.register(parent)
        service.register(function)
        execution = await service.start(parent, None)
        await eventually(lambda: bool(function.outputs))
        await service.stop(execution.arn)
        (started,) = await service.list(function="child")

        assert await played_out(clock, service.execution(function, started.arn).result()) == {"slept": None}


async def test_a_child_may_have_children_of_its_own() -> None:
    async def middle(run: Run) -> object:
        operation = await run.invoke("call", "double", 4)
        return PENDING if operation.status == "STARTED" else operation.chained_invoke_details and operation.chained_invoke_details.result

    def register(service: Service) -> None:
        service.register(fake(middle))
        service.register(double)

    assert await outcome(register, "middle") == ["SUCCEEDED", '"8"', None, None]


@pytest.mark.parametrize("is_durable", [True, False])
async def test_a_call_that_a_dead_process_made_is_made_good(is_durable: bool) -> None:
    store, clock = MemoryStore(), ManualClock()
    calls: list[object] = []
    parent = fake(caller("target", 3))

    async def plain(event: object) -> object:
        calls.append(event)
        if len(calls) == 1:
            await asyncio.Event().wait()
        return event

    async def durable(run: Run) -> object:
        calls.append(run.input)
        if len(calls) == 1:
            await asyncio.Event().wait()
        return run.input

    target = fake(durable)

    def register(service: Service) -> None:
        if is_durable:
            service.register(target, name="target")
        else:
            service.register(plain, name="target")

    async with Service(store, clock=clock, grace=0) as service:
        service.register(parent)
        register(service)
        execution = await service.start(parent, None)
        await eventually(lambda: bool(parent.outputs) and bool(calls))
    async with Service(store, clock=clock) as service:
        service.register(parent)
        register(service)

        assert await service.execution(parent, execution.arn).result() == ["SUCCEEDED", "3", None, None]

    assert calls == [3, 3]


async def test_a_plain_function_that_is_registered_late_is_called_then() -> None:
    store, clock, parent = MemoryStore(), ManualClock(), fake(caller("hanging"))
    async with Service(store, clock=clock, grace=0) as service:
        service.register(parent)
        service.register(hanging)
        execution = await service.start(parent, None)
        await eventually(lambda: bool(parent.outputs))
    async with Service(store, clock=clock) as service:
        service.register(parent)
        await asyncio.sleep(0)
        service.register(nothing, name="hanging")

        assert await service.execution(parent, execution.arn).result() == ["SUCCEEDED", "null", None, None]
