"""What an execution leaves behind: nothing that the garbage collector would have to find, whose pauses others wait for."""

from __future__ import annotations

import gc
from collections.abc import Callable, Collection, Generator
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
def collected() -> Generator[Callable[[Collection[str]], list[str]]]:
    """What the collector finds in the block, of executions with these ARNs; other tests may have left something that goes on meanwhile."""
    gc.collect()
    gc.disable()
    gc.set_debug(gc.DEBUG_SAVEALL)

    def found(arns: Collection[str]) -> list[str]:
        gc.collect()
        told = ((type(one).__qualname__, getattr(one, "arn", None) or getattr(one, "_arn", None)) for one in ours())
        return sorted({name for name, arn in told if arn in arns})

    try:
        yield found
    finally:
        gc.set_debug(0)
        gc.garbage.clear()
        gc.enable()


def ours() -> list[object]:
    return [one for one in gc.garbage if type(one).__module__.startswith("everstep.")]


@pytest.mark.parametrize("handler", [steps, branches, naps, plain], ids=lambda handler: handler.name)
async def test_an_execution_that_has_ended_is_gone_without_the_garbage_collector(handler: DurableHandler[int, int]) -> None:
    async with Service(MemoryStore()) as service:
        await (await service.start(handler, 3)).result()  # which imports and makes what stays
        with collected() as found:
            arns: list[str] = []
            for _ in range(3):
                execution = await service.start(handler, 3)
                await execution.result()
                arns.append(execution.arn)

            assert found(arns) == []
