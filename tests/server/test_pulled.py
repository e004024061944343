"""Who gets which invocation, and when a worker is taken for gone."""

from __future__ import annotations

import asyncio

import pytest

from everstep.server.code import FunctionCall
from everstep.server.pulled import Pulled, Source, next_calls
from everstep.service.functions import FunctionError


def call_of(request_id: str, version: str = "$LATEST") -> FunctionCall:
    return FunctionCall(function="f", version=version, arn="f", request_id=request_id, payload="1", deadline_ms=0)


async def test_a_worker_of_several_functions_gets_the_call_that_has_waited_longest() -> None:
    first, second = Pulled("first"), Pulled("second")
    both = [Source(first, None), Source(second, None)]
    calls = [asyncio.create_task(pulled.call(call_of(name))) for pulled, name in ((second, "a"), (first, "b"), (second, "c"))]
    await asyncio.sleep(0)

    got = [*await next_calls(both, ["worker.0"]), *await next_calls(both, ["worker.1", "worker.2", "worker.3"])]

    assert [(taken.worker, taken.pulled.name, taken.call.request_id) for taken in got] == [
        ("worker.0", "second", "a"),
        ("worker.1", "first", "b"),
        ("worker.2", "second", "c"),
    ]
    for taken in got:
        assert taken.pulled.settle(taken.call.request_id, taken.call.request_id)
    assert await asyncio.gather(*calls) == ["a", "b", "c"]


async def test_a_call_that_comes_later_wakes_the_worker_once_whichever_function_it_is_of() -> None:
    first, second = Pulled("first"), Pulled("second")
    asking = asyncio.create_task(next_calls([Source(first, "1"), Source(second, None)], ["worker"]))
    await asyncio.sleep(0)
    calls = [asyncio.create_task(pulled.call(call_of(name))) for pulled, name in ((first, "latest"), (second, "a"), (second, "b"))]

    ((_, pulled, call),) = await asking

    assert (pulled, call.request_id) == (second, "a")
    assert (first.waiting, second.waiting, first.asking, second.asking) == (1, 1, 0, 0)
    for one in calls:
        one.cancel()
    await asyncio.gather(*calls, return_exceptions=True)


async def test_what_a_worker_that_left_while_it_was_given_work_does_not_get_waits_for_the_next() -> None:
    pulled = Pulled("f")
    asking = asyncio.create_task(next_calls([Source(pulled, None)], ["leaving"]))
    await asyncio.sleep(0)
    calling = asyncio.create_task(pulled.call(call_of("a")))
    await asyncio.sleep(0)
    asking.cancel()
    await asyncio.gather(asking, return_exceptions=True)

    (taken,) = await next_calls([Source(pulled, None)], ["next"])

    assert taken.call.request_id == "a"
    pulled.settle("a", "done")
    assert await calling == "done"


async def test_a_worker_is_missed_only_when_it_has_not_come_back() -> None:
    pulled = Pulled("f")
    pulled.arrived("worker")
    calling = asyncio.create_task(pulled.call(call_of("a")))
    await next_calls([Source(pulled, None)], ["worker.3"])
    pulled.arrived("worker")
    pulled.departed("worker")
    pulled.miss("worker")
    await asyncio.sleep(0)
    assert not calling.done()

    pulled.departed("worker")
    pulled.miss("worker")

    with pytest.raises(FunctionError, match="is gone"):
        await calling


async def test_calls_that_come_at_once_are_spread_over_the_workers_that_have_room() -> None:
    pulled = Pulled("f")
    asking = [asyncio.create_task(next_calls([Source(pulled, None)], [f"{name}.{slot}" for slot in range(4)])) for name in ("a", "b")]
    await asyncio.sleep(0)
    calls = [asyncio.create_task(pulled.call(call_of(str(number)))) for number in range(9)]

    given = await asyncio.gather(*asking)

    assert [len(taken) for taken in given] == [4, 4]
    assert pulled.waiting == 1
    for one in calls:
        one.cancel()
    await asyncio.gather(*calls, return_exceptions=True)
