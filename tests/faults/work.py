"""The handler that is run while everything around it is killed. Each body of a step notes in a ledger that it has run."""

from __future__ import annotations

import json
import os
import time

from everstep import DurableContext, Retry, durable, get_step_context

LEDGER = "EVERSTEP_TEST_LEDGER"
"""The variable that names the file."""
STEPS = 5


async def note(number: int, once: bool) -> int:
    """once: whether this attempt may never run again."""
    step = get_step_context()
    line = {
        "execution": step.execution_arn.rpartition("/")[2],
        "operation": step.operation_id,
        "attempt": step.attempt,
        "at": time.time() * 1000,
        "once": once,
    }
    descriptor = os.open(os.environ[LEDGER], os.O_WRONLY | os.O_APPEND | os.O_CREAT, 0o644)
    try:
        os.write(descriptor, (json.dumps(line) + "\n").encode())  # one write: lines of several processes do not mix
    finally:
        os.close(descriptor)
    return number


@durable
async def work(event: int, ctx: DurableContext) -> int:
    """Five steps, one of them at most once; some executions wait in between."""
    total = 0
    for number in range(STEPS - 1):
        total += await ctx.step(note, number, False)
        if number == event % 16:
            await ctx.wait(1)
    once = Retry.fixed(1, max_attempts=1_000)
    return total + await ctx.step(note, event, True, semantics="at_most_once", retry=once)


def expected(event: int) -> int:
    return sum(range(STEPS - 1)) + event
