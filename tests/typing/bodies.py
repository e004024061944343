"""Functions of every shape that users pass on."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from typing import ParamSpec, TypeVar

from everstep import DurableContext

T = TypeVar("T")
P = ParamSpec("P")


@dataclass
class Order:
    id: str


@dataclass
class Receipt:
    total: int


async def charge(amount: int) -> Receipt:
    return Receipt(amount)


async def charge_with_defaults(amount: int, currency: str = "EUR", *, note: str = "") -> Receipt:
    return Receipt(amount)


async def charge_with_note(amount: int, *, note: str) -> Receipt:
    return Receipt(amount)


async def charge_all(first: int, *rest: int, **options: str) -> Receipt:
    return Receipt(first + sum(rest))


async def ping() -> None: ...


async def echo(value: T) -> T:
    return value


def total(amount: int) -> Receipt:
    return Receipt(amount)


def total_with_defaults(amount: int, currency: str = "EUR") -> Receipt:
    return Receipt(amount)


def log(line: str) -> None: ...


class Shop:
    def __init__(self, name: str = "") -> None:
        self.name = name

    async def charge(self, amount: int) -> Receipt:
        return Receipt(amount)

    def total(self, amount: int, currency: str = "EUR") -> Receipt:
        return Receipt(amount)

    @staticmethod
    async def close(reason: str) -> bool:
        return not reason

    @classmethod
    def open(cls, name: str) -> Shop:
        return cls(name)

    async def __call__(self, order: Order) -> Receipt:
        return Receipt(len(order.id))


def traced(function: Callable[P, Awaitable[T]]) -> Callable[P, Awaitable[T]]:
    return function


async def pack(ctx: DurableContext, order: Order) -> Receipt:
    return Receipt(len(order.id))


async def pack_numbered(ctx: DurableContext, order: Order, index: int) -> Receipt:
    return Receipt(index)


async def pack_some(ctx: DurableContext, orders: list[Order], note: str = "") -> list[Receipt]:
    return [Receipt(len(order.id)) for order in orders]


async def count(ctx: DurableContext) -> int:
    return 1


async def label(ctx: DurableContext) -> str:
    return ""
