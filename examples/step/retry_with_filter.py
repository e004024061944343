"""Retries for some errors only: by exception class, or by what the message says.

When one failure passes by itself and another never will, waiting for the second is a waste.
"""

from __future__ import annotations

import re

from everstep import DurableContext, Retry, durable, get_step_context
from examples.run import run


class CardDeclined(Exception):
    """Asking again would not help."""


class BankError(Exception):
    """Whatever else the bank says."""


async def charge(card: str) -> str:
    if card == "stolen":
        raise CardDeclined(card)
    match get_step_context().attempt:
        case 1:
            raise ConnectionResetError("the line to the bank broke")
        case 2:
            raise BankError("HTTP 503, try later")
        case attempt:
            return f"{card} charged at attempt {attempt}"


@durable
async def pay(event: str, ctx: DurableContext) -> str:
    passing = Retry(retry_on=[ConnectionError], retry_on_message=["try later", re.compile(r"HTTP 5\d\d")])
    try:
        return await ctx.step(charge, event, retry=passing)
    except CardDeclined:
        return f"{event} declined, please use another card"


if __name__ == "__main__":
    run(pay, "4242")
