"""Defects that other SDKs of the family have, each with a test that we don't.

The sources are the project's notes on its peers: the official Python SDK 3.0.0 and an asyncio fork of it.
"""

from __future__ import annotations

import asyncio
import sys
import threading
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime

import pytest

from everstep import (
    Completion,
    DurableContext,
    OperationError,
    PayloadTooLarge,
    ReplayMismatch,
    Retry,
    StepError,
    UsageError,
    as_completed,
    get_step_context,
)
from everstep.protocol.shapes import ErrorObject
from everstep.service.machine.model import Outcome
from tests.support.handlers import replay_with, run_handler, succeeded


class Ran:
    """Counts and times what runs."""

    def __init__(self) -> None:
        self.log: list[str] = []

    async def short(self, name: str) -> str:
        self.log.append(name)
        return name

    async def slow(self, name: str, seconds: float) -> str:
        self.log.append(f"{name} begins")
        await asyncio.sleep(seconds)
        self.log.append(f"{name} ends")
        return name


def test_a_step_beside_a_wait_runs_once() -> None:
    ran = Ran()

    async def handler(event: object, ctx: DurableContext) -> list[object]:
        return list(await asyncio.gather(ctx.wait(2), ctx.step(ran.slow, "step", 5, semantics="at_most_once", retry=Retry.none())))

    for warm in (True, False):
        ran.log.clear()
        assert run_handler(handler, warm=warm).result == [None, "step"]
        assert ran.log == ["step begins", "step ends"]


def test_a_task_group_with_a_wait_does_not_cut_its_step_off() -> None:
    ran = Ran()

    async def handler(event: object, ctx: DurableContext) -> str:
        async with asyncio.TaskGroup() as group:
            group.create_task(ctx.wait(1))
            step = group.create_task(ctx.step(ran.slow, "step", 3))
        return step.result()

    assert run_handler(handler, warm=False).result == "step"
    assert ran.log == ["step begins", "step ends"]


def test_a_renamed_step_is_refused() -> None:
    async def alpha() -> int:
        return 1

    async def completely_other() -> int:
        return 2

    async def before(event: object, ctx: DurableContext) -> int:
        return await ctx.step(alpha)

    async def after(event: object, ctx: DurableContext) -> int:
        return await ctx.step(completely_other)

    status, kind, message = replay_with(run_handler(before), after)

    assert (status, kind) == ("FAILED", "everstep.errors.ReplayMismatch")
    assert message is not None
    assert '"alpha"' in message
    assert '"completely_other"' in message
    assert "test_known_defects.py:" in message


def test_a_child_context_is_not_replayed_from_a_steps_record() -> None:
    async def work() -> int:
        return 1

    async def child(ctx: DurableContext) -> int:
        return await ctx.step(work)

    async def before(event: object, ctx: DurableContext) -> int:
        return await ctx.step(work, name="x")

    async def after(event: object, ctx: DurableContext) -> int:
        return await ctx.run_in_child_context(child, name="x")

    assert replay_with(run_handler(before), after)[:2] == ("FAILED", "everstep.errors.ReplayMismatch")


def test_a_mismatch_that_is_swallowed_still_fails_the_execution() -> None:
    async def work() -> int:
        return 1

    async def before(event: object, ctx: DurableContext) -> int:
        return await ctx.step(work, name="a")

    async def after(event: object, ctx: DurableContext) -> int:
        try:
            return await ctx.step(work, name="b")
        except Exception:
            return 7

    assert replay_with(run_handler(before), after)[:2] == ("FAILED", "everstep.errors.ReplayMismatch")


def test_user_code_never_sees_a_suspension() -> None:
    seen: list[str] = []

    class Resource:
        async def __aenter__(self) -> None:
            seen.append("enter")

        async def __aexit__(self, *_: object) -> None:
            seen.append("exit")

    async def handler(event: object, ctx: DurableContext) -> str:
        async with Resource():
            try:
                await ctx.wait(60)
                await ctx.wait(60)
            except BaseException as error:
                seen.append(type(error).__name__)
                raise
            finally:
                seen.append("finally")
        return "done"

    ran = run_handler(handler, replays=False)

    assert ran.result == "done"
    assert len(ran.run.outputs) == 3
    assert seen == ["enter", "finally", "exit"]


def test_a_bare_except_around_a_wait_does_not_end_the_execution_early() -> None:
    async def handler(event: object, ctx: DurableContext) -> str:
        try:
            await ctx.wait(60)
        except BaseException:
            return "early"
        return "on time"

    for warm in (True, False):
        ran = run_handler(handler, warm=warm)
        assert (ran.result, ran.seconds) == ("on time", 60)


def test_what_a_finally_block_asks_for_while_its_execution_is_dropped_is_not_done() -> None:
    ran = Ran()

    async def handler(event: object, ctx: DurableContext) -> str:
        try:
            await ctx.wait(60)
        finally:
            await ctx.step(ran.short, "clean up")
            await asyncio.sleep(5)
        return "done"

    cold = run_handler(handler, warm=False)

    assert cold.result == "done"
    assert ran.log == ["clean up"]


def test_a_result_of_800_kilobytes_gets_an_answer() -> None:
    async def large() -> str:
        return "x" * 819_200

    async def handler(event: object, ctx: DurableContext) -> int:
        return len(await ctx.step(large))

    assert run_handler(handler).result == 819_200


def test_a_result_above_the_limit_is_a_failed_step_that_says_so() -> None:
    async def huge() -> str:
        return "ü" * 600_000  # 1.2 MB as UTF-8, though fewer characters than the limit

    async def handler(event: object, ctx: DurableContext) -> list[object]:
        try:
            await ctx.step(huge)
        except StepError as error:
            return [isinstance(error, PayloadTooLarge), error.message]
        return []

    result = run_handler(handler).result

    assert isinstance(result, list)
    is_too_large, message = result
    assert is_too_large
    assert "1,200,002 bytes" in str(message)
    assert '"huge"' in str(message)


def test_a_wide_map_costs_linear_time() -> None:
    async def item(ctx: DurableContext, number: int) -> int:
        return await ctx.step(double, number)

    async def double(number: int) -> int:
        return number * 2

    async def handler(event: int, ctx: DurableContext) -> int:
        return sum((await ctx.map(range(event), item, max_concurrency=50)).get_results())

    def calls(items: int) -> int:
        count = 0

        def profile(frame: object, kind: str, argument: object) -> None:
            nonlocal count
            if kind == "call":
                count += 1

        sys.setprofile(profile)
        try:
            assert run_handler(handler, items, replays=False).result == items * (items - 1)
        finally:
            sys.setprofile(None)
        return count

    calls(100)
    assert calls(800) < 2.2 * calls(400)


def test_an_invocation_ends_without_a_dead_tail() -> None:
    ran = Ran()

    async def handler(event: object, ctx: DurableContext) -> str:
        return await ctx.step(ran.short, "a")

    outcome = run_handler(handler)

    assert outcome.seconds == 0
    assert outcome.run.calls == 1


def test_a_step_may_be_a_plain_function_in_a_thread() -> None:
    def plain(a: int, b: int) -> list[int | bool]:
        return [a + b, threading.current_thread() is threading.main_thread(), get_step_context().attempt]

    async def handler(event: object, ctx: DurableContext) -> list[int | bool]:
        return await ctx.step(plain, 1, 2)

    assert run_handler(handler).result == [3, False, 1]


def test_an_operation_inside_a_step_says_what_is_wrong() -> None:
    attempts: list[int] = []

    async def handler(event: object, ctx: DurableContext) -> str:
        async def body() -> str:
            attempts.append(get_step_context().attempt)
            await ctx.wait(1)
            return "never"

        return await ctx.step(body)

    kind, message = run_handler(handler).error

    assert kind == "everstep.errors.UsageError"
    assert message is not None
    assert "inside a step's body" in message
    assert attempts == [1], "a program error is not retried"


@dataclass
class Paid:
    at: datetime
    amount: int


def test_dataclasses_and_datetimes_come_back_as_what_they_were() -> None:
    async def pay() -> Paid:
        return Paid(datetime(2026, 1, 2, tzinfo=UTC), 5)

    async def handler(event: object, ctx: DurableContext) -> Paid:
        paid = await ctx.step(pay)
        assert isinstance(paid, Paid)
        await ctx.wait(1)
        return paid

    assert run_handler(handler, warm=False).result == {"at": "2026-01-02T00:00:00Z", "amount": 5}


def test_wait_for_around_a_durable_wait_times_out() -> None:
    async def handler(event: object, ctx: DurableContext) -> str:
        try:
            await asyncio.wait_for(ctx.wait(3600), 60)
        except TimeoutError:
            await ctx.wait(5)
            return "timed out"
        return "waited"

    ran = run_handler(handler, warm=False)

    assert (ran.result, ran.seconds) == ("timed out", 65)
    assert "WaitCancelled" in ran.event_types


def test_a_wait_with_a_second_left_ends_after_a_second_beside_a_busy_sibling() -> None:
    ran = Ran()
    ended: list[float] = []

    async def waits(ctx: DurableContext) -> None:
        await ctx.wait(5)
        await ctx.step(note)

    async def note() -> None:
        ended.append(asyncio.get_running_loop().time())

    async def works(ctx: DurableContext) -> None:
        await ctx.wait(4)
        await ctx.step(ran.slow, "work", 600)

    async def handler(event: object, ctx: DurableContext) -> None:
        (await ctx.parallel([waits, works])).throw_if_error()

    outcome = run_handler(handler, warm=False)

    assert outcome.seconds == 604
    assert ended == [pytest.approx(1, abs=0.1)], "by the host's loop, whose time passes only while something runs"


def test_a_callback_is_acted_on_while_a_sibling_is_busy() -> None:
    ran = Ran()
    acted: list[float] = []

    async def waits(ctx: DurableContext) -> str:
        said = await (await ctx.create_callback(name="approval", returns=str))
        await ctx.step(note)
        return said

    async def note() -> None:
        acted.append(asyncio.get_running_loop().time())

    async def works(ctx: DurableContext) -> str:
        return await ctx.step(ran.slow, "work", 600)

    async def handler(event: object, ctx: DurableContext) -> list[str]:
        return (await ctx.parallel([waits, works])).get_results()

    outcome = run_handler(handler, answers={"approval": (40, succeeded("yes"))})

    assert outcome.result == ["yes", "work"]
    assert 40 <= acted[0] <= 56


def test_early_completion_does_not_wait_for_stragglers() -> None:
    ran = Ran()

    async def quick(ctx: DurableContext) -> str:
        return await ctx.step(ran.short, "quick")

    async def slow(ctx: DurableContext) -> str:
        return await ctx.step(ran.slow, "slow", 3600)

    async def handler(event: object, ctx: DurableContext) -> list[str]:
        return (await ctx.parallel([slow, quick], completion=Completion.first_successful())).get_results()

    outcome = run_handler(handler)

    assert (outcome.result, outcome.seconds) == (["quick"], 0)
    assert ran.log == ["slow begins", "quick"]


def test_an_empty_answer_token_ends_the_invocation_as_pending() -> None:
    """The service takes the token back when it pauses an execution; the invocation must not fail."""
    from everstep.client.api import Checkpointed, StatePage
    from everstep.client.function import Invocation
    from everstep.handler import DurableHandler
    from everstep.protocol.shapes import ExecutionDetails, Operation, OperationUpdate
    from everstep.testing.virtual import run_virtually

    class Pausing:
        async def checkpoint(self, arn: str, token: str, updates: Sequence[OperationUpdate], client_token: str) -> Checkpointed:
            return Checkpointed(token=None, operations=())

        async def get_state(self, arn: str, token: str, marker: str, max_items: int = 1000) -> StatePage:
            raise NotImplementedError

    async def handler(event: object, ctx: DurableContext) -> str:
        return await ctx.step(Ran().short, "a")

    execution = Operation(id="e", type="EXECUTION", status="STARTED", execution_details=ExecutionDetails())
    invocation = Invocation(arn="arn:x/n/e", checkpoint_token="t", request_id="r", operations={"e": execution})

    output = run_virtually(DurableHandler(handler).invoke(invocation, Pausing()))

    assert output.status == "PENDING"


def test_errors_carry_the_users_stack_and_class() -> None:
    async def fails() -> None:
        raise ValueError("no such card")

    async def handler(event: object, ctx: DurableContext) -> list[object]:
        with pytest.raises(ValueError, match="no such card") as caught:
            await ctx.step(fails, retry=Retry.none())
        error = caught.value
        assert isinstance(error, StepError)
        return [str(error), error.error_type, any("no such card" in line for line in error.stack_trace)]

    assert run_handler(handler, warm=False).result == ["no such card", "ValueError", True]


def test_as_completed_of_asyncio_is_refused_and_ours_keeps_the_order() -> None:
    async def refused(event: object, ctx: DurableContext) -> None:
        waits = [ctx.wait(1), ctx.wait(2)]
        try:
            for _ in asyncio.as_completed(waits):
                pass
        finally:
            for wait in waits:
                wait.close()

    async def handler(event: object, ctx: DurableContext) -> list[str]:
        async def named(name: str, seconds: int) -> str:
            await ctx.wait(seconds)
            return name

        return [await task async for task in as_completed([named("slow", 9), named("quick", 2), named("even", 5)])]

    kind, message = run_handler(refused).error
    assert kind == "everstep.errors.UsageError"
    assert message is not None
    assert "everstep.as_completed" in message
    assert run_handler(handler, warm=False).result == ["quick", "even", "slow"]


def test_sockets_and_threads_in_handler_code_are_refused_with_advice() -> None:
    async def handler(event: object, ctx: DurableContext) -> None:
        await asyncio.to_thread(print)

    kind, message = run_handler(handler).error

    assert kind == "everstep.errors.UsageError"
    assert message is not None
    assert "put it in a step" in message


def test_a_handler_that_waits_for_nothing_is_told_so() -> None:
    async def handler(event: object, ctx: DurableContext) -> None:
        await asyncio.Event().wait()

    kind, message = run_handler(handler).error

    assert kind == "everstep.errors.UsageError"
    assert message is not None
    assert "no operation will bring about" in message


def test_a_step_that_lost_to_a_recorded_timeout_is_not_begun_again() -> None:
    ran = Ran()

    async def handler(event: object, ctx: DurableContext) -> str:
        try:
            async with asyncio.timeout(5):
                await ctx.step(ran.slow, "step", 3600)
        except TimeoutError:
            await ctx.wait(10)
            return "given up"
        return "done"

    for warm in (True, False):
        ran.log.clear()
        assert run_handler(handler, warm=warm).result == "given up"
        assert ran.log == ["step begins"]


def test_failures_of_callbacks_have_types_of_their_own() -> None:
    async def submit(callback_id: str) -> None:
        return None

    async def broken(callback_id: str) -> None:
        raise KeyError("address")

    async def handler(event: object, ctx: DurableContext) -> list[str]:
        kinds: list[str] = []
        for name, submitter in (("failed", submit), ("late", submit), ("unsubmitted", broken)):
            try:
                await ctx.wait_for_callback(submitter, name=name, timeout=9, retry=Retry.none())
            except OperationError as error:
                kinds.append(f"{type(error).__name__} {error.error_type}: {error.message}")
        return kinds

    failure = Outcome(status="FAILED", error=ErrorObject(error_type="Rejected", error_message="too dear"))
    answers = {"failed create callback id": (1.0, failure)}

    for warm in (True, False):
        assert run_handler(handler, warm=warm, answers=answers).result == [
            "CallbackFailed Rejected: too dear",
            "CallbackTimeout Callback.Timeout: Callback timed out",
            "CallbackSubmitterError everstep.errors.CallbackSubmitterError: 'address'",
        ]


def test_bad_options_are_refused_when_they_are_given() -> None:
    async def body(ctx: DurableContext) -> None: ...

    async def work() -> None: ...

    async def handler(event: object, ctx: DurableContext) -> list[str]:
        refusals: list[str] = []
        for attempt in (
            lambda: ctx.wait(0),
            lambda: ctx.wait(31_622_401),
            lambda: ctx.step(work, name="n" * 300),
            lambda: ctx.step(work, name="größe"),
            lambda: ctx.create_callback(timeout=100_000_000),
            lambda: ctx.parallel([body], max_concurrency=0),
            lambda: ctx.parallel([body], completion=Completion(min_successful=2)),
            lambda: ctx.invoke(""),
            lambda: ctx.step(work, semantics="exactly_once"),  # type: ignore[call-arg, call-overload]  # there is no such semantics
        ):
            with pytest.raises(UsageError) as refused:
                attempt()
            refusals.append(str(refused.value))
        return refusals

    refusals = run_handler(handler).result

    assert isinstance(refusals, list)
    assert len(refusals) == 9
    assert not issubclass(ReplayMismatch, OperationError)
