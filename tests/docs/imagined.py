"""What the documentation asks its readers to imagine: a shop, its data, and the steps of its orders.

Every snippet sees these names, and those of the libraries imported here.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Sequence
from dataclasses import dataclass, replace
from datetime import timedelta

import everstep
from everstep import (
    Branch,
    Completion,
    DurableContext,
    Poll,
    Progress,
    Retry,
    SyncContext,
    durable,
    get_step_context,
)
from tests.docs.world import answer


@dataclass
class Order:
    id: str
    card: str
    items: list[str]
    total: int
    email: str = "ada@shop.example"


@dataclass
class Decision:
    by: str
    ship: bool


@dataclass
class Quote:
    price: int


@dataclass
class Job:
    id: str
    state: str = "running"


@dataclass
class Row:
    number: int


EVENT = Order("17", "4242-4242", ["lamp", "chair", "vase"], 120)
Parcel = str
table = [Row(number) for number in range(250)]


class Bank:
    async def charge(self, card: str, amount: int, *, idempotency_key: str) -> str:
        return f"pay-{card}-{amount} {idempotency_key[:3]}"


class Cluster:
    def __init__(self) -> None:
        self._asked = 0

    async def describe(self, job_id: str) -> Job:
        self._asked += 1
        return Job(job_id, "running" if self._asked % 3 else "done")


bank, cluster = Bank(), Cluster()


# -- steps ---------------------------------------------------------------------


async def validate(order_id: str) -> None: ...


async def charge(card: str, amount: int) -> str:
    return f"pay-{card[-4:]}-{amount}"


async def charge_slowly(card: str, amount: int) -> str:
    return await charge(card, amount)


async def refund(payment: str) -> None: ...


async def pay_out(card: str, amount: int) -> None: ...


async def reserve(items: Sequence[str]) -> None: ...


async def release(items: Sequence[str]) -> None: ...


async def pick(item: str) -> str:
    return f"{item}, picked"


async def wrap(item: str) -> Parcel:
    return f"{item}, wrapped"


async def count(item: str) -> int:
    return len(item)


async def ask_price(shop: str) -> str:
    return f"12.50 in the {shop}"


async def store_rows(rows: Sequence[Row]) -> int:
    return len(rows)


async def book_courier(order_id: str) -> str:
    return f"courier for {order_id}"


async def book_by_mail(order_id: str) -> str:
    return f"letter for {order_id}"


async def cancel(order_id: str) -> None: ...


async def send_mail(address: str, text: str = "") -> None:
    mail(address, text)


def mail(address: str, text: str) -> None:
    """A mail with a callback's id at its end is answered."""
    if text:
        answer(text.rsplit("/approve/", maxsplit=1)[-1], Decision(address, ship=True))


async def ask_manager(callback_id: str, order: object = None) -> None:
    answer(callback_id, Decision("the manager", ship=True))


# -- blocks, handlers, other functions -----------------------------------------


async def pack(ctx: DurableContext, item: str) -> Parcel:
    return await ctx.step(wrap, await ctx.step(pick, item))


async def ask_ups(ctx: DurableContext) -> str:
    await ctx.wait(2)
    return await ctx.step(ask_price, "north")


async def ask_dhl(ctx: DurableContext) -> str:
    return await ctx.step(ask_price, "south")


async def ask_post(ctx: DurableContext) -> str:
    await ctx.wait(5)
    return await ctx.step(ask_price, "west")


@durable
async def order(event: Order, ctx: DurableContext) -> str:
    payment = await ctx.step(charge, event.card, event.total)
    await asyncio.sleep(3600)
    return payment


async def pricing(event: dict[str, list[str]]) -> Quote:
    return Quote(len(event["items"]))


FUNCTIONS = [pricing]
"""What a handler may invoke."""

__all__ = [
    "Branch",
    "Completion",
    "Poll",
    "Progress",
    "Retry",
    "SyncContext",
    "durable",
    "everstep",
    "get_step_context",
    "logging",
    "replace",
    "timedelta",
]
