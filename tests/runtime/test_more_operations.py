"""Conditions, retried blocks, virtual and keyed operations, combinators, sagas, patches, replay-safe values."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Coroutine, Sequence
from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta

import pytest

from everstep import (
    BatchResult,
    Completion,
    DurableContext,
    NoneSucceeded,
    OperationError,
    Poll,
    Progress,
    Retry,
    SagaError,
    UsageError,
    WaitForConditionError,
)
from everstep.context import Nesting
from everstep.operations.completion import Verdict
from tests.support.handlers import Handler, replay_with, run_handler
from tests.support.loopback import EPOCH_MS


@dataclass
class Job:
    polls: int
    done: bool


async def look(job: Job) -> Job:
    return replace(job, polls=job.polls + 1, done=job.polls + 1 >= 4)


@pytest.mark.parametrize("warm", [True, False])
def test_a_condition_carries_its_state_from_poll_to_poll(warm: bool) -> None:
    async def handler(event: object, ctx: DurableContext) -> Job:
        return await ctx.wait_for_condition(look, Job(0, False), poll=Poll.fixed(lambda job: job.done, 10))

    ran = run_handler(handler, warm=warm)

    assert (ran.result, ran.seconds) == ({"polls": 4, "done": True}, 30)
    assert ran.operation("look").sub_type == "WaitForCondition"


def test_a_condition_that_is_met_at_once_suspends_nothing() -> None:
    async def handler(event: object, ctx: DurableContext) -> Job:
        return await ctx.wait_for_condition(look, Job(3, False), poll=Poll(until=lambda job: job.done))

    assert len(run_handler(handler).run.outputs) == 1


def test_a_condition_gives_up_after_its_polls_its_time_or_a_failing_check() -> None:
    async def fails(job: Job) -> Job:
        raise ValueError("no such job")

    async def handler(event: object, ctx: DurableContext) -> list[str]:
        told: list[str] = []
        never: Poll[Job] = Poll.fixed(lambda _: False, 10, max_attempts=3)
        not_soon: Poll[Job] = Poll.fixed(lambda _: False, 10)
        for check, poll, timeout in ((look, never, None), (look, not_soon, 25), (fails, never, None)):
            try:
                await ctx.wait_for_condition(check, Job(0, False), poll=poll, timeout=timeout)
            except WaitForConditionError as error:
                told.append(f"{error.message} {isinstance(error, ValueError)}")
        return told

    for warm in (True, False):
        assert run_handler(handler, warm=warm).result == [
            "the condition was not met within 3 polls False",
            "the condition was not met within 25 s False",
            "no such job True",
        ]


@pytest.mark.parametrize("warm", [True, False])
def test_the_last_poll_is_at_the_limit(warm: bool) -> None:
    async def handler(event: object, ctx: DurableContext) -> int:
        met_at_the_third: Poll[Job] = Poll.fixed(lambda job: job.polls == 3, timedelta(hours=10))
        return (await ctx.wait_for_condition(look, Job(0, False), poll=met_at_the_third, timeout=timedelta(hours=19))).polls

    ran = run_handler(handler, warm=warm)

    assert (ran.result, ran.seconds) == (3, 19 * 3600)


def test_a_condition_may_have_a_strategy_of_its_own() -> None:
    async def handler(event: object, ctx: DurableContext) -> int:
        job = await ctx.wait_for_condition(look, Job(0, False), poll=lambda job, poll: None if job.done else poll * 10)
        return job.polls

    ran = run_handler(handler)

    assert (ran.result, ran.seconds) == (4, 10 + 20 + 30)


def test_wait_until_waits_for_an_instant_and_not_for_one_that_is_past() -> None:
    async def handler(event: object, ctx: DurableContext) -> list[str]:
        await ctx.wait_until(ctx.now() - timedelta(days=1))
        began = ctx.now()
        await ctx.wait_until(began + timedelta(minutes=5))
        with pytest.raises(UsageError, match="time zone"):
            ctx.wait_until(datetime(2030, 1, 1))  # type: ignore[unused-coroutine]  # refused before there is one to await
        return [began.isoformat(), str(ctx.now() - began)]

    ran = run_handler(handler, warm=False)

    assert ran.result == [datetime.fromtimestamp(EPOCH_MS / 1000, UTC).isoformat(), "0:05:00"]


@pytest.mark.parametrize("warm", [True, False])
def test_a_block_is_tried_again_after_a_durable_wait(warm: bool) -> None:
    ran: list[int] = []

    async def work(attempt: int) -> int:
        ran.append(attempt)
        return attempt

    async def block(child: DurableContext, attempt: int, wanted: int) -> int:
        got = await child.step(work, attempt)
        if got < wanted:
            raise ValueError(f"attempt {got} of {wanted}")
        return got

    async def handler(event: object, ctx: DurableContext) -> list[int | str]:
        done = await ctx.with_retry(block, 3, retry=Retry.fixed(10))
        try:
            await ctx.with_retry(block, 9, retry=Retry.fixed(10, max_attempts=2), name="hopeless")
        except ValueError as error:
            return [done, str(error)]
        return [done]

    outcome = run_handler(handler, warm=warm)

    assert outcome.result == [3, "attempt 2 of 9"]
    assert outcome.seconds == pytest.approx(30, abs=0.1)
    assert ran == [1, 2, 3, 1, 2]


def test_a_virtual_context_is_not_recorded_and_its_operations_are() -> None:
    async def work() -> int:
        return 1

    async def body(child: DurableContext) -> int:
        await child.wait(1)
        return await child.step(work)

    async def handler(event: object, ctx: DurableContext) -> int:
        return await ctx.run_in_child_context(body, virtual=True) + await ctx.run_in_child_context(body)

    ran = run_handler(handler, warm=False)

    assert ran.result == 2
    assert ran.event_types.count("ContextStarted") == 1


def test_keys_keep_operations_apart_from_their_places() -> None:
    async def a() -> str:
        return "a"

    async def b() -> str:
        return "b"

    async def before(event: object, ctx: DurableContext) -> list[str]:
        return [await ctx.step(a, key="a"), await ctx.step(b, key="b")]

    async def after(event: object, ctx: DurableContext) -> list[str]:
        return [await ctx.step(b, key="b"), await ctx.step(a, key="a")]

    async def twice(event: object, ctx: DurableContext) -> list[str]:
        return [await ctx.step(a, key="a"), await ctx.step(a, key="a")]

    assert replay_with(run_handler(before), after)[:2] == ("SUCCEEDED", '["b","a"]')
    assert run_handler(twice).error[0] == "everstep.errors.UsageError"


def branch(value: int | str, *, fails: bool = False, seconds: int = 0) -> Callable[[DurableContext], Coroutine[object, object, int | str]]:
    async def work() -> int | str:
        if fails:
            raise ValueError(f"{value} failed")
        return value

    async def body(ctx: DurableContext) -> int | str:
        if seconds:
            await ctx.wait(seconds)
        return await ctx.step(work, retry=Retry.none())

    return body


@pytest.mark.parametrize("warm", [True, False])
def test_flat_batches_have_no_contexts_for_their_items(warm: bool) -> None:
    async def handler(event: object, ctx: DurableContext) -> list[object]:
        batch = await ctx.parallel(
            [branch(1), branch(2, fails=True), branch(3, seconds=5)], nesting="flat", completion=Completion.all_completed()
        )
        await ctx.wait(1)
        return [
            batch.completion_reason,
            batch.get_results(),
            [str(e) for e in batch.get_errors()],
            isinstance(batch.get_errors()[0], ValueError),
        ]

    ran = run_handler(handler, warm=warm)

    assert ran.result == ["ALL_COMPLETED", [1, 3], ["2 failed"], True]
    assert ran.event_types.count("ContextStarted") == 1


@pytest.mark.parametrize("nesting", ["nested", "flat"])
@pytest.mark.parametrize("warm", [True, False])
def test_a_batch_too_large_to_be_recorded_replays_to_the_identical_result(nesting: Nesting, warm: bool) -> None:
    async def item(ctx: DurableContext, number: int) -> str:
        async def large() -> str:
            if number == 2:
                raise KeyError("two")
            return str(number) * 120_000

        return await ctx.step(large, retry=Retry.none(), name=f"large-{number}")

    async def handler(event: object, ctx: DurableContext) -> list[object]:
        batch = await ctx.map(range(4), item, max_concurrency=2, completion=Completion.all_completed(), nesting=nesting)
        await ctx.wait(1)
        return [[item.index, item.status, item.result and len(item.result), str(item.error)] for item in batch.all]

    ran = run_handler(handler, warm=warm)

    assert ran.result == [
        [0, "SUCCEEDED", 120000, "None"],
        [1, "SUCCEEDED", 120000, "None"],
        [2, "FAILED", None, "'two'"],
        [3, "SUCCEEDED", 120000, "None"],
    ]
    details = ran.operation("item").context_details
    assert details is not None
    assert details.replay_children


def test_names_of_items_and_types_of_branches() -> None:
    async def double(ctx: DurableContext, item: int) -> int:
        return item * 2

    async def text(ctx: DurableContext) -> str:
        return "text"

    async def number(ctx: DurableContext) -> int:
        return 7

    async def handler(event: object, ctx: DurableContext) -> list[object]:
        doubled = await ctx.map([1, 2], double, item_name=lambda item, index: f"number {item} at {index}")
        name, amount = (await ctx.parallel((text, number))).values()
        return [doubled.get_results(), name.upper(), amount + 1]

    ran = run_handler(handler)

    assert ran.result == [[2, 4], "TEXT", 8]
    assert ran.operation("number 2 at 1").sub_type == "MapIteration"


@pytest.mark.parametrize("warm", [True, False])
def test_a_rule_of_ones_own_completes_a_batch(warm: bool) -> None:
    def two_of_three(progress: Progress) -> Verdict | None:
        if progress.success_count >= 2:
            return "SUCCEEDED"
        return "FAILED" if progress.failure_count >= 2 else None

    async def handler(event: object, ctx: DurableContext) -> list[object]:
        completion = Completion(should_complete=two_of_three)
        good = await ctx.parallel([branch(1), branch(2, fails=True), branch(3), branch(4, seconds=99)], completion=completion)
        bad = await ctx.parallel([branch(1, fails=True), branch(2, fails=True), branch(3, seconds=99)], completion=completion)
        return [good.completion_reason, good.status, bad.completion_reason, bad.status, bad.started_count]

    assert run_handler(handler, warm=warm).result == ["CUSTOM_COMPLETION_SUCCEEDED", "SUCCEEDED", "CUSTOM_COMPLETION_FAILED", "FAILED", 1]


def test_batches_of_items_cover_every_item() -> None:
    async def total(ctx: DurableContext, numbers: Sequence[int]) -> int:
        return sum(numbers)

    async def handler(event: object, ctx: DurableContext) -> list[int]:
        by_count: BatchResult[int] = await ctx.map_batches(range(10), total, max_items=4)
        by_bytes = await ctx.map_batches([100, 200, 300], total, max_bytes=6)
        return [*by_count.get_results(), -1, *by_bytes.get_results()]

    assert run_handler(handler).result == [0 + 1 + 2 + 3, 4 + 5 + 6 + 7, 8 + 9, -1, 300, 300]


@pytest.mark.parametrize("warm", [True, False])
def test_combinators_decide_once_and_cancel_the_losers(warm: bool) -> None:
    ran: list[str] = []

    async def after(ctx: DurableContext, name: str, seconds: int, *, fails: bool = False) -> str:
        await ctx.wait(seconds)
        return await ctx.step(note, name, fails, retry=Retry.none())

    async def note(name: str, fails: bool) -> str:
        ran.append(name)
        if fails:
            raise ValueError(name)
        return name

    async def handler(event: object, ctx: DurableContext) -> list[object]:
        results: list[object] = [
            await ctx.all(after(ctx, "a", 3), after(ctx, "b", 1)),
            await ctx.race(after(ctx, "slow", 9000), after(ctx, "quick", 2)),
            await ctx.any(after(ctx, "broken", 1, fails=True), after(ctx, "good", 3), after(ctx, "late", 9000)),
            [s.status for s in await ctx.all_settled(after(ctx, "c", 1), after(ctx, "d", 2, fails=True))],
        ]
        chosen = await ctx.select({"pay": after(ctx, "paid", 9000), "cancel": after(ctx, "cancelled", 4)})
        results.append([chosen.name, chosen.value])
        try:
            await ctx.all(after(ctx, "e", 9000), after(ctx, "f", 1, fails=True))
        except ValueError as error:
            results.append(str(error))
        try:
            await ctx.any(after(ctx, "g", 1, fails=True), after(ctx, "h", 2, fails=True))
        except NoneSucceeded as error:
            results.append([type(e).__name__ for e in error.errors])
        await ctx.wait(1)
        return results

    outcome = run_handler(handler, warm=warm)

    assert outcome.result == [
        ["a", "b"],
        "quick",
        "good",
        ["SUCCEEDED", "FAILED"],
        ["cancel", "cancelled"],
        "f",
        ["StepError", "StepError"],
    ]
    assert ran == ["b", "a", "quick", "broken", "good", "c", "d", "cancelled", "f", "g", "h"]


@pytest.mark.parametrize("warm", [True, False])
def test_a_saga_is_undone_in_reverse_and_only_at_a_logical_end(warm: bool) -> None:
    done: list[str] = []

    async def do(what: str) -> str:
        done.append(what)
        if what.startswith("!"):
            raise ValueError(what)
        return what

    def trip(fails_at: str | None, undo_fails: bool = False) -> Handler:
        async def handler(event: object, ctx: DurableContext) -> list[str]:
            try:
                async with ctx.saga() as saga:
                    await ctx.step(do, "flight")
                    saga.compensate(do, "cancel flight")
                    saga.cleanup(do, "release seat")
                    await ctx.wait(10)
                    await ctx.step(do, "hotel")
                    saga.compensate(do, "!cancel hotel" if undo_fails else "cancel hotel", retry=Retry.none())
                    if fails_at == "timeout":
                        async with asyncio.timeout(5):
                            await ctx.wait(100)
                    elif fails_at:
                        await ctx.step(do, fails_at, retry=Retry.none())
            except (ValueError, TimeoutError, SagaError) as error:
                return [type(error).__name__]
            return []

        return handler

    for fails_at, undo_fails, result, expected in (
        (None, False, [], ["flight", "hotel", "release seat"]),
        ("!car", False, ["StepError"], ["flight", "hotel", "!car", "cancel hotel", "release seat", "cancel flight"]),
        ("!car", True, ["SagaError"], ["flight", "hotel", "!car", "!cancel hotel", "release seat", "cancel flight"]),
        ("timeout", False, ["TimeoutError"], ["flight", "hotel", "cancel hotel", "release seat", "cancel flight"]),
    ):
        done.clear()
        assert run_handler(trip(fails_at, undo_fails), warm=warm).result == result
        assert done == expected


def test_a_patch_applies_to_executions_that_had_not_come_to_it() -> None:
    async def old() -> str:
        return "old"

    async def new() -> str:
        return "new"

    async def before(event: object, ctx: DurableContext) -> str:
        await ctx.wait(5)
        result = await ctx.step(old)
        await ctx.wait(5)
        return result

    async def after(event: object, ctx: DurableContext) -> str:
        await ctx.wait(5)
        result = await ctx.step(new if ctx.patched("use-new") else old)
        await ctx.wait(5)
        return result

    fresh = run_handler(after, warm=False)

    assert fresh.result == "new"
    assert replay_with(fresh, after)[:2] == ("SUCCEEDED", '"new"')
    assert replay_with(run_handler(before), after)[:2] == ("SUCCEEDED", '"old"')


def test_a_patch_is_decided_when_it_is_first_asked_for() -> None:
    """A change that is asked for in each round of a loop, by an execution that was in its first round when it was deployed."""
    deployed = False

    async def old() -> str:
        return "old"

    async def new() -> str:
        return "new"

    async def before(ctx: DurableContext) -> list[str]:
        nonlocal deployed
        results: list[str] = []
        for _ in range(3):
            results.append(await ctx.step(old))
            deployed = True
            await ctx.wait(5)
        return results

    async def after(ctx: DurableContext) -> list[str]:
        results: list[str] = []
        for _ in range(3):
            results.append(await ctx.step(new if ctx.patched("use-new") else old))
            await ctx.wait(5)
        return results

    async def handler(event: object, ctx: DurableContext) -> list[str]:
        return await (after(ctx) if deployed else before(ctx))

    assert run_handler(handler, warm=False).result == ["old", "old", "old"], "goes on as it began"
    assert run_handler(handler, warm=False).result == ["new", "new", "new"]


async def after_a_timer(event: object, ctx: DurableContext) -> bool:
    await asyncio.sleep(5)
    await ctx.wait(1)
    return ctx.patched("use-new")


async def after_a_timeout_that_was_not_reached(event: object, ctx: DurableContext) -> bool:
    async with asyncio.timeout(100):
        await ctx.wait(5)
    await ctx.wait(1)
    return ctx.patched("use-new")


async def after_a_large_batch_that_left_a_branch(event: object, ctx: DurableContext) -> bool:
    async def item(child: DurableContext, number: int) -> str:
        await child.wait(1 if number else 1000)
        return "x" * 300_000

    await ctx.map([0, 1], item, completion=Completion(min_successful=1))
    await ctx.wait(1)
    return ctx.patched("use-new")


@pytest.mark.parametrize("handler", [after_a_timer, after_a_timeout_that_was_not_reached, after_a_large_batch_that_left_a_branch])
def test_what_a_replay_has_come_past_is_not_ahead_of_a_patch(handler: Handler) -> None:
    assert run_handler(handler, warm=False).result is True


def test_a_mark_whose_code_is_gone_is_not_ahead_for_ever() -> None:
    async def work() -> None: ...

    async def with_mark(event: object, ctx: DurableContext) -> bool:
        ctx.patched("gone")
        await ctx.step(work)
        return ctx.is_replaying

    async def without(event: object, ctx: DurableContext) -> bool:
        await ctx.step(work)
        return ctx.is_replaying

    assert replay_with(run_handler(with_mark), without)[:2] == ("SUCCEEDED", "false")


def test_replay_safe_values_are_the_same_on_every_replay_and_differ_within_one() -> None:
    async def in_task(ctx: DurableContext) -> str:
        return str(ctx.uuid4())

    async def handler(event: object, ctx: DurableContext) -> list[object]:
        values: list[object] = [str(ctx.uuid4()), str(ctx.uuid4()), ctx.random().random(), ctx.random().random(), ctx.now().isoformat()]
        values += await asyncio.gather(in_task(ctx), in_task(ctx))
        await ctx.wait(3)
        return [*values, ctx.now().isoformat()]

    ran = run_handler(handler, warm=False)

    assert isinstance(ran.result, list)
    assert len(set(map(str, ran.result))) == 8
    assert len(ran.run.state.records) == 2, "none of them is an operation"


def test_is_replaying_is_true_only_for_code_that_has_run_before() -> None:
    seen: list[tuple[str, bool]] = []

    async def work() -> None: ...

    async def handler(event: object, ctx: DurableContext) -> None:
        seen.append(("start", ctx.is_replaying))
        await ctx.step(work)
        seen.append(("after step", ctx.is_replaying))
        await ctx.wait(1)
        seen.append(("after wait", ctx.is_replaying))

    run_handler(handler, warm=False, replays=False)

    assert seen == [
        ("start", False),
        ("after step", False),
        ("start", True),
        ("after step", True),
        ("after wait", False),
    ]


def test_a_cancelled_wait_is_not_ahead_for_ever() -> None:
    seen: list[bool] = []

    async def work() -> None: ...

    async def handler(event: object, ctx: DurableContext) -> None:
        long_wait = asyncio.create_task(ctx.wait(600))
        await ctx.step(work)
        long_wait.cancel()
        await asyncio.wait([long_wait])
        await ctx.step(work)
        await ctx.wait(5)
        seen.append(ctx.is_replaying)

    run_handler(handler, warm=False, replays=False)

    assert seen == [False]


def test_the_other_errors_are_of_one_family() -> None:
    assert issubclass(WaitForConditionError, OperationError)
    assert issubclass(NoneSucceeded, OperationError)
