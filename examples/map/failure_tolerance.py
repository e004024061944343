"""A map that bears a few failures: it runs to its end unless more items fail than are tolerated.

The handler then looks at both lists. Without a completion rule the first failure would end the map.
"""

from __future__ import annotations

from everstep import Completion, DurableContext, Retry, durable
from examples.run import run


async def send(address: str) -> str:
    if "@" not in address:
        raise ValueError(f"{address} is no address")
    return address


async def send_one(child: DurableContext, address: str) -> str:
    return await child.step(send, address, retry=Retry.none())


@durable
async def send_newsletter(event: list[str], ctx: DurableContext) -> dict[str, list[str]]:
    batch = await ctx.map(event, send_one, completion=Completion(tolerated_failure_count=2))
    return {"sent": batch.get_results(), "failed": [str(error) for error in batch.get_errors()], "reason": [batch.completion_reason]}


if __name__ == "__main__":
    run(send_newsletter, ["ada@example.com", "ben", "cy@example.com", "dee", "eve@example.com"])
