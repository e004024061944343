"""Suite 6: waiting for conditions."""

from __future__ import annotations

from everstep import DurableContext, Poll, WaitForConditionError, durable
from tests.conformance.handlers.serdes import Prefixed


async def increment(state: int) -> int:
    return state + 1


async def fail(state: int) -> int:
    raise ValueError("the check fails")


@durable(warm_executions=0)
async def basic(event: int, ctx: DurableContext) -> int:
    """6-1: a counter that reaches a threshold."""
    return await ctx.wait_for_condition(increment, 0, poll=Poll.fixed(lambda state: state >= event, 1))


@durable(warm_executions=0)
async def immediate(event: int, ctx: DurableContext) -> int:
    """6-2: a condition that is met at once."""

    async def unchanged(state: int) -> int:
        return state

    return await ctx.wait_for_condition(unchanged, 5, poll=Poll.fixed(lambda state: state >= 5, 1))


@durable(warm_executions=0)
async def named(event: int, ctx: DurableContext) -> int:
    """6-3: a condition with a name."""
    return await ctx.wait_for_condition(increment, 0, poll=Poll.fixed(lambda state: state >= 2, 1), name="poll-status")


@durable(warm_executions=0)
async def initial_state(event: int, ctx: DurableContext) -> int:
    """6-4: an initial state other than zero."""
    return await ctx.wait_for_condition(increment, 5, poll=Poll.fixed(lambda state: state >= event, 1))


@durable(warm_executions=0)
async def fixed_delay(event: int, ctx: DurableContext) -> int:
    """6-5: a delay of two seconds."""
    return await ctx.wait_for_condition(increment, 0, poll=Poll.fixed(lambda state: state >= event, 2))


@durable(warm_executions=0)
async def exhausted(event: int, ctx: DurableContext) -> int:
    """6-6: a condition that is not met within three polls."""

    def never(state: int) -> bool:
        return False

    return await ctx.wait_for_condition(increment, 0, poll=Poll.fixed(never, 1, max_attempts=3))


@durable(warm_executions=0)
async def fails(event: object, ctx: DurableContext) -> int:
    """6-7: a check that raises."""
    return await ctx.wait_for_condition(fail, 0, poll=Poll.fixed(lambda state: True, 1))


@durable(warm_executions=0)
async def caught(event: object, ctx: DurableContext) -> str:
    """6-8: a check that raises, and its error is caught."""
    try:
        state = await ctx.wait_for_condition(fail, 0, poll=Poll.fixed(lambda state: True, 1))
        return str(state)
    except WaitForConditionError:
        return "recovered"


@durable(warm_executions=0)
async def structured(event: object, ctx: DurableContext) -> dict[str, object]:
    """6-9: an object as state."""

    async def look(state: dict[str, object]) -> dict[str, object]:
        attempts = int(str(state["attempts"])) + 1
        return {"status": "DONE" if attempts >= 2 else "PENDING", "attempts": attempts}

    initial: dict[str, object] = {"status": "PENDING", "attempts": 0}
    return await ctx.wait_for_condition(look, initial, poll=Poll.fixed(lambda state: state["status"] == "DONE", 1))


@durable(warm_executions=0)
async def no_state(event: object, ctx: DurableContext) -> None:
    """6-10: no state at all."""

    async def nothing(state: None) -> None:
        return None

    return await ctx.wait_for_condition(nothing, None, poll=Poll.fixed(lambda state: True, 1))


@durable(warm_executions=0)
async def own_serdes(event: object, ctx: DurableContext) -> str:
    """6-11: a state with a serdes of its own."""

    async def append(state: str) -> str:
        return state + "x"

    return await ctx.wait_for_condition(append, "", poll=Poll.fixed(lambda state: len(state) >= 2, 1), serdes=Prefixed("state:"))


@durable(warm_executions=0)
async def before_step(event: int, ctx: DurableContext) -> int:
    """6-12: a step that uses the state."""

    async def multiply(value: int) -> int:
        return value * 10

    return await ctx.step(multiply, await ctx.wait_for_condition(increment, 0, poll=Poll.fixed(lambda state: state >= event, 1)))


@durable(warm_executions=0)
async def sequential(event: object, ctx: DurableContext) -> int:
    """6-13: two conditions, the second from the first one's state."""
    first = await ctx.wait_for_condition(increment, 0, poll=Poll.fixed(lambda state: state >= 2, 1))
    return await ctx.wait_for_condition(increment, first, poll=Poll.fixed(lambda state: state >= 4, 1))
