"""Suite 5: invoking other functions."""

from __future__ import annotations

from typing import Final

from everstep import DurableContext, InvokeError, durable
from tests.conformance.handlers.serdes import BareUpperCase

ECHO: Final = "invoke-target-echo:$LATEST"
FAILING: Final = "invoke-target-fails:$LATEST"
OF_TENANT: Final = "invoke-target-of-tenant:$LATEST"


@durable(warm_executions=0)
async def target_echo(event: object, ctx: DurableContext) -> object:
    return event


@durable(warm_executions=0)
async def target_of_tenant(event: object, ctx: DurableContext) -> object:
    return event


@durable(warm_executions=0)
async def target_fails(event: object, ctx: DurableContext) -> object:
    raise ValueError("the target fails")


async def echo(value: object) -> object:
    return value


@durable(warm_executions=0)
async def basic(event: object, ctx: DurableContext) -> object:
    """5-1: an invoke."""
    return await ctx.invoke(ECHO, event)


@durable(warm_executions=0)
async def named(event: dict[str, str], ctx: DurableContext) -> object:
    """5-2: an invoke with a name."""
    return await ctx.invoke(ECHO, event["payload"], name=event["name"])


@durable(warm_executions=0)
async def complex_result(event: object, ctx: DurableContext) -> object:
    """5-3: an object there and back."""
    return await ctx.invoke(ECHO, event)


@durable(warm_executions=0)
async def no_result(event: object, ctx: DurableContext) -> object:
    """5-4: nothing there and back."""
    return await ctx.invoke(ECHO, None)


@durable(warm_executions=0)
async def fails(event: object, ctx: DurableContext) -> object:
    """5-5: a target that fails."""
    return await ctx.invoke(FAILING, "input")


@durable(warm_executions=0)
async def caught(event: object, ctx: DurableContext) -> object:
    """5-6: a target that fails, and its error is caught."""
    try:
        return await ctx.invoke(FAILING, "input")
    except InvokeError:
        return "fallback"


@durable(warm_executions=0)
async def large(event: object, ctx: DurableContext) -> int:
    """5-7: a large payload."""
    return len(await ctx.invoke(ECHO, "x" * 200_000, returns=str))


@durable(warm_executions=0)
async def for_tenant(event: dict[str, str], ctx: DurableContext) -> object:
    """5-8: a target with isolated tenants."""
    return await ctx.invoke(OF_TENANT, event["payload"], tenant_id=event["tenantId"])


@durable(warm_executions=0)
async def replayed(event: object, ctx: DurableContext) -> object:
    """5-9: an invoke before a wait."""
    result = await ctx.invoke(ECHO, "input")
    await ctx.wait(1)
    return result


@durable(warm_executions=0)
async def fails_again(event: object, ctx: DurableContext) -> object:
    """5-10: a failed invoke that raises again on replay."""
    result: object = "no failure"
    try:
        await ctx.invoke(FAILING, "input")
    except InvokeError as error:
        result = error.message
    await ctx.wait(1)
    return result


@durable(warm_executions=0)
async def after_step(event: object, ctx: DurableContext) -> object:
    """5-11: a step, then an invoke."""
    return await ctx.invoke(ECHO, await ctx.step(echo, "prepared"))


@durable(warm_executions=0)
async def before_step(event: object, ctx: DurableContext) -> object:
    """5-12: an invoke, then a step."""
    return await ctx.step(echo, await ctx.invoke(ECHO, "input"))


@durable(warm_executions=0)
async def in_child(event: object, ctx: DurableContext) -> object:
    """5-13: an invoke in a child context."""

    async def call(child: DurableContext) -> object:
        return await child.invoke(ECHO, "input")

    return await ctx.run_in_child_context(call)


@durable(warm_executions=0)
async def sequential(event: object, ctx: DurableContext) -> list[object]:
    """5-14: two invokes."""
    return [await ctx.invoke(ECHO, "first"), await ctx.invoke(ECHO, "second")]


@durable(warm_executions=0)
async def own_payload(event: dict[str, str], ctx: DurableContext) -> object:
    """5-15: a payload that is changed on its way."""
    return await ctx.invoke(ECHO, event["data"].upper())


@durable(warm_executions=0)
async def own_serdes(event: object, ctx: DurableContext) -> str:
    """5-16: a result that is read in a way of one's own."""
    return await ctx.invoke(ECHO, event, serdes=BareUpperCase())
