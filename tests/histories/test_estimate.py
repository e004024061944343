"""What executions spend of the quotas."""

from __future__ import annotations

import json

from everstep import DurableContext, Poll, Retry
from everstep.histories.estimate import as_text, estimate
from everstep.histories.reading import events_of
from everstep.testing import RecordedExecution, Runner, Throttled
from everstep.testing.snapshots import history_json


async def pack(ctx: DurableContext, item: int) -> int:
    return await ctx.step(weigh, item)


async def weigh(item: int) -> int:
    return item


async def flaky() -> str:
    raise ValueError("no")


def poll(state: int) -> int:
    return state + 1


def send(callback_id: str) -> None: ...


async def handler(event: str, ctx: DurableContext) -> str:
    await ctx.map(list(range(10)), pack, name="pack")
    await ctx.wait_for_callback(send, name="approval")
    await ctx.wait_for_condition(poll, 0, poll=Poll(until=lambda state: state >= 3, initial_delay=1))
    for _ in range(2):
        try:
            await ctx.step(flaky, retry=Retry.fixed(1, max_attempts=3))
        except ValueError:
            await ctx.wait(1, name="rest")
    return "done"


def used(execution: RecordedExecution[object]) -> dict[str, int]:
    events, _ = events_of(json.loads(history_json(execution)), "x")
    assert events is not None
    return {limit.what: limit.used for limit in estimate(events, "x").limits}


def test_operations_are_counted_as_the_service_counts_them(durable_runner: Runner) -> None:
    durable_runner.on_callback("approval", returns="yes")

    found = used(durable_runner.run(handler, "x" * 1000))

    #                             start  map + branches + steps  callback  condition  steps + retries  waits
    assert found["operations"] == 1 + 21 + 3 + 3 + 2 * 3 + 2
    assert found["failed invocations"] == 0
    assert found["bytes written"] > 1000


def test_invocations_that_failed_are_counted(durable_runner: Runner) -> None:
    async def short(event: None, ctx: DurableContext) -> None:
        await ctx.wait(1)

    calm, throttled = durable_runner.run(short, None), durable_runner.run(short, None, faults=[Throttled(1, times=2)])

    assert used(throttled)["operations"] == used(calm)["operations"] + 2
    assert used(throttled)["failed invocations"] == 2


def test_a_handler_that_fails_costs_no_retry(durable_runner: Runner) -> None:
    async def failing(event: None, ctx: DurableContext) -> None:
        raise ValueError("no")

    assert used(durable_runner.run(failing, None))["failed invocations"] == 0


def test_what_spends_most_comes_first(durable_runner: Runner) -> None:
    durable_runner.on_callback("approval", returns="yes")
    events, _ = events_of(json.loads(history_json(durable_runner.run(handler, ""))), "x")
    assert events is not None

    found = estimate(events, "x.json")

    assert [(one.label, one.calls, one.operations) for one in found.constructs] == [
        ("Map pack", 1, 21),
        ("Step flaky", 2, 6),
        ("WaitForCallback approval", 1, 3),
        ("WaitForCondition poll", 1, 3),
        ("Wait rest", 2, 2),
    ]
    assert "          21            30  Map pack (10 MapIteration, 10 Step)" in as_text(
        found
    ) or "Map pack (10 MapIteration, 10 Step)" in as_text(found)
    assert "Step flaky (2 times) (4 retries or polls)" in as_text(found)
