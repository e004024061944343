"""Misuse speaks: at the earliest moment, with what happened and what to do."""

from __future__ import annotations

import asyncio
import logging
import re
import subprocess
import sys
import time
import urllib.request
from collections.abc import Callable
from contextlib import suppress

import pytest

from everstep import Completion, DurableContext, Serdes, SerializationError, StepError
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


def fetched(url: str) -> str:
    try:
        return str(urllib.request.urlopen(url, timeout=1).read())
    except OSError:
        return "nobody is there"


def slept(_: str) -> str:
    time.sleep(0.001)
    return "slept"


def listed(_: str) -> str:
    return subprocess.run(["true"], check=True, capture_output=True, text=True).stdout


BLOCKING: list[Callable[[str], str]] = [fetched, listed]
if sys.version_info >= (3, 13):
    BLOCKING.append(slept)
URL = "http://127.0.0.1:9/"


@pytest.mark.parametrize("blocking", BLOCKING)
@pytest.mark.parametrize("warm", [True, False])
def test_blocking_io_in_handler_code(blocking: Callable[[str], str], warm: bool) -> None:
    async def handler(event: object, ctx: DurableContext) -> str:
        await ctx.wait(5)
        return blocking(URL)

    ran = run_handler(handler, warm=warm)

    assert ran.error[0] == "everstep.errors.UsageError"
    assert re.search(rf"handler code at {re.escape(__file__)}:\d+ does I/O that blocks", str(ran.error[1]))


@pytest.mark.parametrize("blocking", BLOCKING)
def test_blocking_io_in_a_step_is_no_misuse(blocking: Callable[[str], str]) -> None:
    async def in_a_coroutine(url: str) -> str:
        return blocking(url)

    async def handler(event: object, ctx: DurableContext) -> bool:
        return await ctx.step(blocking, URL) == await ctx.step(in_a_coroutine, URL)

    assert run_handler(handler).result is True


def test_what_logging_and_serdes_do_is_theirs() -> None:
    class Remote(Serdes[str]):
        def serialize(self, value: str) -> str:
            return f'"{fetched(URL)}"'

        def deserialize(self, text: str) -> str:
            return fetched(URL)

    class Sender(logging.Handler):
        def emit(self, record: logging.LogRecord) -> None:
            sent.append(fetched(URL))

    async def handler(event: object, ctx: DurableContext) -> str:
        ctx.logger.warning("a letter")
        await ctx.step(work, name="first")
        return await ctx.step(look, serdes=Remote())

    async def look() -> str:
        return ""

    sent: list[str] = []
    sender = Sender()
    logging.getLogger("everstep.handler").addHandler(sender)
    try:
        assert run_handler(handler).result == "nobody is there"
    finally:
        logging.getLogger("everstep.handler").removeHandler(sender)
    assert sent == ["nobody is there"]
