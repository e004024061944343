"""An order, from payment to delivery, as ordinary async code that survives crashes.

Run it embedded, on a SQLite file, and answer the approval yourself:

    python -m examples.order orders.db
"""

from __future__ import annotations

import asyncio
import sys
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

import everstep
from everstep import DurableContext, Retry, durable, get_step_context


@dataclass
class Order:
    id: str
    card: str
    items: list[str]
    total: int


@dataclass
class Payment:
    id: str
    amount: int


@dataclass
class Approval:
    by: str
    decision: Literal["ship", "cancel"]


@dataclass
class Receipt:
    order_id: str
    payment: Payment
    parcels: list[str]
    approved_by: str


class CardDeclined(Exception):
    """The bank said no; asking again would not help."""


class BankBusy(Exception):
    """The bank did not answer; asking again may help."""


async def validate(order: Order) -> None:
    await work(0.4)
    if order.total <= 0 or not order.items:
        raise ValueError(f"order {order.id} has nothing to pay or nothing to pack")


async def charge(card: str, amount: int) -> Payment:
    await work(0.6)
    if get_step_context().attempt == 1:
        raise BankBusy("no answer within 600 ms")
    if card.endswith("0"):
        raise CardDeclined(card)
    return Payment(id=f"pay-{card[-4:]}", amount=amount)


async def refund(payment: Payment) -> None:
    await work(0.3)


async def pick(item: str) -> str:
    await work(0.7)
    return f"{item} (picked)"


async def wrap(item: str) -> str:
    await work(0.7)
    return f"{item} (wrapped)"


async def ask_manager(callback_id: str, order: Order) -> None:
    """A real one would mail a link; this one leaves the id where the manager finds it."""
    inbox.put_nowait((callback_id, order.id))


async def book_courier(order: Order) -> str:
    await work(0.4)
    return f"courier for {order.id}"


async def pack(ctx: DurableContext, item: str) -> str:
    picked = await ctx.step(pick, item)
    return await ctx.step(wrap, picked)


@durable
async def order(event: Order, ctx: DurableContext) -> Receipt:
    await ctx.step(validate, event, retry=Retry.none())
    payment = await ctx.step(charge, event.card, event.total, retry=Retry.fixed(1, max_attempts=4))
    parcels = await ctx.map(event.items, pack, max_concurrency=3)
    parcels.throw_if_error()
    try:
        async with asyncio.timeout(3 * 24 * 3600):  # a durable timer: nothing is held in memory for three days
            approval = await ctx.wait_for_callback(ask_manager, event, returns=Approval, name="approval")
    except TimeoutError:
        approval = Approval(by="nobody", decision="cancel")
    if approval.decision == "cancel":
        await ctx.step(refund, payment)
        raise CardDeclined(f"order {event.id} was cancelled by {approval.by}")
    await ctx.wait(3, name="cooling-off")
    await ctx.step(book_courier, event)
    return Receipt(event.id, payment, parcels.get_results(), approval.by)


inbox: asyncio.Queue[tuple[str, str]] = asyncio.Queue()
"""What the manager has to decide on: callback ids and order ids."""


async def work(seconds: float) -> None:
    """What a step would spend on a network, here."""
    await asyncio.sleep(seconds)


async def main(database: Path) -> None:
    async with everstep.Service(f"sqlite:///{database}") as service:
        service.register(order)
        execution = await service.start(order, Order("17", "4242-4242", ["lamp", "chair", "book"], 120), name="order-17")
        print(f"{execution.arn} is under way; interrupt me as you like and start me again")
        manager = asyncio.create_task(answer_inbox(service))
        print(await execution.result())
        manager.cancel()


async def answer_inbox(service: everstep.Service) -> None:
    while True:
        callback_id, order_id = await inbox.get()
        answer = await asyncio.to_thread(input, f"ship order {order_id}? [Y/n] ")
        await service.succeed_callback(callback_id, Approval(by="you", decision="cancel" if answer.startswith("n") else "ship"))


if __name__ == "__main__":
    asyncio.run(main(Path(sys.argv[1] if len(sys.argv) > 1 else "orders.db")))
