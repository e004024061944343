"""Poll until something is so: check, wait, check again, without holding compute in between.

For systems that can be asked and can't call back.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import timedelta

from everstep import DurableContext, Poll, durable
from examples.run import run


@dataclass
class Parcel:
    number: str
    status: str
    checks: int = 0


async def look(parcel: Parcel) -> Parcel:
    """What the carrier says. Here it arrives at the fourth look."""
    checks = parcel.checks + 1
    return Parcel(parcel.number, "delivered" if checks == 4 else "on its way", checks)


@durable
async def track(event: str, ctx: DurableContext) -> Parcel:
    return await ctx.wait_for_condition(
        look, Parcel(event, "handed over"), poll=Poll.fixed(lambda parcel: parcel.status == "delivered", timedelta(hours=1))
    )


if __name__ == "__main__":
    run(track, "JD-0142")
