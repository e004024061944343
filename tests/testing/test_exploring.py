"""Crashes at every point."""

from __future__ import annotations

import asyncio
from collections import Counter
from datetime import timedelta

import pytest

from everstep import DurableContext, Retry
from everstep.testing import AsyncRunner, Crash, OutcomeChanged, Runner
from tests.testing.handlers import Order, order

LAMP = Order("17", 120)
paid: Counter[str] = Counter()


async def charge(key: str) -> str:
    paid[key] += 1
    return "paid"


async def charge_once(key: str) -> str:
    paid[key] = 1  # the bank knows the key
    return "paid"


async def careless(event: str, ctx: DurableContext) -> str:
    await ctx.wait(1)
    return await ctx.step(charge, event)


async def careful(event: str, ctx: DurableContext) -> str:
    await ctx.wait(1)
    return await ctx.step(charge_once, event)


def test_a_handler_that_survives_every_crash_passes(durable_runner: Runner) -> None:
    durable_runner.on_callback("approval", returns="yes", after=timedelta(hours=1))

    explored = durable_runner.explore_crashes(order, LAMP)

    assert explored.execution.result.decision == "yes"
    calm = explored.execution
    assert calm.checkpoints is not None
    assert explored.points == 2 * calm.checkpoints + calm.invocations


def test_what_happens_twice_outside_is_seen_by_who_observes_it(durable_runner: Runner) -> None:
    durable_runner.explore_crashes(careful, "17", before_each=paid.clear, observe=lambda: dict(paid))

    with pytest.raises(OutcomeChanged) as changed:
        durable_runner.explore_crashes(careless, "17", before_each=paid.clear, observe=lambda: dict(paid))

    assert changed.value.crashes == (Crash(2),)
    assert str(changed.value).startswith(
        "crash before checkpoint 2 arrives (START Step charge, SUCCEED Step charge): "
        "what was observed is {'17': 2}, and without a crash {'17': 1}"
    )


def test_an_at_most_once_step_that_is_cut_off_changes_the_outcome(durable_runner: Runner) -> None:
    async def once(event: str, ctx: DurableContext) -> str:
        return await ctx.step(charge, event, semantics="at_most_once", retry=Retry.none())

    with pytest.raises(OutcomeChanged, match=r"crash after checkpoint 1 is recorded \(START Step charge\): the status is 'FAILED'"):
        durable_runner.explore_crashes(once, "17")


def test_a_handler_that_counts_its_runs_is_found_out(durable_runner: Runner) -> None:
    runs: list[int] = []

    async def counting(event: None, ctx: DurableContext) -> str:
        runs.append(1)
        return await ctx.step(charge, "17", name=f"run {len(runs)}")

    with pytest.raises(OutcomeChanged, match="ReplayMismatch"):
        Runner(check_replay=False).explore_crashes(counting, None, before_each=runs.clear)


def test_pairs_of_crashes_are_explored_on_request(durable_runner: Runner) -> None:
    single = durable_runner.explore_crashes(careful, "17")
    pairs = durable_runner.explore_crashes(careful, "17", pairs=True)

    assert pairs.points > 2 * single.points


def test_a_coroutine_explores_as_well(async_durable_runner: AsyncRunner) -> None:
    explored = asyncio.run(async_durable_runner.explore_crashes(careful, "17"))

    assert explored.points == 6
