"""The runner for tests that are coroutines."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable, Coroutine
from datetime import timedelta
from functools import wraps
from typing import ParamSpec

from everstep import DurableContext
from everstep.testing import AsyncRunner
from tests.testing.handlers import Order, caller, double, order, plain

P = ParamSpec("P")
LAMP = Order("17", 120)


def in_a_loop(test: Callable[P, Coroutine[object, object, None]]) -> Callable[P, None]:
    """What pytest-asyncio or anyio do."""

    @wraps(test)
    def run(*args: P.args, **kwargs: P.kwargs) -> None:
        asyncio.run(test(*args, **kwargs))

    return run


@in_a_loop
async def test_durable_time_is_virtual_on_a_real_loop(async_durable_runner: AsyncRunner) -> None:
    async_durable_runner.on_callback("approval", returns="yes", after=timedelta(days=3))
    began = time.monotonic()

    execution = await async_durable_runner.run(order, LAMP)

    assert execution.result.decision == "yes"
    assert timedelta(days=203) < execution.took < timedelta(days=203, minutes=1)
    assert time.monotonic() - began < 10


@in_a_loop
async def test_bodies_run_on_the_loop_of_the_test(async_durable_runner: AsyncRunner) -> None:
    loop, fixture = asyncio.get_running_loop(), asyncio.Event()

    async def body() -> bool:
        await fixture.wait()
        return asyncio.get_running_loop() is loop

    async def handler(event: None, ctx: DurableContext) -> bool:
        await ctx.wait(3600)
        return await ctx.step(body)

    loop.call_later(0.01, fixture.set)

    assert (await async_durable_runner.run(handler, None)).result


@in_a_loop
async def test_an_execution_goes_on_by_hand(async_durable_runner: AsyncRunner) -> None:
    execution = await async_durable_runner.start(order, LAMP)
    await execution.advance(timedelta(days=1))
    assert execution.record().operation("cool off").status == "STARTED"

    (await execution.until_callback("approval")).fail(PermissionError("no"))

    (await execution.finish()).assert_failed("PermissionError")


@in_a_loop
async def test_executions_run_beside_each_other(async_durable_runner: AsyncRunner) -> None:
    async_durable_runner.register(double)
    async_durable_runner.register(plain)
    async_durable_runner.on_callback("approval", returns="yes")

    async def short(event: int) -> int:
        return event * 2

    async_durable_runner.register(short, name="double")
    first, second = await asyncio.gather(async_durable_runner.run(caller, 1), async_durable_runner.run(order, LAMP))

    assert (first.result, second.result.decision) == (4, "yes")


@in_a_loop
async def test_an_execution_is_stopped(async_durable_runner: AsyncRunner) -> None:
    execution = await async_durable_runner.start(order, LAMP)

    execution.stop()

    (await execution.finish()).assert_status("STOPPED")
