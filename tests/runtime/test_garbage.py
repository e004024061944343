"""What an execution leaves behind: nothing that the garbage collector would have to find, whose pauses others wait for."""

from __future__ import annotations

import gc
from collections.abc import Callable, Generator
from contextlib import contextmanager

import pytest

from everstep import DurableContext, SyncContext, durable
from everstep.handler import DurableHandler
from everstep.service.embedded import Service
from everstep.service.stores.memory import MemoryStore


async def double(number: int) -> int:
    return 2 * number


@durable
async def steps(count: int, ctx: DurableContext) -> int:
    return sum([await ctx.step(double, number) for number in range(count)])


@durable
async def branches(count: int, ctx: DurableContext) -> int:
    async def branch(inner: DurableContext, number: int) -> int:
        return await inner.step(double, number)

    return sum(await ctx.map(range(count), branch))


@durable
async def naps(count: int, ctx: DurableContext) -> int:
    for _ in range(count):
        await ctx.wait(0.001)
    return count


@durable
def plain(count: int, ctx: SyncContext) -> int:
    return sum(ctx.step(lambda number: 2 * number, number) for number in range(count))


@contextmanager
def collected() -> Generator[Callable[[], list[str]]]:
    """What the collector finds in the block: the types of what is ours."""
    gc.collect()
    gc.disable()
    gc.set_debug(gc.DEBUG_SAVEALL)

    def found() -> list[str]:
        gc.collect()
        return sorted({type(one).__qualname__ for one in gc.garbage if type(one).__module__.startswith("everstep")})

    try:
        yield found
    finally:
        gc.set_debug(0)
        gc.garbage.clear()
        gc.enable()


@pytest.mark.parametrize("handler", [steps, branches, naps, plain], ids=lambda handler: handler.name)
async def test_an_execution_that_has_ended_is_gone_without_the_garbage_collector(handler: DurableHandler[int, int]) -> None:
    async with Service(MemoryStore()) as service:
        await (await service.start(handler, 3)).result()  # which imports and makes what stays
        with collected() as found:
            for _ in range(3):
                await (await service.start(handler, 3)).result()

            assert found() == []
