"""Suite 7: waiting for callbacks."""

from __future__ import annotations

from everstep import CallbackError, CallbackTimeout, DurableContext, Retry, durable


async def submit(callback_id: str) -> None:
    pass


@durable(warm_executions=0)
async def basic(event: str, ctx: DurableContext) -> object:
    """7-1: a callback, named by the input."""
    return await ctx.wait_for_callback(submit, name=event)


@durable(warm_executions=0)
async def named(event: object, ctx: DurableContext) -> object:
    """7-2: a callback with a fixed name."""
    return await ctx.wait_for_callback(submit, name="approval")


@durable(warm_executions=0)
async def unnamed(event: object, ctx: DurableContext) -> object:
    """7-3: a submitter without a name."""
    return await ctx.wait_for_callback(lambda callback_id: None)


@durable(warm_executions=0)
async def fails(event: str, ctx: DurableContext) -> object:
    """7-4: a callback that fails."""
    return await ctx.wait_for_callback(submit, name=event)


@durable(warm_executions=0)
async def times_out(event: str, ctx: DurableContext) -> object:
    """7-5: a callback that times out."""
    return await ctx.wait_for_callback(submit, name=event, timeout=3)


@durable(warm_executions=0)
async def caught(event: str, ctx: DurableContext) -> object:
    """7-6: a callback that fails, and its error is caught."""
    try:
        return await ctx.wait_for_callback(submit, name=event)
    except CallbackError:
        return "recovered"


@durable(warm_executions=0)
async def submitter_fails(event: str, ctx: DurableContext) -> object:
    """7-7: a submitter that fails at both attempts."""

    async def failing(callback_id: str) -> None:
        raise ValueError("the submitter fails")

    return await ctx.wait_for_callback(failing, name=event, retry=Retry.fixed(1, max_attempts=2))


@durable(warm_executions=0)
async def in_child(event: str, ctx: DurableContext) -> object:
    """7-8: a callback in a child context."""

    async def wrapper(child: DurableContext) -> object:
        return await child.wait_for_callback(submit, name=event)

    return await ctx.run_in_child_context(wrapper)


@durable(warm_executions=0)
async def sequential(event: object, ctx: DurableContext) -> object:
    """7-9: two callbacks."""
    await ctx.wait_for_callback(submit, name="first")
    return await ctx.wait_for_callback(submit, name="second")


@durable(warm_executions=0)
async def mixed(event: str, ctx: DurableContext) -> object:
    """7-10: a wait, a step, a callback."""

    async def fixed() -> str:
        return "data"

    await ctx.wait(1)
    await ctx.step(fixed)
    return await ctx.wait_for_callback(submit, name=event)


@durable(warm_executions=0)
async def structured(event: str, ctx: DurableContext) -> str:
    """7-11: an object as result."""
    return (await ctx.wait_for_callback(submit, name=event, returns=dict[str, str]))["status"]


@durable(warm_executions=0)
async def misses_heartbeat(event: str, ctx: DurableContext) -> object:
    """7-12: a callback without heartbeat."""
    return await ctx.wait_for_callback(submit, name=event, heartbeat_timeout=5)


@durable(warm_executions=0)
async def heartbeat(event: str, ctx: DurableContext) -> object:
    """7-13: a callback with a heartbeat."""
    return await ctx.wait_for_callback(submit, name=event, heartbeat_timeout=10)


@durable(warm_executions=0)
async def timeout_caught(event: str, ctx: DurableContext) -> object:
    """7-14: a callback whose timeout is caught."""
    try:
        return await ctx.wait_for_callback(submit, name=event, timeout=3)
    except CallbackTimeout:
        return "timed-out-handled"


@durable(warm_executions=0)
async def no_result(event: str, ctx: DurableContext) -> object:
    """7-15: a callback without a result."""
    return await ctx.wait_for_callback(submit, name=event)
