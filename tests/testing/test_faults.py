"""What goes wrong between a handler and its service changes nothing, or what it should."""

from __future__ import annotations

from datetime import timedelta

import pytest

from everstep import DurableContext, Retry
from everstep.testing import Crash, Doubled, Fault, Interrupted, LostAnswer, Runner, Slow, Throttled

ran: list[str] = []


async def work() -> str:
    ran.append("work")
    return "done"


async def careful(event: str, ctx: DurableContext) -> str:
    first = await ctx.step(work, name="first")
    await ctx.wait(60)
    return first + await ctx.step(work, name="second")


@pytest.fixture(autouse=True)
def nothing_ran() -> None:
    ran.clear()


@pytest.mark.parametrize(
    ("fault", "bodies", "invocations"),
    [
        (Crash(1), 3, 3),
        (Crash(1, "after"), 2, 3),
        (Crash(1, "output"), 2, 3),
        (Crash(2, "output"), 2, 3),
        (Interrupted("second"), 3, 3),
        (LostAnswer(1), 2, 2),
        (Doubled(2), 2, 2),
        (Throttled(1), 3, 3),
        (Throttled(1, times=3), 5, 5),
        (Slow(5), 2, 2),
    ],
    ids=str,
)
def test_a_fault_is_survived(durable_runner: Runner, fault: Fault, bodies: int, invocations: int) -> None:
    execution = durable_runner.run(careful, "", faults=[fault])

    assert execution.result == "donedone"
    assert (len(ran), execution.invocations) == (bodies, invocations)


def test_a_slow_service_takes_its_time(durable_runner: Runner) -> None:
    assert durable_runner.run(careful, "", faults=[Slow(30, at=1)]).took == timedelta(seconds=90)


def test_an_at_most_once_step_that_is_interrupted_does_not_run_again(durable_runner: Runner) -> None:
    async def once(event: None, ctx: DurableContext) -> str:
        return await ctx.step(work, name="first", semantics="at_most_once", retry=Retry.none())

    execution = durable_runner.run(once, None, faults=[Interrupted("first")])

    execution.assert_failed("StepInterrupted", "interrupted before its outcome was recorded")
    assert ran == ["work"]


def test_faults_come_together(durable_runner: Runner) -> None:
    execution = durable_runner.run(careful, "", faults=[Crash(1), Crash(3, "after"), Throttled(5)])

    assert execution.result == "donedone"
