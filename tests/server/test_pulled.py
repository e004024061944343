"""Who gets which invocation, and when a worker is taken for gone."""

from __future__ import annotations

import asyncio

import pytest

from everstep.server.code import FunctionCall
from everstep.server.pulled import Pulled, Source, next_call
from everstep.service.functions import FunctionError


def call_of(request_id: str, version: str = "$LATEST") -> FunctionCall:
    return FunctionCall(function="f", version=version, arn="f", request_id=request_id, payload="1", deadline_ms=0)


async def test_a_worker_of_several_functions_gets_the_call_that_has_waited_longest() -> None:
    first, second = Pulled("first"), Pulled("second")
    both = [Source(first, None), Source(second, None)]
    calls = [asyncio.create_task(pulled.call(call_of(name))) for pulled, name in ((second, "a"), (first, "b"), (second, "c"))]
    await asyncio.sleep(0)

    got = [await next_call(both, f"worker.{slot}") for slot in range(3)]

    assert [(pulled.name, call.request_id) for pulled, call in got] == [("second", "a"), ("first", "b"), ("second", "c")]
    for pulled, call in got:
        assert pulled.settle(call.request_id, call.request_id)
    assert await asyncio.gather(*calls) == ["a", "b", "c"]


async def test_a_call_that_comes_later_wakes_the_worker_once_whichever_function_it_is_of() -> None:
    first, second = Pulled("first"), Pulled("second")
    asking = asyncio.create_task(next_call([Source(first, "1"), Source(second, None)], "worker"))
    await asyncio.sleep(0)
    calls = [asyncio.create_task(pulled.call(call_of(name))) for pulled, name in ((first, "latest"), (second, "a"), (second, "b"))]

    pulled, call = await asking

    assert (pulled, call.request_id) == (second, "a")
    assert (first.waiting, second.waiting, first.asking, second.asking) == (1, 1, 0, 0)
    for one in calls:
        one.cancel()
    await asyncio.gather(*calls, return_exceptions=True)


async def test_what_a_worker_that_left_while_it_was_given_work_does_not_get_waits_for_the_next() -> None:
    pulled = Pulled("f")
    asking = asyncio.create_task(next_call([Source(pulled, None)], "leaving"))
    await asyncio.sleep(0)
    calling = asyncio.create_task(pulled.call(call_of("a")))
    await asyncio.sleep(0)
    asking.cancel()
    await asyncio.gather(asking, return_exceptions=True)

    _, call = await next_call([Source(pulled, None)], "next")

    assert call.request_id == "a"
    pulled.settle("a", "done")
    assert await calling == "done"


async def test_a_worker_is_missed_only_when_it_has_not_come_back() -> None:
    pulled = Pulled("f")
    pulled.arrived("worker")
    calling = asyncio.create_task(pulled.call(call_of("a")))
    await next_call([Source(pulled, None)], "worker.3")
    pulled.arrived("worker")
    pulled.departed("worker")
    pulled.miss("worker")
    await asyncio.sleep(0)
    assert not calling.done()

    pulled.departed("worker")
    pulled.miss("worker")

    with pytest.raises(FunctionError, match="is gone"):
        await calling
