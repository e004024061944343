"""Steps with names of their own, where the function's name would say too little.

One function used several times is told apart in the history this way.
"""

from __future__ import annotations

from everstep import DurableContext, durable
from examples.run import run


async def post(account: str, amount: int) -> str:
    return f"{account} {amount:+}"


@durable
async def transfer(event: int, ctx: DurableContext) -> list[str]:
    taken = await ctx.step(post, "checking", -event, name="debit")
    given = await ctx.step(post, "savings", event, name="credit")
    return [taken, given]


if __name__ == "__main__":
    run(transfer, 250)
