"""A step's failure, turned into the failure of the execution: in the words of the business, with the cause behind it.

Whatever leaves the handler is recorded as the execution's error, with its type and message, for whoever started it.
"""

from __future__ import annotations

from dataclasses import dataclass

from everstep import DurableContext, Retry, StepError, durable
from examples.run import run


@dataclass
class Transfer:
    iban: str
    amount: int


class TransferRejected(Exception):
    """The money stays where it is."""


async def validate(transfer: Transfer) -> None:
    if transfer.amount <= 0:
        raise ValueError(f"{transfer.amount} EUR can't be sent")


async def send(transfer: Transfer) -> str:
    raise ConnectionError("the clearing house is closed")


@durable
async def transfer(event: Transfer, ctx: DurableContext) -> str:
    await ctx.step(validate, event, retry=Retry.none())  # its ValueError is the execution's
    try:
        return await ctx.step(send, event, retry=Retry.fixed(60, max_attempts=3))
    except StepError as error:
        raise TransferRejected(f"{event.amount} EUR to {event.iban} were not sent ({error})") from error


if __name__ == "__main__":
    run(transfer, Transfer("AT61 1904", 80))
