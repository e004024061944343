"""Forks on every store, and by embedded services."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from pathlib import Path
from typing import cast

import pytest
from tests.service.postgres import Server

from everstep import DurableContext, ExecutionAlreadyStarted, ServiceError, UsageError, durable
from everstep.service.embedded import Service
from everstep.service.machine.model import JsonObject

MADE: list[str] = []
"""What the bodies of steps did."""


def make(what: str) -> str:
    MADE.append(what)
    return f"{what} {len(MADE)}"


def ask(callback_id: str) -> None: ...


@durable
async def order(event: str, ctx: DurableContext) -> list[str]:
    first = await ctx.step(make, "reservation", name="reserve")
    callback = await ctx.create_callback(returns=str, name="approval")
    second = await ctx.step(make, "payment", name="charge")
    return [event, first, second, await callback]


@pytest.fixture(params=["memory", "sqlite", "postgres"])
def store(request: pytest.FixtureRequest, tmp_path: Path) -> str:
    if request.param == "postgres":
        server: Server = request.getfixturevalue("postgres")
        return server.new_schema()
    return "memory://" if request.param == "memory" else f"sqlite:///{tmp_path / 'forks.db'}"


@pytest.fixture(autouse=True)
def nothing_made() -> None:
    MADE.clear()


async def callback_of(service: Service, arn: str) -> str:
    for event in await service.history(arn):
        if event["EventType"] == "CallbackStarted":
            return str(cast("JsonObject", event["CallbackStartedDetails"])["CallbackId"])
    raise LookupError("there is no callback")


async def until_suspended(service: Service, arn: str) -> None:
    for _ in range(10_000):
        if any(event["EventType"] == "InvocationCompleted" for event in await service.history(arn)):
            return
        await asyncio.sleep(0)
    raise AssertionError("the invocation does not end")


async def ended(service: Service) -> str:
    """The ARN of an order that is done."""
    execution = await service.start(order, "17", name="first")
    await until_suspended(service, execution.arn)
    await service.succeed_callback(await callback_of(service, execution.arn), "yes")
    assert await execution.result() == ["17", "reservation 1", "payment 2", "yes"]
    return execution.arn


async def test_what_comes_after_the_operation_is_done_anew(store: str) -> None:
    async with Service(store) as service:
        source = await ended(service)

        fork = await service.fork(order, source, "charge", name="second")

        assert await callback_of(service, fork.arn) != await callback_of(service, source)
        await service.succeed_callback(await callback_of(service, fork.arn), "once more")
        assert await fork.result() == ["17", "reservation 1", "payment 3", "once more"]
        description = await service.describe(fork.arn)
        assert (description.name, description.function, description.input) == ("second", "order", '"17"')
        assert [one.name for one in await service.list()] == ["second", "first"]


async def test_an_operation_may_have_come_to_something_else(store: str) -> None:
    async with Service(store) as service:
        source = await ended(service)

        fork = await service.fork(order, source, "reserve", value="nothing in stock")
        await service.succeed_callback(await reached(service, fork.arn), text='"well"')

        assert await fork.result() == ["17", "nothing in stock", "payment 3", "well"]


async def test_a_fork_goes_on_after_a_restart(store: str) -> None:
    if store == "memory://":
        pytest.skip("it keeps nothing")
    async with Service(store) as service:
        fork = await service.fork(order, await ended(service), "charge")
    async with Service(store) as service:
        again = service.execution(order, fork.arn)
        await service.succeed_callback(await callback_of(service, fork.arn), "late")
        assert (await again.result())[-1] == "late"


async def reached(service: Service, arn: str) -> str:
    await until_suspended(service, arn)
    return await callback_of(service, arn)


REFUSED: list[tuple[Callable[[Service, str], Awaitable[object]], type[Exception], str]] = [
    (lambda service, arn: service.fork(order, arn, "nothing"), ServiceError, "no operation 'nothing'"),
    (lambda service, arn: service.fork(order, f"{arn}0", "charge"), ServiceError, "does not exist"),
    (lambda service, arn: service.fork(order, arn, "charge", name="first"), ExecutionAlreadyStarted, "first"),
    (lambda service, arn: service.fork(order, arn, "charge", value=1, text="1"), UsageError, "not both"),
]


@pytest.mark.parametrize(("act", "kind", "said"), REFUSED)
async def test_what_cannot_be_forked_is_said(act: Callable[[Service, str], Awaitable[object]], kind: type[Exception], said: str) -> None:
    async with Service("memory://") as service:
        source = await ended(service)

        with pytest.raises(kind, match=said):
            await act(service, source)
