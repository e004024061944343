"""Suite 3: child contexts."""

from __future__ import annotations

import asyncio
import os
import tempfile
from pathlib import Path

from everstep import ChildContextError, DurableContext, Retry, durable, get_step_context
from tests.conformance.handlers.serdes import BareUpperCase


async def echo(value: str) -> str:
    return value


async def fail() -> str:
    raise ValueError("it always fails")


async def one_step(child: DurableContext, value: str) -> str:
    return await child.step(echo, value)


async def failing_step(child: DurableContext) -> str:
    return await child.step(fail, retry=Retry.none())


@durable(warm_executions=0)
async def basic(event: str, ctx: DurableContext) -> str:
    """3-1: a context with a step."""
    return await ctx.run_in_child_context(one_step, event)


@durable(warm_executions=0)
async def named(event: dict[str, str], ctx: DurableContext) -> str:
    """3-2: a context with a name."""
    return await ctx.run_in_child_context(one_step, event["value"], name=event["name"])


@durable(warm_executions=0)
async def sequential(event: str, ctx: DurableContext) -> str:
    """3-3: a context with two steps."""

    async def two_steps(child: DurableContext) -> str:
        return await child.step(echo, await child.step(echo, event))

    return await ctx.run_in_child_context(two_steps)


@durable(warm_executions=0)
async def fails(event: object, ctx: DurableContext) -> str:
    """3-4: a context whose step fails."""
    return await ctx.run_in_child_context(failing_step)


@durable(warm_executions=0)
async def caught(event: str, ctx: DurableContext) -> str:
    """3-5: a failed context whose error is caught."""
    try:
        return await ctx.run_in_child_context(failing_step)
    except ChildContextError:
        return await ctx.step(echo, event)


@durable(warm_executions=0)
async def nested(event: str, ctx: DurableContext) -> str:
    """3-6: a context in a context."""

    async def outer(child: DurableContext) -> str:
        return await child.run_in_child_context(one_step, await child.step(echo, event), name="inner")

    return await ctx.run_in_child_context(outer)


@durable(warm_executions=0)
async def retried(event: str, ctx: DurableContext) -> str:
    """3-7: a context whose step succeeds at its second attempt."""

    async def flaky() -> str:
        if get_step_context().attempt == 1:
            raise RuntimeError("the first attempt fails")
        return event

    async def flaky_step(child: DurableContext) -> str:
        return await child.step(flaky, retry=Retry.fixed(1, max_attempts=3))

    return await ctx.run_in_child_context(flaky_step)


@durable(warm_executions=0)
async def exhausted(event: object, ctx: DurableContext) -> str:
    """3-8: a context whose step fails at both attempts."""

    async def failing_twice(child: DurableContext) -> str:
        return await child.step(fail, retry=Retry.fixed(1, max_attempts=2))

    return await ctx.run_in_child_context(failing_twice)


@durable(warm_executions=0)
async def replayed(event: str, ctx: DurableContext) -> str:
    """3-9: a context before a wait."""
    result = await ctx.run_in_child_context(one_step, event)
    await ctx.wait(1)
    return result


@durable(warm_executions=0)
async def with_wait(event: str, ctx: DurableContext) -> str:
    """3-10: a context with a step and a wait."""

    async def step_and_wait(child: DurableContext) -> str:
        result = await child.step(echo, event)
        await child.wait(1)
        return result

    return await ctx.run_in_child_context(step_and_wait)


@durable(warm_executions=0)
async def large(event: str, ctx: DurableContext) -> int:
    """3-11: a context whose result is too large to be recorded, so that its body runs again on replay."""

    async def large_result(child: DurableContext) -> str:
        small = await child.step(echo, event)
        # The logger below ctx.logger is not silent on replay.
        ctx.logger.logger.info("building a large result from %s", small, extra={"executionArn": ctx.execution_arn})
        return small * (300 * 1024 // len(small))

    result = await ctx.run_in_child_context(large_result)
    await ctx.wait(1)
    return len(result)


@durable(warm_executions=0)
async def interrupted(event: str, ctx: DurableContext) -> str:
    """3-12: a context whose step's process ends at the first attempt."""
    seen = Path(tempfile.gettempdir()) / f"everstep-conformance-{ctx.execution_arn.rsplit('/', 1)[-1]}"

    async def crash_at_first() -> str:
        if not seen.exists():
            seen.touch()
            await asyncio.sleep(0.5)  # a step that is only just beginning leaves no record
            os._exit(1)
        seen.unlink()
        return event

    async def crashing_step(child: DurableContext) -> str:
        return await child.step(crash_at_first)

    return await ctx.run_in_child_context(crashing_step)


@durable(warm_executions=0)
async def only_wait(event: str, ctx: DurableContext) -> str:
    """3-13: a context with a wait alone, and a step after it."""

    async def wait(child: DurableContext) -> str:
        await child.wait(1)
        return event

    return await ctx.step(echo, await ctx.run_in_child_context(wait))


@durable(warm_executions=0)
async def own_serdes(event: str, ctx: DurableContext) -> str:
    """3-14: a context with a serdes of its own."""
    return await ctx.run_in_child_context(one_step, event, serdes=BareUpperCase())


@durable(warm_executions=0)
async def fails_by_itself(event: object, ctx: DurableContext) -> str:
    """3-15: a context whose body raises."""

    async def failing(child: DurableContext) -> str:
        raise ValueError("the body fails")

    return await ctx.run_in_child_context(failing)


@durable(warm_executions=0)
async def no_result(event: object, ctx: DurableContext) -> None:
    """3-16: a context without a result."""

    async def nothing(child: DurableContext) -> None:
        return None

    return await ctx.run_in_child_context(nothing)


@durable(warm_executions=0)
async def only_logs(event: str, ctx: DurableContext) -> str:
    """3-17: a context that logs, and is not run again on replay."""

    async def log(child: DurableContext) -> str:
        ctx.logger.logger.info("in the context: %s", event, extra={"executionArn": ctx.execution_arn})
        return event

    result = await ctx.run_in_child_context(log)
    await ctx.wait(1)
    return result


@durable(warm_executions=0)
async def mixed(event: str, ctx: DurableContext) -> str:
    """3-18: steps and waits inside a context and after it."""

    async def step_and_wait(child: DurableContext) -> str:
        result = await child.step(echo, event)
        await child.wait(1)
        return result

    result = await ctx.step(echo, await ctx.run_in_child_context(step_and_wait))
    await ctx.wait(1)
    return result
