"""Suite 4: callbacks."""

from __future__ import annotations

from everstep import CallbackError, CallbackTimeout, DurableContext, durable
from tests.conformance.handlers.serdes import Parsed, message, number


async def nothing() -> str:
    return "done"


@durable(warm_executions=0)
async def basic(event: str, ctx: DurableContext) -> object:
    """4-1: a callback."""
    return await (await ctx.create_callback(name=event))


@durable(warm_executions=0)
async def named(event: object, ctx: DurableContext) -> object:
    """4-2: a callback with a fixed name."""
    return await (await ctx.create_callback(name="approval"))


@durable(warm_executions=0)
async def times_out(event: str, ctx: DurableContext) -> object:
    """4-3: a callback that times out."""
    return await (await ctx.create_callback(name=event, timeout=5))


@durable(warm_executions=0)
async def misses_heartbeat(event: str, ctx: DurableContext) -> object:
    """4-4: a callback without heartbeat."""
    return await (await ctx.create_callback(name=event, heartbeat_timeout=5))


@durable(warm_executions=0)
async def heartbeat(event: str, ctx: DurableContext) -> object:
    """4-5: a callback with a heartbeat."""
    return await (await ctx.create_callback(name=event, heartbeat_timeout=10))


@durable(warm_executions=0)
async def fails(event: str, ctx: DurableContext) -> object:
    """4-6: a callback that fails."""
    return await (await ctx.create_callback(name=event))


@durable(warm_executions=0)
async def fails_after_step(event: str, ctx: DurableContext) -> object:
    """4-7: a step, then a callback that fails."""
    callback = await ctx.create_callback(name=event)
    await ctx.step(nothing)
    return await callback


@durable(warm_executions=0)
async def times_out_after_step(event: str, ctx: DurableContext) -> object:
    """4-8: a step, then a callback that times out."""
    callback = await ctx.create_callback(name=event, timeout=5)
    await ctx.step(nothing)
    return await callback


@durable(warm_executions=0)
async def during_wait(event: str, ctx: DurableContext) -> object:
    """4-9: a callback that is completed during a wait."""
    callback = await ctx.create_callback(name=event)
    await ctx.wait(5)
    return await callback


@durable(warm_executions=0)
async def fails_during_wait(event: str, ctx: DurableContext) -> object:
    """4-10: a callback that fails during a wait."""
    callback = await ctx.create_callback(name=event)
    await ctx.wait(5)
    return await callback


@durable(warm_executions=0)
async def times_out_during_wait(event: str, ctx: DurableContext) -> object:
    """4-11: a callback that times out during a wait."""
    callback = await ctx.create_callback(name=event, timeout=3)
    await ctx.wait(6)
    return await callback


@durable(warm_executions=0)
async def before_wait(event: str, ctx: DurableContext) -> object:
    """4-12: a callback, then a wait."""
    result = await (await ctx.create_callback(name=event))
    await ctx.wait(2)
    return result


@durable(warm_executions=0)
async def failure_caught(event: str, ctx: DurableContext) -> str:
    """4-13: a failed callback whose error is caught, then a wait."""
    said = "no failure"
    try:
        await (await ctx.create_callback(name=event))
    except CallbackError as error:
        said = error.message
    await ctx.wait(2)
    return said


@durable(warm_executions=0)
async def timeout_caught(event: str, ctx: DurableContext) -> str:
    """4-14: a callback whose timeout is caught, then a wait."""
    said = "no timeout"
    try:
        await (await ctx.create_callback(name=event, timeout=3))
    except CallbackTimeout as error:
        said = error.message
    await ctx.wait(2)
    return said


@durable(warm_executions=0)
async def own_serdes(event: str, ctx: DurableContext) -> dict[str, object]:
    """4-15: an object that is read in a way of one's own."""
    return {"received": await (await ctx.create_callback(name=event, serdes=Parsed(message)))}


@durable(warm_executions=0)
async def read_as_number(event: str, ctx: DurableContext) -> dict[str, object]:
    """4-16: a number that is sent as text."""
    count = await (await ctx.create_callback(name=event, serdes=Parsed(number)))
    assert isinstance(count, int)
    return {"count": count, "doubled": count * 2}


@durable(warm_executions=0)
async def one_after_the_other(event: list[str], ctx: DurableContext) -> list[object]:
    """4-17: two callbacks, the second created after the first is completed."""
    first = await (await ctx.create_callback(name=event[0]))
    second = await (await ctx.create_callback(name=event[1]))
    return [first, second]


@durable(warm_executions=0)
async def both(event: list[str], ctx: DurableContext) -> list[object]:
    """4-18: two callbacks at a time, awaited in order."""
    first, second = await ctx.create_callback(name=event[0]), await ctx.create_callback(name=event[1])
    return [await first, await second]


@durable(warm_executions=0)
async def both_reversed(event: list[str], ctx: DurableContext) -> list[object]:
    """4-19: two callbacks at a time, the second awaited first."""
    first, second = await ctx.create_callback(name=event[0]), await ctx.create_callback(name=event[1])
    last = await second
    return [await first, last]
