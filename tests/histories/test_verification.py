"""May this code go on with that execution?"""

from __future__ import annotations

import asyncio
import json
from collections.abc import Callable, Coroutine
from typing import Any, TypeAlias, cast

import pytest
from hypothesis import HealthCheck, given, settings

from everstep import DurableContext, DurableHandler
from everstep.histories.reading import read_recording
from everstep.histories.verification import Verdict, verify
from everstep.protocol.shapes import ErrorObject
from everstep.testing import Runner
from everstep.testing.snapshots import history_json
from tests.histories.official import HANDLERS, HISTORIES
from tests.support import programs
from tests.support.programs import Ledger, Program

ANY_PACE = (HealthCheck.data_too_large, HealthCheck.filter_too_much, HealthCheck.too_slow)
Handler: TypeAlias = Callable[[Any, DurableContext], Coroutine[object, object, object]]


async def charge() -> str:
    return "paid"


async def ship() -> str:
    return "shipped"


async def never() -> str:
    raise AssertionError("a body ran")


async def before(event: None, ctx: DurableContext) -> str:
    await ctx.step(charge)
    await ctx.wait(3600, name="cool off")
    await ctx.wait_for_callback(send, name="approval", returns=str)
    return await ctx.step(ship)


async def send(callback_id: str) -> None:
    assert callback_id


def recorded(handler: Handler, *, until: str | None = None) -> str:
    """The history of an execution of the handler. until: only so far, to where it waits for this callback."""
    with Runner() as runner:
        if until is not None:
            execution = runner.start(handler, None)
            execution.until_callback(until)
            return history_json(execution.record())
        runner.on_callback("approval", returns="yes")
        return history_json(runner.run(handler, None))


def verdict_on(handler: Handler, history: str) -> Verdict:
    return asyncio.run(verify(cast("DurableHandler[object, object]", DurableHandler(handler)), read_recording(history, "history.json")))


def test_the_same_code_may_go_on_with_its_executions() -> None:
    assert verdict_on(before, recorded(before)).then == "the handler ends"
    verdict = verdict_on(before, recorded(before, until="approval"))
    assert (verdict.is_ok, verdict.then, verdict.replayed) == (True, "waits for what is recorded as under way", 5)


def test_no_body_runs() -> None:
    async def after(event: None, ctx: DurableContext) -> str:
        await ctx.step(never, name="charge")
        await ctx.wait(3600, name="cool off")
        await ctx.wait_for_callback(send, name="approval")
        await ctx.step(never, name="ship")
        return await ctx.step(never, name="say goodbye")

    verdict = verdict_on(after, recorded(before))

    assert verdict.is_ok
    assert verdict.then.startswith('asks for new work: Step "say goodbye" at ')
    assert verdict.remarks == ["the recorded execution had ended SUCCEEDED here"]


def test_another_operation_is_found_with_its_line() -> None:
    async def after(event: None, ctx: DurableContext) -> None:
        await ctx.step(charge)
        await ctx.step(ship)

    divergence = verdict_on(after, recorded(before)).divergence

    assert divergence is not None
    assert (divergence.kind, divergence.path, divergence.recorded, divergence.asked) == (
        "other operation",
        "cool off",
        'Wait "cool off"',
        'Step "ship"',
    )
    line = after.__code__.co_firstlineno + 2
    assert (divergence.where or "").endswith(f"test_verification.py:{line}")
    assert "ctx.patched" in divergence.advice


def test_operations_that_are_no_longer_asked_for_are_found_once_the_execution_is_past_them() -> None:
    async def after(event: None, ctx: DurableContext) -> None:
        await ctx.step(charge)
        await ctx.wait(3600, name="cool off")

    divergence = verdict_on(after, recorded(before)).divergence
    assert divergence is not None
    assert (divergence.kind, divergence.path) == ("no longer asked for", "approval")
    assert divergence.recorded == 'WaitForCallback "approval" (SUCCEEDED), and 1 more'

    async def waiting(event: None, ctx: DurableContext) -> None:
        await ctx.step(charge)

    assert verdict_on(after, recorded(waiting)).is_ok


def test_operations_that_moved_into_a_task_are_found() -> None:
    async def after(event: None, ctx: DurableContext) -> None:
        await asyncio.gather(ctx.step(charge), asyncio.create_task(inside(ctx)))

    async def inside(ctx: DurableContext) -> str:
        return await ctx.step(ship)

    divergence = verdict_on(after, recorded(before)).divergence

    assert divergence is not None
    assert divergence.kind == "no longer asked for"
    assert divergence.path == "cool off"
    assert divergence.asked.startswith('new: Step "ship" at ')


def test_patches_let_executions_go_on_that_are_past_them() -> None:
    async def after(event: None, ctx: DurableContext) -> None:
        if ctx.patched("validate first"):
            await ctx.step(never, name="validate")
        await ctx.step(charge)
        await ctx.wait(3600, name="cool off")
        await ctx.wait_for_callback(send, name="approval")
        await ctx.step(never if ctx.patched("by mail") else ship)

    assert verdict_on(after, recorded(before, until="approval")).is_ok


def test_what_a_new_key_does_is_not_known_and_said() -> None:
    async def keyed(event: None, ctx: DurableContext) -> None:
        await ctx.step(charge, key="charge")
        await ctx.wait(3600, key="cool off", name="cool off")

    async def after(event: None, ctx: DurableContext) -> None:
        await ctx.step(charge, key="charge")
        await ctx.step(never, key="validate")
        await ctx.wait(3600, key="cool off", name="cool off")

    verdict = verdict_on(after, recorded(keyed))

    assert verdict.is_ok
    assert "which has a key and is not recorded; what comes after was not verified: cool off" in verdict.remarks[0]


def test_a_result_that_changed_is_remarked() -> None:
    async def first(event: None, ctx: DurableContext) -> str:
        return await ctx.step(charge)

    async def second(event: None, ctx: DurableContext) -> str:
        return await ctx.step(charge) + "!"

    async def third(event: None, ctx: DurableContext) -> str:
        await ctx.step(charge)
        raise ValueError("no")

    history = recorded(first)

    assert verdict_on(second, history).remarks == ["the handler now returns another result than is recorded"]
    assert verdict_on(third, history).remarks == ["the handler now raises ValueError: no; the recorded execution ended SUCCEEDED"]


def test_code_that_fails_before_all_is_consumed_is_found() -> None:
    async def after(event: None, ctx: DurableContext) -> None:
        await ctx.step(charge)
        raise KeyError("card")

    divergence = verdict_on(after, recorded(before)).divergence

    assert divergence is not None
    assert divergence.asked == "nothing further: the handler raises KeyError: 'card'"


def test_an_input_that_the_code_cannot_read_is_found() -> None:
    async def after(event: dict[str, int], ctx: DurableContext) -> None: ...

    divergence = verdict_on(after, recorded(before)).divergence

    assert divergence is not None
    assert divergence.kind == "cannot replay"


@pytest.mark.parametrize("name", HANDLERS)
def test_histories_of_the_official_sdk_are_gone_on_with(name: str) -> None:
    recording = read_recording((HISTORIES / f"{name}.json").read_text(), name)

    verdict = asyncio.run(verify(HANDLERS[name], recording))

    assert (verdict.divergence, verdict.remarks) == (None, [])


def prefixes(history: str) -> list[str]:
    """The history as it was at the end of each invocation."""
    whole = json.loads(history)
    events = whole["Events"]
    ends = [number + 1 for number, event in enumerate(events) if event["EventType"] == "InvocationCompleted"]
    return [json.dumps({**whole, "Events": events[:end]}) for end in ends] + [history]


@pytest.mark.parametrize("name", HANDLERS)
def test_official_executions_are_gone_on_with_from_wherever_they_had_come(name: str) -> None:
    for prefix in prefixes((HISTORIES / f"{name}.json").read_text()):
        verdict = asyncio.run(verify(HANDLERS[name], read_recording(prefix, name)))
        assert verdict.is_ok, verdict


def outside(runner: Runner) -> None:
    """Have every callback of a program answered as its name says."""
    refusal = ErrorObject(error_type="Outside", error_message="said no")
    for seconds in (0, 1, 2, programs.SHORT, programs.LONGER):
        runner.on_callback(f"{seconds}-ok", returns=f"after {seconds}", after=seconds)
        runner.on_callback(f"{seconds}-fail", raises=refusal, after=seconds)


@settings(max_examples=40, deadline=None, suppress_health_check=ANY_PACE)
@given(programs.programs())
def test_every_execution_is_gone_on_with_from_wherever_it_had_come(program: Program) -> None:
    async def handler(event: object, ctx: DurableContext) -> object:
        return await programs.Runner(Ledger()).apart(ctx, program)

    with Runner() as runner:
        outside(runner)
        history = history_json(runner.run(handler, None))

    for prefix in prefixes(history):
        verdict = verdict_on(handler, prefix)
        assert verdict.is_ok, verdict
