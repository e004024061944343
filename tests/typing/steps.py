"""ctx.step: the result and the arguments are those of the body."""

from __future__ import annotations

from datetime import timedelta
from functools import partial
from typing import assert_type

from everstep import DurableContext, JsonSerdes, Retry
from tests.typing.bodies import (
    Order,
    Receipt,
    Shop,
    charge,
    charge_all,
    charge_with_defaults,
    charge_with_note,
    echo,
    log,
    ping,
    total,
    total_with_defaults,
)


async def async_bodies_give_what_they_return(ctx: DurableContext) -> None:
    assert_type(await ctx.step(charge, 1), Receipt)
    assert_type(await ctx.step(ping), None)
    assert_type(await ctx.step(echo, Order("1")), Order)


async def plain_bodies_give_what_they_return(ctx: DurableContext) -> None:
    assert_type(await ctx.step(total, 1), Receipt)
    assert_type(await ctx.step(log, "line"), None)
    assert_type(await ctx.step(len, [1, 2]), int)


async def defaults_may_be_left_out_and_given(ctx: DurableContext) -> None:
    assert_type(await ctx.step(charge_with_defaults, 1), Receipt)
    assert_type(await ctx.step(charge_with_defaults, 1, "USD"), Receipt)
    assert_type(await ctx.step(charge_all, 1), Receipt)
    assert_type(await ctx.step(charge_all, 1, 2, 3), Receipt)
    assert_type(await ctx.step(total_with_defaults, 1), Receipt)
    assert_type(await ctx.step(total_with_defaults, 1, "USD"), Receipt)


async def methods_partials_classes_and_lambdas_are_bodies_too(ctx: DurableContext) -> None:
    shop = Shop()
    assert_type(await ctx.step(shop.charge, 1), Receipt)
    assert_type(await ctx.step(shop.total, 1), Receipt)
    assert_type(await ctx.step(shop.total, 1, "USD"), Receipt)
    assert_type(await ctx.step(shop, Order("1")), Receipt)
    assert_type(await ctx.step(Shop.close, "late"), bool)
    assert_type(await ctx.step(Shop.open, "corner"), Shop)
    assert_type(await ctx.step(Order, "1"), Order)
    assert_type(await ctx.step(partial(charge, 1)), Receipt)
    assert_type(await ctx.step(partial(charge_with_note, note="x"), 1), Receipt)
    assert_type(await ctx.step(lambda: 1), int)
    assert_type(await ctx.step(lambda: charge(1)), Receipt)


async def options_are_keywords(ctx: DurableContext) -> None:
    assert_type(await ctx.step(charge, 1, name="charge", retry=Retry.none(), semantics="at_most_once", timeout=5), Receipt)
    assert_type(await ctx.step(charge, 1, retry=lambda error, attempt: timedelta(seconds=attempt) if attempt < 3 else None), Receipt)
    assert_type(await ctx.step(charge, 1, serdes=JsonSerdes(Receipt)), Receipt)


async def arguments_that_the_body_does_not_take_are_refused(ctx: DurableContext) -> None:
    await ctx.step(charge, "1")  # type: ignore[arg-type]
    await ctx.step(charge)  # type: ignore[call-arg, arg-type]
    await ctx.step(charge, 1, 2)  # type: ignore[call-arg, arg-type]
    await ctx.step(charge, amount=1)  # type: ignore[call-overload]
    await ctx.step(charge_with_defaults, 1, 2)  # type: ignore[call-arg, arg-type]
    await ctx.step(charge_with_defaults)  # type: ignore[call-arg, arg-type]
    await ctx.step(charge_with_note, 1)  # type: ignore[arg-type]
    await ctx.step(charge_all, 1, "2")  # type: ignore[call-arg, arg-type]
    await ctx.step(total, "1")  # type: ignore[arg-type]
    await ctx.step(total)  # type: ignore[call-arg, arg-type]
    await ctx.step(total_with_defaults, 1, 2)  # type: ignore[call-arg, arg-type]
    await ctx.step(Shop().charge, "1")  # type: ignore[arg-type]


async def what_is_no_body_is_refused(ctx: DurableContext) -> None:
    await ctx.step(charge(1))  # type: ignore[call-overload]
    await ctx.step("charge")  # type: ignore[call-overload]


async def options_of_another_type_are_refused(ctx: DurableContext) -> None:
    await ctx.step(charge, 1, retry=3)  # type: ignore[call-overload]
    await ctx.step(charge, 1, semantics="exactly_once")  # type: ignore[call-overload]
    await ctx.step(charge, 1, timeout="5 s")  # type: ignore[call-overload]
    await ctx.step(charge, 1, serdes=JsonSerdes[int](int))  # type: ignore[arg-type]
    await ctx.step(total, 1, serdes=JsonSerdes[int](int))  # type: ignore[arg-type]


async def a_result_is_not_another_type(ctx: DurableContext) -> None:
    receipt: str = await ctx.step(charge, 1)  # type: ignore[arg-type]
    print(receipt)


async def a_step_that_nobody_awaits_is_reported(ctx: DurableContext) -> None:
    ctx.step(charge, 1)  # type: ignore[unused-coroutine]
