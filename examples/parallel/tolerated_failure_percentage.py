"""A share of failures is borne: a quarter of the branches, however many there are. Exactly a quarter is still borne.

For batches of different sizes under one rule.
"""

from __future__ import annotations

from everstep import Branch, Completion, DurableContext, Retry, durable
from examples.run import run


async def germinate(seed: int) -> int:
    if seed % 4 == 3:
        raise ValueError(f"seed {seed} stays asleep")
    return seed


def sow(seed: int) -> Branch[int]:
    async def body(child: DurableContext) -> int:
        return await child.step(germinate, seed, retry=Retry.none())

    return Branch(body, name=f"seed {seed}")


@durable
async def fill_tray(event: int, ctx: DurableContext) -> str:
    tray = await ctx.parallel([sow(seed) for seed in range(event)], completion=Completion(tolerated_failure_percentage=25))
    return f"{tray.success_count} of {tray.total_count}: {tray.completion_reason}"


if __name__ == "__main__":
    run(fill_tray, 8)
