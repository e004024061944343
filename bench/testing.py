"""What tests cost: `python -m bench.testing`.

Executions in virtual time, crash points explored, histories verified. CPU time, so that a busy machine changes little; the
median of several rounds.
"""

from __future__ import annotations

import asyncio
import statistics
import time
from collections.abc import Callable
from datetime import timedelta
from functools import partial
from typing import Final, cast

from everstep import DurableContext, DurableHandler, durable
from everstep.histories.reading import read_recording
from everstep.histories.verification import verify
from everstep.testing import Runner
from everstep.testing.snapshots import history_json

ROUNDS: Final = 5
OPERATIONS: Final = 100
HISTORIES: Final = 1_000


async def add(a: int, b: int) -> int:
    return a + b


@durable
async def year(event: int, ctx: DurableContext) -> int:
    """A year-long execution of two invocations."""
    await ctx.wait(timedelta(days=365))
    return event


@durable
async def hundred(event: int, ctx: DurableContext) -> int:
    """A hundred operations: steps, and a wait after each tenth."""
    total = 0
    for number in range(1, OPERATIONS + 1):
        if number % 10:
            total = await ctx.step(add, total, number)
        else:
            await ctx.wait(60)
    return total


def median_s(case: Callable[[], object]) -> float:
    case()  # what is made once is made now
    taken: list[float] = []
    for _ in range(ROUNDS):
        began = time.process_time()
        case()
        taken.append(time.process_time() - began)
    return statistics.median(taken)


def executions(runner: Runner, times: int) -> None:
    for number in range(times):
        runner.run(year, number)


def points(runner: Runner) -> int:
    return runner.explore_crashes(hundred, 0).points


def verified(history: str) -> None:
    """Read and verify as many copies, as `everstep verify` does."""

    async def main() -> None:
        handler = cast("DurableHandler[object, object]", hundred)
        for number in range(HISTORIES):
            verdict = await verify(handler, read_recording(history, str(number)))
            assert verdict.is_ok

    asyncio.run(main())


def main() -> None:
    with Runner() as checked, Runner(check_replay=False) as bare:
        for name, runner in (("with the replay at the end", checked), ("without it", bare)):
            seconds = median_s(partial(executions, runner, 200))
            print(f"{200 / seconds:10,.0f} year-long executions a second, {name}")
        explored = points(checked)
        seconds = median_s(partial(points, checked))
        print(f"{explored / seconds:10,.0f} crash points a second, of {OPERATIONS} operations each ({explored} in {seconds:.2f} s)")
        history = history_json(checked.run(hundred, 0))
    seconds = median_s(partial(verified, history))
    print(f"{HISTORIES / seconds:10,.0f} histories of {OPERATIONS} operations a second ({HISTORIES:,} in {seconds:.2f} s)")


if __name__ == "__main__":
    main()
