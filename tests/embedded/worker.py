"""The process that the kill test kills: it serves 50 executions and notes each body that it runs.

`python -m tests.embedded.worker DATABASE LEDGER`
"""

from __future__ import annotations

import asyncio
import json
import os
import sys
import time

import everstep
from everstep import DurableContext, durable, get_step_context

EXECUTIONS = 50
ledger = ""  # a path, once this is the program


async def work(number: int, seconds: float, once: bool) -> int:
    """once: whether this attempt may never run again."""
    step = get_step_context()
    line = {
        "execution": step.execution_arn,
        "operation": step.operation_id,
        "attempt": step.attempt,
        "at": time.time() * 1000,
        "once": once,
    }
    descriptor = os.open(ledger, os.O_WRONLY | os.O_APPEND | os.O_CREAT)
    os.write(descriptor, (json.dumps(line) + "\n").encode())
    os.close(descriptor)
    await asyncio.sleep(seconds)
    return number


async def part(ctx: DurableContext, number: int) -> int:
    first = await ctx.step(work, number, 0.01 * (number % 4), False)
    return first + await ctx.step(work, number, 0.02, True, semantics="at_most_once", retry=everstep.Retry.fixed(1, max_attempts=50))


@durable
async def handler(event: int, ctx: DurableContext) -> int:
    total = await ctx.step(work, event, 0.01, False)
    async with asyncio.timeout(3600):
        parts = await ctx.map(range(3), part, max_concurrency=2)
    await asyncio.sleep(1)
    async with asyncio.TaskGroup() as group:
        left = group.create_task(ctx.step(work, 1, 0.03, False))
        group.create_task(ctx.wait(1))
    return total + sum(parts) + left.result()


async def main(database: str) -> None:
    async with everstep.Service(f"sqlite:///{database}") as service:
        service.register(handler)
        started = [await service.start(handler, number, name=f"execution-{number}") for number in range(EXECUTIONS)]
        print("serving", flush=True)
        results = await asyncio.gather(*(execution.result() for execution in started))
        assert results == [expected(number) for number in range(EXECUTIONS)], results
        for execution in started:
            print(json.dumps(await service.history(execution.arn)), flush=True)
        print("finished", flush=True)


def expected(number: int) -> int:
    return number + 2 * (0 + 1 + 2) + 1


if __name__ == "__main__":
    database, ledger = sys.argv[1:]
    asyncio.run(main(database))
