"""Misuse speaks: at the earliest moment, with what happened and what to do."""

from __future__ import annotations

import asyncio
from contextlib import suppress

import pytest

from everstep import Completion, DurableContext, SerializationError, StepError
from tests.support.handlers import Handler, run_handler


async def work() -> int:
    return 1


def refused(handler: Handler) -> str:
    kind, message = run_handler(handler).error
    assert kind == "everstep.errors.UsageError"
    assert message is not None
    return message


def test_an_operation_that_is_never_awaited() -> None:
    async def handler(event: object, ctx: DurableContext) -> str:
        ctx.step(work, name="charge")  # type: ignore[unused-coroutine]  # it is the misuse
        return "done"

    message = refused(handler)

    assert "called step() and never awaited it" in message
    assert "await ctx." in message


def test_an_operation_that_is_awaited_in_a_task_is_no_misuse() -> None:
    async def handler(event: object, ctx: DurableContext) -> int:
        return await asyncio.create_task(ctx.step(work))

    assert run_handler(handler).result == 1


def test_a_parents_context_in_a_child() -> None:
    async def handler(event: object, ctx: DurableContext) -> int:
        async def child(_: DurableContext) -> int:
            return await ctx.step(work)

        return await ctx.run_in_child_context(child)

    assert "another context than the one the code runs in" in refused(handler)


def test_a_childs_context_after_its_end() -> None:
    async def handler(event: object, ctx: DurableContext) -> int:
        kept: list[DurableContext] = []

        async def child(inner: DurableContext) -> None:
            kept.append(inner)

        await ctx.run_in_child_context(child)
        return await kept[0].step(work)

    assert "none of a context that has ended" in refused(handler)


def test_an_operation_from_a_callback_of_the_loop() -> None:
    async def handler(event: object, ctx: DurableContext) -> None:
        caught: asyncio.Future[BaseException] = asyncio.get_running_loop().create_future()

        def callback() -> None:
            try:
                ctx.wait(1)  # type: ignore[unused-coroutine]  # refused before there is one to await
            except Exception as error:
                caught.set_result(error)

        asyncio.get_running_loop().call_soon(callback)
        raise await caught

    assert "outside the handler's own code" in refused(handler)


@pytest.mark.filterwarnings("ignore::pytest.PytestUnraisableExceptionWarning")  # Python's own word on such a coroutine
def test_a_branch_that_swallows_its_cancellation() -> None:
    async def stubborn(ctx: DurableContext) -> None:
        while True:
            with suppress(BaseException):
                await ctx.wait(60)

    async def quick(ctx: DurableContext) -> int:
        return await ctx.step(work)

    async def handler(event: object, ctx: DurableContext) -> int:
        batch = await ctx.parallel([stubborn, quick], completion=Completion.first_successful())
        await ctx.wait(1)
        return len(batch)

    assert "swallows asyncio.CancelledError" in refused(handler)


@pytest.mark.parametrize("warm", [True, False])
def test_a_value_that_can_not_be_written(warm: bool) -> None:
    async def body() -> object:
        return object()

    async def handler(event: object, ctx: DurableContext) -> list[object]:
        try:
            await ctx.step(body)
        except StepError as error:
            return [isinstance(error, SerializationError), "can't be written as JSON" in error.message]
        return []

    assert run_handler(handler, warm=warm).result == [True, True]


def test_a_result_of_the_handler_that_can_not_be_written() -> None:
    async def handler(event: object, ctx: DurableContext) -> object:
        return object()

    kind, message = run_handler(handler).error

    assert kind == "everstep.errors.SerializationError"
    assert message is not None
    assert "can't be written as JSON" in message
