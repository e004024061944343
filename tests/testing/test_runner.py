"""The runner for plain tests."""

from __future__ import annotations

import asyncio
import gc
import random
import time
from datetime import UTC, datetime, timedelta

import pytest

from everstep import DurableContext, ExecutionFailed, Retry, ServiceError, UsageError, durable
from everstep.testing import Nondeterministic, Runner
from tests.testing.handlers import Order, Receipt, ask_manager, caller, double, order, plain

LAMP = Order("17", 120)


def test_a_year_passes_in_no_time(durable_runner: Runner) -> None:
    durable_runner.on_callback("approval", returns="yes", after=timedelta(days=3))
    began = time.monotonic()

    execution = durable_runner.run(order, LAMP)

    assert execution.result == Receipt(LAMP, "payment of 120", "yes")
    assert round(execution.took.total_seconds()) == timedelta(days=203, seconds=10).total_seconds()
    assert time.monotonic() - began < 10


def test_operations_are_found_by_name_path_and_type(durable_runner: Runner) -> None:
    durable_runner.on_callback("approval", returns="yes")

    execution = durable_runner.run(order, LAMP)

    charge = execution.operation("charge")
    assert (charge.result, charge.attempts, charge.status) == ("payment of 120", 2, "SUCCEEDED")
    assert execution.operation("approval/approval submitter").type == "STEP"
    assert [wait.took for wait in execution.find(type="WAIT")] == [timedelta(days=200)]
    assert [step.result for step in execution.find("pack")] == ["parcel 1", "parcel 2"]
    assert execution.find("pack")[1].parent in execution.operation("ship").children
    assert execution.operation("charge").result_as(str) == "payment of 120"


def test_an_operation_that_is_not_there_is_missed_with_what_is_there(durable_runner: Runner) -> None:
    execution = durable_runner.run(plain, 4)

    with pytest.raises(LookupError, match=r"no operation is called 'triple'(.|\n)*Step double"):
        execution.operation("triple")


def test_a_name_that_stands_for_several_is_told_apart_by_paths(durable_runner: Runner) -> None:
    durable_runner.on_callback("approval", returns="yes")
    execution = durable_runner.run(order, LAMP)

    with pytest.raises(LookupError, match="2 operations are called 'pack'; ask for one of 'ship/"):
        execution.operation("pack")


def test_a_callback_is_answered_with_an_error(durable_runner: Runner) -> None:
    durable_runner.on_callback("approval", raises=PermissionError("not today"))

    execution = durable_runner.run(order, LAMP)

    execution.assert_failed("PermissionError", "not today")
    execution.operation("approval create callback id").assert_failed("PermissionError")


def test_a_callback_that_is_ignored_times_out(durable_runner: Runner) -> None:
    durable_runner.ignore_callback("approval")

    execution = durable_runner.run(order, LAMP)

    execution.assert_failed("Callback.Timeout")
    assert round(execution.took.total_seconds()) == timedelta(days=207, seconds=10).total_seconds()


def test_a_callback_that_nobody_answers_is_pointed_out(durable_runner: Runner) -> None:
    @durable
    async def wait_forever(event: None, ctx: DurableContext) -> None:
        await ctx.wait_for_callback(ask_manager, name="signature")

    durable_runner.on_callback("approval", returns=1)

    with pytest.raises(UsageError, match=r"the callback 'signature', which nobody answers. Answers are registered for 'approval'"):
        durable_runner.run(wait_forever, None)


def test_a_callback_is_answered_while_a_sibling_is_busy(durable_runner: Runner) -> None:
    async def slow() -> str:
        await asyncio.sleep(600)
        return "worked"

    async def works(ctx: DurableContext) -> str:
        return await ctx.step(slow)

    async def asks(ctx: DurableContext) -> str:
        return await ctx.wait_for_callback(ask_manager, name="approval", returns=str)

    async def handler(event: None, ctx: DurableContext) -> list[str]:
        return (await ctx.parallel([works, asks])).get_results()

    durable_runner.on_callback("approval", returns="approved", after=40)

    execution = durable_runner.run(handler, None)

    assert execution.result == ["worked", "approved"]
    assert round(execution.operation("approval create callback id").took.total_seconds()) == 40
    assert round(execution.took.total_seconds()) == 600


def test_heartbeats_keep_a_callback_alive(durable_runner: Runner) -> None:
    @durable
    async def patient(event: None, ctx: DurableContext) -> str:
        return await ctx.wait_for_callback(ask_manager, name="long job", returns=str, heartbeat_timeout=60)

    durable_runner.on_callback("long job", returns="done", after=timedelta(hours=5), heartbeat_every=50)
    assert durable_runner.run(patient, None).result == "done"

    durable_runner.on_callback("long job", returns="done", after=timedelta(hours=5), heartbeat_every=70)
    assert round(durable_runner.run(patient, None).took.total_seconds()) == 60


def test_an_execution_goes_on_by_hand(durable_runner: Runner) -> None:
    execution = durable_runner.start(order, LAMP)
    assert execution.record().operation("charge").status == "PENDING"

    callback = execution.until_callback("approval")
    assert callback.name == "approval"
    callback.heartbeat()
    callback.succeed("by hand")
    record = execution.finish()

    assert record.result.decision == "by hand"
    with pytest.raises(ServiceError, match="already completed"):
        callback.succeed("again")


def test_time_passes_by_hand(durable_runner: Runner) -> None:
    execution = durable_runner.start(order, LAMP)

    execution.advance(timedelta(days=199))
    assert execution.record().operation("cool off").status == "STARTED"
    execution.advance(timedelta(days=2))
    assert execution.record().operation("cool off").status == "SUCCEEDED"


def test_an_execution_that_asks_for_another_callback_is_shown(durable_runner: Runner) -> None:
    execution = durable_runner.start(plain, 1)

    with pytest.raises(LookupError, match=r"never waited for the callback 'approval'(.|\n)*SUCCEEDED"):
        execution.until_callback("approval")


def test_an_execution_can_be_stopped(durable_runner: Runner) -> None:
    execution = durable_runner.start(order, LAMP)

    execution.stop()

    execution.finish().assert_status("STOPPED")


def test_handlers_invoke_what_is_registered(durable_runner: Runner) -> None:
    durable_runner.register(double)
    durable_runner.register(plain)

    execution = durable_runner.run(caller, 5)

    assert execution.result == 20
    assert round(execution.took.total_seconds()) == 3660
    durable_runner.run(caller, 5)


def test_a_function_that_is_not_registered_is_not_found(durable_runner: Runner) -> None:
    durable_runner.run(caller, 5).assert_failed("ResourceNotFoundException", "double")


def test_a_plain_function_need_not_be_decorated(durable_runner: Runner) -> None:
    async def twice(event: int, ctx: DurableContext) -> int:
        return event * 2

    assert durable_runner.run(twice, 4).result == 8


def test_the_execution_timeout_ends_an_execution(durable_runner: Runner) -> None:
    durable_runner.register(plain, execution_timeout=timedelta(minutes=10))

    execution = durable_runner.run(plain, 1)

    execution.assert_status("TIMED_OUT")
    with pytest.raises(ExecutionFailed):
        execution.result  # noqa: B018  # asking for it raises


def test_a_body_that_takes_longer_than_an_invocation_may_is_cut_off(durable_runner: Runner) -> None:
    slow = [True]

    async def body() -> str:
        if slow.pop():
            slow.append(False)
            await asyncio.sleep(3600)
        return "at last"

    async def handler(event: None, ctx: DurableContext) -> str:
        return await ctx.step(body)

    execution = durable_runner.run(handler, None)

    assert execution.result == "at last"
    assert execution.invocations == 2
    assert timedelta(minutes=15) < execution.took < timedelta(minutes=16)


def test_nondeterminism_shows_in_an_ordinary_test(durable_runner: Runner) -> None:
    async def by_chance(event: None, ctx: DurableContext) -> str:
        return await ctx.step(ask, name=f"step {random.random()}")

    async def ask() -> str:
        return "yes"

    with pytest.raises(Nondeterministic, match=r"the replay asked for Step \"step .*test_runner.py"):
        durable_runner.run(by_chance, None)


def test_a_result_that_changes_shows_in_an_ordinary_test(durable_runner: Runner) -> None:
    async def unrecorded(event: None, ctx: DurableContext) -> float:
        return random.random()

    with pytest.raises(Nondeterministic, match="the handler now returns another result"):
        durable_runner.run(unrecorded, None)


def test_a_failure_keeps_its_class_out_of_the_test(durable_runner: Runner) -> None:
    async def broken(event: None, ctx: DurableContext) -> None:
        raise ValueError("no")

    execution = durable_runner.run(broken, None)

    execution.assert_failed("ValueError", "no")
    with pytest.raises(AssertionError, match=r"the execution did not succeed(.|\n)*ValueError: no"):
        execution.assert_succeeded()


def test_what_is_expected_otherwise_is_shown_as_a_difference(durable_runner: Runner) -> None:
    execution = durable_runner.run(plain, 4)

    execution.assert_succeeded(8)
    execution.assert_operations("Wait", "Step double")
    with pytest.raises(AssertionError, match=r"-9\n\+8"):
        execution.assert_succeeded(9)
    with pytest.raises(AssertionError, match=r"other operations began than expected(.|\n)*\+Step double"):
        execution.assert_operations("Wait")
    with pytest.raises(AssertionError, match="the result of Step double"):
        execution.operation("double").assert_succeeded(7)


def test_an_execution_is_printed_as_a_tree(durable_runner: Runner) -> None:
    durable_runner.on_callback("approval", returns="yes")

    execution = durable_runner.run(order, LAMP, name="order-17")

    assert execution.tree().splitlines() == [
        'order-17 · SUCCEEDED → {"order":{"id":"17","total":120},"payment":"payment of 120","decision":"yes"} after 200 days, 0:00:10',
        '├─ Step charge · 2 attempts · SUCCEEDED → "payment of 120"',
        "├─ Wait cool off · 200 days, 0:00:00 · SUCCEEDED",
        "├─ WaitForCallback approval · SUCCEEDED",
        '│  ├─ Callback approval create callback id · SUCCEEDED → "yes"',
        "│  └─ Step approval submitter · SUCCEEDED",
        "└─ Map ship · SUCCEEDED",
        "   ├─ MapIteration map-item-0 · SUCCEEDED",
        '   │  └─ Step pack · SUCCEEDED → "parcel 1"',
        "   └─ MapIteration map-item-1 · SUCCEEDED",
        '      └─ Step pack · SUCCEEDED → "parcel 2"',
    ]


def test_an_execution_is_printed_as_a_timeline(durable_runner: Runner) -> None:
    assert durable_runner.run(plain, 4).timeline().splitlines() == [
        "             0:00:00  ExecutionStarted",
        "             0:00:00  WaitStarted",
        "             0:00:00  InvocationCompleted",
        "             1:00:00  WaitSucceeded",
        "             1:00:00  StepStarted double",
        "             1:00:00  StepSucceeded double",
        "             1:00:00  InvocationCompleted",
        "             1:00:00  ExecutionSucceeded",
    ]


def test_each_resume_replays_unless_the_runner_is_warm() -> None:
    rounds: list[str] = []

    async def counted(event: None, ctx: DurableContext) -> None:
        rounds.append("begun")
        await ctx.wait(1)
        await ctx.wait(1)

    with Runner(check_replay=False) as runner:
        runner.run(counted, None)
    assert len(rounds) == 3

    with Runner(check_replay=False, warm=True) as runner:
        runner.run(counted, None)
    assert len(rounds) == 4


def test_an_execution_that_nobody_finishes_leaves_nothing_behind() -> None:
    with Runner(warm=True) as runner:
        execution = runner.start(order, LAMP)
        execution.until_callback("approval")
        del execution
        gc.collect()  # what it leaves would be logged as an error


def test_time_begins_when_the_runner_says() -> None:
    async def now(event: None, ctx: DurableContext) -> datetime:
        return ctx.now()

    with Runner(begin=datetime(2030, 1, 1, tzinfo=UTC)) as runner:
        assert runner.run(now, None).result == datetime(2030, 1, 1, tzinfo=UTC)
    with pytest.raises(UsageError, match="without a time zone"):
        Runner(begin=datetime(2030, 1, 1))  # that is what it is about


def test_executions_of_one_runner_are_alike(durable_runner: Runner) -> None:
    async def draw(event: None, ctx: DurableContext) -> str:
        return str(ctx.uuid4())

    assert durable_runner.run(draw, None).result == durable_runner.run(draw, None).result


def test_threads_take_real_time_and_nothing_jumps_ahead_of_them(durable_runner: Runner) -> None:
    def body() -> str:
        time.sleep(0.02)
        return "from a thread"

    async def handler(event: None, ctx: DurableContext) -> str:
        async with asyncio.timeout(3600):
            return await ctx.step(body, retry=Retry.none())

    execution = durable_runner.run(handler, None)

    assert execution.result == "from a thread"
    assert execution.took < timedelta(seconds=10)


async def in_a_loop(runner: Runner) -> None:
    runner.run(plain, 1)


def test_inside_an_event_loop_the_other_runner_is_named(durable_runner: Runner) -> None:
    with pytest.raises(UsageError, match="use AsyncRunner"):
        asyncio.run(in_a_loop(durable_runner))
