"""Suite 1: steps."""

from __future__ import annotations

import os

from everstep import DurableContext, Retry, StepError, durable, get_step_context
from tests.conformance.handlers.serdes import UpperCase


class TransientError(Exception):
    pass


async def greet(name: str) -> str:
    return f"Hello, {name}!"


async def fail() -> str:
    raise ValueError("it always fails")


async def fail_at_first(result: str, failures: int = 1) -> str:
    attempt = get_step_context().attempt
    if attempt <= failures:
        raise RuntimeError(f"attempt {attempt} fails")
    return result


@durable(warm_executions=0)
async def basic(event: str, ctx: DurableContext) -> str:
    """1-1: a step that succeeds at once."""
    return await ctx.step(greet, event)


@durable(warm_executions=0)
async def named(event: str, ctx: DurableContext) -> str:
    """1-2: a step with a name."""
    return await ctx.step(greet, event, name="custom_step_name")


@durable(warm_executions=0)
async def sequential(event: object, ctx: DurableContext) -> str:
    """1-3: a step that uses another one's result."""

    async def first() -> str:
        return "first"

    async def second(before: str) -> str:
        return f"{before}_second"

    return await ctx.step(second, await ctx.step(first))


@durable(warm_executions=0)
async def complex_result(event: dict[str, object], ctx: DurableContext) -> dict[str, object]:
    """1-4: an object as result."""

    async def describe_user() -> dict[str, object]:
        return {"user": {"name": event["name"], "tags": event["tags"]}, "count": 2}

    return await ctx.step(describe_user)


@durable(warm_executions=0)
async def no_result(event: object, ctx: DurableContext) -> None:
    """1-5: a step without a result."""

    async def nothing() -> None:
        return None

    return await ctx.step(nothing)


@durable(warm_executions=0)
async def own_serdes(event: str, ctx: DurableContext) -> str:
    """1-6: a step with a serdes of its own."""

    async def echo() -> str:
        return event

    return await ctx.step(echo, serdes=UpperCase())


@durable(warm_executions=0)
async def logs(event: str, ctx: DurableContext) -> str:
    """1-7: a step that logs."""

    async def greet_aloud(name: str) -> str:
        ctx.logger.info("Greeting step started for: %s", name)
        greeting = await greet(name)
        ctx.logger.info("Greeting step completed with: %s", greeting)
        return greeting

    return await ctx.step(greet_aloud, event)


@durable(warm_executions=0)
async def replayed(event: object, ctx: DurableContext) -> str:
    """1-8: a step before a wait."""

    async def compute() -> str:
        return "computed"

    result = await ctx.step(compute)
    await ctx.wait(2)
    return result


@durable(warm_executions=0)
async def not_run_again(event: object, ctx: DurableContext) -> str:
    """1-9: a step that a replay skips."""

    async def compute() -> str:
        return "cached_value"

    result = await ctx.step(compute)
    await ctx.wait(1)
    return result


@durable(warm_executions=0)
async def fails_again(event: object, ctx: DurableContext) -> str:
    """1-10: a failed step that raises again on replay."""
    try:
        await ctx.step(fail, retry=Retry.none())
    except StepError as error:
        await ctx.wait(1)
        return error.message
    return "did not fail"


@durable(warm_executions=0)
async def retried(event: object, ctx: DurableContext) -> str:
    """1-11: a step that succeeds at its second attempt."""
    return await ctx.step(fail_at_first, "Operation succeeded", retry=Retry.fixed(1, max_attempts=3))


@durable(warm_executions=0)
async def exhausted(event: object, ctx: DurableContext) -> str:
    """1-12: a step that fails at all of its four attempts."""
    return await ctx.step(fail, retry=Retry.fixed(1, max_attempts=4))


@durable(warm_executions=0)
async def default_retry(event: object, ctx: DurableContext) -> str:
    """1-13: the default retry strategy."""
    return await ctx.step(fail_at_first, "done", 2)


@durable(warm_executions=0)
async def own_retry(event: object, ctx: DurableContext) -> str:
    """1-14: delays of 2 and 6 seconds."""
    return await ctx.step(fail_at_first, "done", 2, retry=Retry(initial_delay=2, backoff_rate=3, jitter="none"))


@durable(warm_executions=0)
async def retried_by_kind(event: object, ctx: DurableContext) -> str:
    """1-15: only errors of a kind are retried; this is one."""

    async def flaky() -> str:
        if get_step_context().attempt == 1:
            raise TransientError("try again")
        return "done"

    return await ctx.step(flaky, retry=Retry(max_attempts=3, initial_delay=1, jitter="none", retry_on=[TransientError]))


@durable(warm_executions=0)
async def not_retried_by_kind(event: object, ctx: DurableContext) -> str:
    """1-16: only errors of a kind are retried; this is none."""

    async def flaky() -> str:
        raise TransientError("do not try again")

    return await ctx.step(flaky, retry=Retry(max_attempts=3, initial_delay=1, retry_on=[ValueError]))


@durable(warm_executions=0)
async def interrupted(event: str, ctx: DurableContext) -> str:
    """1-17: an at-most-once step whose process ends, without retry."""

    async def crash() -> str:
        ctx.logger.info("about to crash: %s", event)
        os._exit(1)

    return await ctx.step(crash, name="at_most_once_flaky_step", semantics="at_most_once", retry=Retry.none())


@durable(warm_executions=0)
async def interrupted_and_retried(event: str, ctx: DurableContext) -> str:
    """1-18: an at-most-once step whose process ends at the first attempt."""

    async def crash_at_first() -> str:
        ctx.logger.info("attempt %d: %s", get_step_context().attempt, event)
        if get_step_context().attempt == 1:
            os._exit(1)
        return "succeeded on second attempt"

    return await ctx.step(crash_at_first, semantics="at_most_once", retry=Retry.fixed(1, max_attempts=2))


@durable(warm_executions=0)
async def fails(event: object, ctx: DurableContext) -> str:
    """1-19: a step that fails."""
    return await ctx.step(fail, retry=Retry.none())


@durable(warm_executions=0)
async def fallback(event: object, ctx: DurableContext) -> str:
    """1-20: a failed step whose error is caught."""

    async def fall_back() -> str:
        return "fallback_result"

    try:
        return await ctx.step(fail, retry=Retry.none())
    except StepError:
        return await ctx.step(fall_back)
