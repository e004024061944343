"""Up to two failures are borne, whichever branches they are.

With a third the parallel would end at once: see `parallel/failure_threshold_exceeded.py`.
"""

from __future__ import annotations

from everstep import Branch, Completion, DurableContext, Retry, durable
from examples.run import run


async def deliver(house: int) -> str:
    if house in (2, 5):
        raise LookupError(f"no letter box at number {house}")
    return f"number {house}"


def visit(house: int) -> Branch[str]:
    async def body(child: DurableContext) -> str:
        return await child.step(deliver, house, retry=Retry.none())

    return Branch(body, name=f"number {house}")


@durable
async def deliver_street(event: int, ctx: DurableContext) -> str:
    round_trip = await ctx.parallel([visit(house) for house in range(1, event + 1)], completion=Completion(tolerated_failure_count=2))
    return f"{round_trip.success_count} delivered, {round_trip.failure_count} brought back, {round_trip.completion_reason}"


if __name__ == "__main__":
    run(deliver_street, 6)
