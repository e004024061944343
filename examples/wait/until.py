"""A wait until an instant, worked out from durable time: `ctx.now()` is the same on every replay, the clock is not.

For office hours, due dates, the first of the month. An instant that is past already is not waited for.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime, timedelta

from everstep import DurableContext, durable
from examples.run import run


@dataclass
class Invoice:
    number: str
    due: datetime


async def send_reminder(number: str) -> str:
    return f"reminder for {number}"


@durable
async def collect(event: Invoice, ctx: DurableContext) -> list[str]:
    await ctx.wait_until(event.due, name="due")
    sent = ctx.now()
    if sent.weekday() >= 5:  # not on a weekend
        monday = (sent + timedelta(days=7 - sent.weekday())).replace(hour=8, minute=0, second=0, microsecond=0)
        await ctx.wait_until(monday, name="monday morning")
    reminder = await ctx.step(send_reminder, event.number)
    return [reminder, f"{ctx.now():%A %H:%M}"]


if __name__ == "__main__":
    run(collect, Invoice("2026-31", datetime.fromisoformat("2026-03-07T18:00:00+00:00")))
