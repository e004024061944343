"""A map that is complete as soon as enough items have succeeded; what still runs then is cancelled.

For quorums and surveys: three answers will do, whoever gives them.
"""

from __future__ import annotations

from datetime import timedelta

from everstep import Completion, DurableContext, durable
from examples.run import run


async def estimate(craftsman: str) -> int:
    return 100 * len(craftsman)


async def visit(child: DurableContext, craftsman: str) -> int:
    await child.wait(timedelta(days=len(craftsman)), name=f"{craftsman} looks at the calendar")
    return await child.step(estimate, craftsman)


@durable
async def compare_estimates(event: list[str], ctx: DurableContext) -> dict[str, int | str]:
    estimates = await ctx.map(event, visit, completion=Completion(min_successful=3))
    return {"cheapest": min(estimates), "still out": estimates.started_count, "reason": estimates.completion_reason}


if __name__ == "__main__":
    run(compare_estimates, ["Vera", "Maximilian", "Zoe", "Konstantin", "Benno"])
