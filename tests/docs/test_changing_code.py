"""What docs/changing-code.md says about changes that it shows no code for: old code's history against the new code."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Coroutine, Sequence
from typing import TypeAlias

import pytest

from everstep import Completion, DurableContext, Retry
from everstep.handler import DurableHandler
from tests.docs.world import run_over_a_deploy, run_program
from tests.support.handlers import replay_with, run_handler

Handler: TypeAlias = Callable[[object, DurableContext], Coroutine[object, object, object]]


async def a(*_: object) -> str:
    return "a"


async def b() -> str:
    return "b"


async def other() -> str:
    return "other"


async def two_steps(event: object, ctx: DurableContext) -> list[str]:
    first = await ctx.step(a, 1)
    await ctx.wait(10)
    return [first, await ctx.step(b)]


async def other_bodies_arguments_options_and_waits(event: object, ctx: DurableContext) -> list[str]:
    first = await ctx.step(other, name="a", retry=Retry.none(), timeout=5, semantics="at_most_once")
    await ctx.wait(99)
    return [first, await ctx.step(b, retry=Retry.critical())]


async def more_at_the_end(event: object, ctx: DurableContext) -> list[str]:
    return [*await two_steps(event, ctx), await ctx.step(other)]


async def other_code_between(event: object, ctx: DurableContext) -> list[str]:
    return [x.upper() for x in await two_steps(event, ctx)]


async def fewer_at_the_end(event: object, ctx: DurableContext) -> list[str]:
    first = await ctx.step(a)
    await ctx.wait(10)
    return [first]


async def a_step_in_front(event: object, ctx: DurableContext) -> list[str]:
    await ctx.step(other)
    return await two_steps(event, ctx)


async def a_timer_in_between(event: object, ctx: DurableContext) -> list[str]:
    first = await ctx.step(a)
    await asyncio.sleep(5)
    await ctx.wait(10)
    return [first, await ctx.step(b)]


async def a_step_removed(event: object, ctx: DurableContext) -> list[str]:
    await ctx.wait(10)
    return [await ctx.step(b)]


async def another_order(event: object, ctx: DurableContext) -> list[str]:
    second = await ctx.step(b)
    await ctx.wait(10)
    return [await ctx.step(a), second]


async def another_name(event: object, ctx: DurableContext) -> list[str]:
    first = await ctx.step(a, name="alpha")
    await ctx.wait(10)
    return [first, await ctx.step(b)]


async def inside_a_child(event: object, ctx: DurableContext) -> list[str]:
    async def child(inner: DurableContext) -> str:
        return await inner.step(a)

    first = await ctx.run_in_child_context(child)
    await ctx.wait(10)
    return [first, await ctx.step(b)]


@pytest.mark.parametrize(
    ("handler", "result"),
    [(other_bodies_arguments_options_and_waits, '["a","b"]'), (other_code_between, '["A","B"]'), (fewer_at_the_end, '["a"]')],
)
def test_what_may_change_replays(handler: Handler, result: str) -> None:
    assert replay_with(run_handler(two_steps), handler)[:2] == ("SUCCEEDED", result)


@pytest.mark.parametrize("handler", [a_step_in_front, a_step_removed, another_order, another_name, inside_a_child])
def test_what_may_not_change_is_a_mismatch(handler: Handler) -> None:
    status, error, message = replay_with(run_handler(two_steps), handler)

    assert (status, error) == ("FAILED", "everstep.errors.ReplayMismatch")
    assert "is recorded as" in str(message)


@pytest.mark.parametrize("handler", [more_at_the_end, other_bodies_arguments_options_and_waits, other_code_between, a_timer_in_between])
@pytest.mark.parametrize("deploy_after_s", [0.5, 9])
def test_running_executions_go_on_with_what_may_change(handler: Handler, deploy_after_s: float) -> None:
    result = run_program(run_over_a_deploy(DurableHandler(two_steps), DurableHandler(handler), None, deploy_after_s))

    assert str(result).lower().startswith("['a', 'b'")


def same_name(bodies: Sequence[Callable[[], Coroutine[object, object, str]]]) -> Handler:
    async def handler(event: object, ctx: DurableContext) -> list[str]:
        return [await ctx.step(body, name="pack") for body in bodies]

    return handler


def test_what_is_not_noticed() -> None:
    three = run_handler(same_name([a, b, other]))

    assert replay_with(three, same_name([other, b, a]))[:2] == ("SUCCEEDED", '["a","b","other"]')
    assert replay_with(three, same_name([a, other]))[:2] == ("SUCCEEDED", '["a","b"]')


def test_timers_of_asyncio_are_counted_among_themselves() -> None:
    async def two(event: object, ctx: DurableContext) -> float:
        began = ctx.now()
        await asyncio.sleep(100)
        await ctx.step(a)
        await asyncio.sleep(5)
        return (ctx.now() - began).total_seconds()

    async def one(event: object, ctx: DurableContext) -> float:
        began = ctx.now()
        await ctx.step(a)
        await asyncio.sleep(5)
        return (ctx.now() - began).total_seconds()

    ran = run_handler(two)

    assert ran.result == pytest.approx(105, abs=0.1)
    assert replay_with(ran, one)[:2] == ("SUCCEEDED", "100.0")


def test_items_of_a_batch_are_known_by_their_index() -> None:
    async def item(ctx: DurableContext, value: str) -> str:
        return await ctx.step(a, name=value)

    def batch(values: Sequence[str]) -> Handler:
        async def handler(event: object, ctx: DurableContext) -> list[str]:
            async def over(child: DurableContext) -> list[str]:
                found = await child.map(values, item, completion=Completion.all_completed())
                await child.wait(10)
                found.throw_if_error()
                return found.get_results()

            return await ctx.run_in_child_context(over)

        return handler

    def deploy(values: Sequence[str]) -> object:
        return run_program(run_over_a_deploy(DurableHandler(batch("xyz")), DurableHandler(batch(values)), None, 5))

    assert deploy("xyz") == deploy("zyx") == ["a", "a", "a"], "once it has ended its items don't matter"


def test_patches_in_a_row_and_their_removal() -> None:
    async def before(event: object, ctx: DurableContext) -> list[str]:
        first = await ctx.step(a)
        await ctx.wait(10)
        second = await ctx.step(a)
        await ctx.wait(10)
        return [first, second]

    async def patched(event: object, ctx: DurableContext) -> list[str]:
        first = await ctx.step(b if ctx.patched("first") else a)
        await ctx.wait(10)
        second = await ctx.step(b if ctx.patched("second") else a)
        await ctx.wait(10)
        return [first, second]

    async def after(event: object, ctx: DurableContext) -> list[str]:
        first = await ctx.step(b)
        await ctx.wait(10)
        second = await ctx.step(b)
        await ctx.wait(10)
        return [first, second]

    def deploy(old: Handler, new: Handler, after_s: float) -> object:
        return run_program(run_over_a_deploy(DurableHandler(old), DurableHandler(new), None, after_s))

    assert [deploy(before, patched, at) for at in (5, 15)] == [["a", "b"], ["a", "a"]]
    assert [deploy(patched, after, at) for at in (5, 15)] == [["b", "b"], ["b", "b"]]


def test_patches_in_a_loop_have_a_name_for_each_round() -> None:
    async def before(event: object, ctx: DurableContext) -> list[str]:
        done: list[str] = []
        for _ in range(3):
            done.append(await ctx.step(a))
            await ctx.wait(10)
        return done

    async def after(event: object, ctx: DurableContext) -> list[str]:
        done: list[str] = []
        for number in range(3):
            done.append(await ctx.step(b if ctx.patched(f"b {number}") else a))
            await ctx.wait(10)
        return done

    deployed = [run_program(run_over_a_deploy(DurableHandler(before), DurableHandler(after), None, at)) for at in (5, 15, 25)]

    assert deployed == [["a", "b", "b"], ["a", "a", "b"], ["a", "a", "a"]]
