"""Several callbacks that are open at the same time, and a `gather` that waits for all of them.

The results are in the order of the callbacks, whoever answers first.
"""

from __future__ import annotations

import asyncio
from datetime import timedelta

from everstep import DurableContext, durable
from examples.run import Answer, run, tell


async def send_contract(party: str, callback_id: str) -> None:
    await tell(party, callback_id)


@durable
async def sign(event: list[str], ctx: DurableContext) -> list[str]:
    signatures = [await ctx.create_callback(name=f"signature of {party}", returns=str) for party in event]
    for party, signature in zip(event, signatures, strict=True):
        await ctx.step(send_contract, party, signature.callback_id)
    return await asyncio.gather(*signatures)


if __name__ == "__main__":
    run(
        sign,
        ["seller", "buyer", "notary"],
        answers={
            "seller": Answer("S. Eller", after=timedelta(days=4)),
            "buyer": Answer("B. Uyer", after=timedelta(hours=2)),
            "notary": Answer("N. Otary", after=timedelta(days=1)),
        },
    )
