"""A caterer's order with nearly everything in it: steps, child contexts, a map, an approval if it is large, a wait.

How the pieces look next to each other in a handler of everyday size.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import timedelta

from everstep import CallbackTimeout, Completion, DurableContext, Retry, durable
from examples.run import Answer, run, tell


@dataclass
class Order:
    customer: str
    dishes: dict[str, int]
    card: str


@dataclass
class Delivery:
    dishes: list[str]
    paid: int
    van: str


async def validate(order: Order) -> int:
    if not order.dishes:
        raise ValueError(f"{order.customer} ordered nothing")
    return 12 * sum(order.dishes.values())


async def check_card(card: str) -> str:
    return f"token of {card}"


async def charge(token: str, amount: int) -> int:
    return amount


async def cook(dish: str) -> str:
    return f"{dish} cooked"


async def box(dish: str) -> str:
    return f"{dish} and boxed"


async def ask_chef(callback_id: str, order: Order) -> None:
    await tell("chef", callback_id)


async def find_van(customer: str) -> str:
    return f"van to {customer}"


async def pay(child: DurableContext, card: str, amount: int) -> int:
    token = await child.step(check_card, card)
    return await child.step(charge, token, amount, semantics="at_most_once", retry=Retry.none())


async def prepare(child: DurableContext, dish: str) -> str:
    return await child.step(box, await child.step(cook, dish))


async def kitchen(child: DurableContext, dishes: list[str]) -> list[str]:
    done = await child.map(dishes, prepare, max_concurrency=5, completion=Completion.all_successful())
    done.throw_if_error()
    return done.get_results()


@durable
async def cater(event: Order, ctx: DurableContext) -> Delivery:
    amount = await ctx.step(validate, event, retry=Retry.none())
    if amount > 500:
        try:
            await ctx.wait_for_callback(ask_chef, event, name="approval", timeout=timedelta(hours=24))
        except CallbackTimeout:
            raise ValueError(f"the chef did not take the order of {event.customer}") from None
    paid = await ctx.run_in_child_context(pay, event.card, amount, name="payment")
    dishes = await ctx.run_in_child_context(kitchen, list(event.dishes), name="kitchen")
    await ctx.wait(2, name="bell")
    return Delivery(dishes, paid, await ctx.step(find_van, event.customer))


if __name__ == "__main__":
    party = Order("Ada", {"soup": 20, "pie": 20, "fruit": 10}, "4242")
    run(cater, party, answers={"chef": Answer(after=timedelta(hours=5))})
