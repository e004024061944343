"""Values come back as what they were, by the annotations: dataclasses, enums, dates, decimals, sets, unions.

What is recorded is plain JSON, which other tools can read.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import date, timedelta
from decimal import Decimal
from enum import Enum

from everstep import DurableContext, durable
from examples.run import run


class Colour(Enum):
    RED = "red"
    BLUE = "blue"


@dataclass
class Car:
    plate: str
    colour: Colour
    price: Decimal
    first_registered: date
    extras: frozenset[str]


async def look_up(plate: str) -> Car | None:
    if plate == "none":
        return None
    return Car(plate, Colour.BLUE, Decimal("7400.50"), date(2019, 5, 2), frozenset({"hook", "radio"}))


@durable
async def value_car(event: str, ctx: DurableContext) -> str:
    car = await ctx.step(look_up, event)
    await ctx.wait(timedelta(hours=1))
    if car is None:
        return "no such car"
    assert car.colour is Colour.BLUE
    return f"{car.price - 400} EUR, {car.first_registered.year}, {len(car.extras | {'tyres'})} extras"


if __name__ == "__main__":
    run(value_car, "W-123")
