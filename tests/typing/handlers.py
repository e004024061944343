"""@durable, and starting what it made."""

from __future__ import annotations

from typing import assert_type

from everstep import DurableContext, DurableHandler, Service, durable
from everstep.service.started import StartedExecution
from tests.typing.bodies import Order, Receipt, charge


@durable
async def order(event: Order, ctx: DurableContext) -> Receipt:
    return await ctx.step(charge, 1)


@durable(name="order-again", warm_executions=0)
async def order_again(event: Order, ctx: DurableContext) -> list[Receipt]:
    return [await ctx.step(charge, 1)]


@durable
async def anything(event: object, ctx: DurableContext) -> None: ...


@durable  # type: ignore[arg-type]
def not_async(event: Order, ctx: DurableContext) -> Receipt:
    return Receipt(1)


@durable  # type: ignore[arg-type]
async def without_context(event: Order) -> Receipt:
    return Receipt(1)


@durable  # type: ignore[arg-type]
async def with_another_context(event: Order, ctx: str) -> Receipt:
    return Receipt(1)


def a_handler_knows_its_types() -> None:
    assert_type(order, DurableHandler[Order, Receipt])
    assert_type(order_again, DurableHandler[Order, list[Receipt]])
    assert_type(anything, DurableHandler[object, None])
    assert_type(order.encode_input(Order("1")), str)
    assert_type(order.decode_output("{}"), Receipt)

    order.encode_input("1")  # type: ignore[arg-type]
    durable(name=5)  # type: ignore[call-overload]


async def a_service_starts_a_handler_with_its_event(service: Service) -> None:
    started = await service.start(order, Order("1"), name="order-1")
    assert_type(started, StartedExecution[Receipt])
    assert_type(await started.result(), Receipt)
    assert_type(await (await service.start(order_again, Order("1"))).result(), list[Receipt])
    assert_type(await service.execution(order, "arn").result(), Receipt)

    await service.start(order, "1")  # type: ignore[misc]
    await service.start(order)  # type: ignore[call-arg]
    await service.start(charge, 1)  # type: ignore[arg-type]
