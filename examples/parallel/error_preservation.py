"""What became of each branch, failures included: index, status, result or error, in the order of the branches.

Tolerated failures raise nothing, and the execution goes on with what it has.
"""

from __future__ import annotations

from everstep import Branch, Completion, DurableContext, Retry, durable
from examples.run import run


async def calibrate(number: int) -> str:
    if number % 2 == 0:
        raise OSError(5, f"sensor {number} does not answer")
    return f"sensor {number} is set"


def sensor(number: int) -> Branch[str]:
    async def body(child: DurableContext) -> str:
        return await child.step(calibrate, number, retry=Retry.none())

    return Branch(body, name=f"sensor {number}")


@durable
async def calibrate_all(event: int, ctx: DurableContext) -> list[str]:
    batch = await ctx.parallel([sensor(number) for number in range(event)], completion=Completion(tolerated_failure_count=3))
    lines = [f"{item.error.error_type}: {item.error}" if item.error else f"{item.result}" for item in batch.all]
    return [*lines, batch.completion_reason]


if __name__ == "__main__":
    run(calibrate_all, 5)
