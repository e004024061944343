"""What plugins are told, when, and that nothing they do is felt."""

from __future__ import annotations

import asyncio
import logging
import sys
from collections import Counter
from collections.abc import Sequence
from contextvars import ContextVar
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings

import everstep
from everstep import Branch, DurableContext, Plugin, Retry, SyncContext, UsageError, durable
from everstep.client.api import Checkpointed
from everstep.configuration import process
from everstep.handler import DurableHandler
from everstep.plugins import (
    AttemptEndInfo,
    AttemptStartInfo,
    CheckpointInfo,
    InvocationEndInfo,
    InvocationStartInfo,
    OperationInfo,
    PropagationInput,
    PropagationMetadata,
    UserFunctionEndInfo,
    UserFunctionStartInfo,
)
from everstep.plugins.installed import installed_plugins
from everstep.protocol.shapes import TERMINAL, OperationUpdate
from everstep.service.machine.model import Outcome
from everstep.testing.virtual import run_virtually
from tests.plugins.recording import Recording, run_told
from tests.runtime.test_crashes import outside
from tests.support.loopback import Loopback
from tests.support.programs import Ledger, Program, Runner, programs

ANY_PACE = (HealthCheck.data_too_large, HealthCheck.filter_too_much, HealthCheck.large_base_example, HealthCheck.too_slow)


async def add(a: int, b: int) -> int:
    return a + b


async def fail() -> None:
    raise ValueError("boom")


def name_and_replayed(plugin: Recording, hook: str) -> list[tuple[str | None, bool]]:
    return [(info.name, info.is_replayed) for info in plugin.of(OperationInfo, hook)]


# -- order and fields ---------------------------------------------------------------


def test_a_step_is_told_from_its_start_to_its_end() -> None:
    async def handler(event: int, ctx: DurableContext) -> int:
        return await ctx.step(add, event, 1, name="add")

    told = run_told(handler, 4)

    assert told.plugin.hooks == [
        "invocation_start",
        "operation_start",
        "attempt_start",
        "attempt_end",
        "checkpoint",
        "operation_change",
        "operation_end",
        "invocation_end",
    ]
    (start,) = told.plugin.of(InvocationStartInfo)
    assert (start.is_first_invocation, start.is_continued, start.execution_input, start.function_name) == (True, False, "4", "handler")
    (end,) = told.plugin.of(InvocationEndInfo)
    assert (end.status, end.result, end.error, end.request_id) == ("SUCCEEDED", "5", None, "request-0")
    (ended,) = told.plugin.of(OperationInfo, "operation_end")
    assert (ended.name, ended.status, ended.result, ended.attempt, ended.is_replayed) == ("add", "SUCCEEDED", "5", 1, False)
    (checkpoint,) = told.plugin.of(CheckpointInfo)
    assert checkpoint.updates == 2
    assert checkpoint.size_bytes > 100
    assert {info.execution_arn for info in (start, end, ended, checkpoint)} == {told.run.state.execution.arn}


def test_attempts_carry_their_numbers_and_errors() -> None:
    async def handler(event: object, ctx: DurableContext) -> None:
        await ctx.step(fail, retry=Retry.fixed(5, max_attempts=2))

    told = run_told(handler)

    assert [info.attempt for info in told.plugin.of(AttemptStartInfo)] == [1, 2]
    ends = told.plugin.of(AttemptEndInfo)
    assert [(info.attempt, info.outcome, info.error and info.error.error_message) for info in ends] == [
        (1, "FAILED", "boom"),
        (2, "FAILED", "boom"),
    ]
    (ended,) = told.plugin.of(OperationInfo, "operation_end")
    assert (ended.status, ended.attempt, ended.error and ended.error.error_type) == ("FAILED", 2, "ValueError")
    assert [info.status for info in told.plugin.of(InvocationEndInfo)] == ["PENDING", "FAILED"]


def test_functions_of_contexts_are_told_with_their_parents() -> None:
    async def item(branch: DurableContext) -> int:
        return await branch.step(add, 1, 1)

    async def handler(event: object, ctx: DurableContext) -> None:
        await ctx.parallel([Branch(item, "one"), Branch(item, "two")], name="both")

    told = run_told(handler)

    (both,) = [info for info in told.plugin.of(OperationInfo, "operation_start") if info.name == "both"]
    assert [(info.name, info.parent_id) for info in told.plugin.of(UserFunctionStartInfo)] == [
        ("one", both.operation_id),
        ("two", both.operation_id),
    ]
    assert [info.outcome for info in told.plugin.of(UserFunctionEndInfo)] == ["SUCCEEDED", "SUCCEEDED"]


def test_a_function_whose_result_is_too_large_to_record_replays_its_children() -> None:
    async def large(child: DurableContext) -> str:
        await child.step(add, 1, 1)
        return "x" * 300_000

    async def handler(event: object, ctx: DurableContext) -> int:
        await ctx.run_in_child_context(large)
        await ctx.wait(1)
        return 0

    told = run_told(handler, warm=False)

    assert [(info.is_replaying_children, info.is_replayed) for info in told.plugin.of(UserFunctionStartInfo)] == [
        (False, False),
        (True, True),
    ]


# -- invocations --------------------------------------------------------------------


@pytest.mark.parametrize("warm", [True, False])
def test_what_the_service_moved_on_is_told_with_the_invocation_and_ends_once(warm: bool) -> None:
    async def handler(event: object, ctx: DurableContext) -> None:
        await ctx.wait(10, name="pause")

    told = run_told(handler, warm=warm)

    first, second = told.plugin.of(InvocationStartInfo)
    assert dict(first.updated_operations) == {}
    (pause,) = second.updated_operations.values()
    assert (pause.name, pause.status) == ("pause", "SUCCEEDED")
    assert (second.is_first_invocation, second.is_continued) == (False, warm)
    assert second.operations[pause.operation_id] == pause
    assert name_and_replayed(told.plugin, "operation_start") == [("pause", False)]
    assert name_and_replayed(told.plugin, "operation_end") == [("pause", True)]


@pytest.mark.parametrize("warm", [True, False])
def test_what_is_still_under_way_is_told_again_by_each_invocation(warm: bool) -> None:
    async def handler(event: object, ctx: DurableContext) -> None:
        await ctx.step(add, 1, 1)
        async with asyncio.TaskGroup() as group:
            for name, seconds in (("short", 10), ("long", 100)):
                group.create_task(ctx.wait(seconds, name=name))

    told = run_told(handler, warm=warm)

    starts = name_and_replayed(told.plugin, "operation_start")
    assert starts == [("add", False), ("short", False), ("long", False), ("long", True)]
    assert [start.replayed_operations for start in told.plugin.of(InvocationStartInfo)] == ([0, 0, 0] if warm else [0, 2, 3])


def test_a_continued_execution_tells_the_same_of_operations_as_a_replayed_one() -> None:
    async def item(child: DurableContext, number: int) -> int:
        await child.wait(number)
        return await child.step(add, number, 0, name=f"add-{number}")

    async def handler(event: object, ctx: DurableContext) -> None:
        await ctx.map([1, 2, 30], item)
        await ctx.create_callback(name="answer")
        try:
            await ctx.step(fail, retry=Retry.fixed(3, max_attempts=2))
        except ValueError:
            await ctx.wait(1)

    warm, cold = run_told(handler, warm=True), run_told(handler, warm=False)

    def heard(plugin: Recording) -> list[tuple[str, object, object, object]]:
        return [
            (hook, info.name, info.is_replayed, getattr(info, "status", None))
            for hook, info in plugin.told
            if isinstance(info, OperationInfo | AttemptStartInfo)
        ]

    assert heard(warm.plugin) == heard(cold.plugin)
    assert len(warm.plugin.of(UserFunctionStartInfo)) < len(cold.plugin.of(UserFunctionStartInfo))


def test_an_invocation_that_fails_ends_to_be_tried_again() -> None:
    class Unreachable(Loopback):
        failed = False

        async def checkpoint(self, arn: str, token: str, updates: Sequence[OperationUpdate], client_token: str) -> Checkpointed:
            if not self.failed:
                self.failed = True
                raise everstep.ServiceError("unreachable", code="Unavailable", status=503, is_retryable=True)
            return await super().checkpoint(arn, token, updates, client_token)

    async def handler(event: object, ctx: DurableContext) -> int:
        return await ctx.step(add, 1, 1)

    plugin = Recording()
    run = run_virtually(Unreachable(DurableHandler(handler, plugins=[plugin])).run())

    assert run.status == "SUCCEEDED"
    assert [(info.status, info.error and info.error.error_message) for info in plugin.of(InvocationEndInfo)] == [
        ("RETRY", "Unavailable: unreachable"),
        ("SUCCEEDED", None),
    ]


def test_an_event_that_cannot_be_read_is_an_invocation_that_failed() -> None:
    async def handler(event: int, ctx: DurableContext) -> int:
        return event

    told = run_told(handler, "not a number")

    assert told.run.status == "FAILED"
    assert told.plugin.hooks == ["invocation_start", "invocation_end"]
    assert told.plugin.of(InvocationEndInfo)[0].status == "FAILED"


# -- ends of all kinds --------------------------------------------------------------


def test_a_timer_that_is_cancelled_before_it_is_sent_ends_cancelled() -> None:
    async def handler(event: object, ctx: DurableContext) -> None:
        task = asyncio.create_task(ctx.create_callback())
        await asyncio.sleep(0)
        async with asyncio.timeout(60):
            await task

    plugin = Recording()
    run = run_virtually(Loopback(DurableHandler(handler, plugins=[plugin], durability="eager")).run())

    assert all(record.operation.type != "WAIT" for record in run.state.records.values())
    timer = [info for info in plugin.of(OperationInfo) if info.operation_type == "WAIT"]
    assert [info.status for info in timer] == ["STARTED", "CANCELLED"]


def test_an_attempt_whose_branch_is_over_ends_cancelled() -> None:
    async def slow(branch: DurableContext) -> None:
        async def body() -> None:
            await asyncio.Event().wait()

        await branch.step(body)

    async def quick(branch: DurableContext) -> int:
        return 1

    async def handler(event: object, ctx: DurableContext) -> None:
        await ctx.parallel([slow, quick], completion=everstep.Completion.first_successful())

    told = run_told(handler)

    assert [info.outcome for info in told.plugin.of(AttemptEndInfo)] == ["CANCELLED"]
    assert [info.outcome for info in told.plugin.of(UserFunctionEndInfo)] == ["SUCCEEDED", "CANCELLED"]


def test_a_pipelined_step_ends_when_it_is_recorded() -> None:
    async def handler(event: object, ctx: DurableContext) -> int:
        return await ctx.step(add, await ctx.step(add, 1, 1), 1)

    plugin = Recording()
    run_virtually(Loopback(DurableHandler(handler, plugins=[plugin], durability="pipelined")).run())

    assert [(info.result, info.status) for info in plugin.of(OperationInfo, "operation_end")] == [("2", "SUCCEEDED"), ("3", "SUCCEEDED")]


@settings(max_examples=40, deadline=None, suppress_health_check=ANY_PACE)
@given(programs())
def test_every_operation_begins_once_and_what_is_recorded_as_ended_ends_once(program: Program) -> None:
    for warm in (True, False):
        plugin = Recording()

        async def handler(event: object, ctx: DurableContext) -> object:
            return await Runner(Ledger()).apart(ctx, program)

        loopback = Loopback(DurableHandler(handler, plugins=[plugin]), warm=warm)
        loopback.answer = outside
        run = run_virtually(loopback.run())

        recorded = {i: r.operation for i, r in run.state.records.items() if r.operation.type != "EXECUTION"}
        starts = Counter(info.operation_id for info in plugin.of(OperationInfo, "operation_start") if not info.is_replayed)
        ends = Counter(info.operation_id for info in plugin.of(OperationInfo, "operation_end"))
        assert all(starts[operation_id] == 1 for operation_id in recorded)
        assert all(times == 1 for times in (starts | ends).values())
        assert {i for i, o in recorded.items() if o.status not in TERMINAL}.isdisjoint(ends)
        assert Counter(plugin.hooks)["attempt_start"] == Counter(plugin.hooks)["attempt_end"]
        assert Counter(plugin.hooks)["invocation_start"] == Counter(plugin.hooks)["invocation_end"] == len(run.outputs)


# -- context ------------------------------------------------------------------------

place: ContextVar[str] = ContextVar("place", default="nowhere")


class Placing(Plugin):
    """Sets a context variable to where code stands."""

    def on_invocation_start(self, info: InvocationStartInfo) -> None:
        place.set("invocation")

    def on_attempt_start(self, info: AttemptStartInfo) -> None:
        place.set(f"attempt {info.attempt} of {info.name}")

    def on_user_function_start(self, info: UserFunctionStartInfo) -> None:
        place.set(f"function {info.name}")


def test_context_variables_that_a_plugin_sets_are_seen_by_the_code_they_are_for() -> None:
    async def where() -> str:
        return place.get()

    def where_in_a_thread() -> str:
        return place.get()

    async def branch(child: DurableContext) -> list[str]:
        return [place.get(), await child.step(where, name="inner")]

    async def handler(event: object, ctx: DurableContext) -> list[object]:
        async_, plain = await ctx.step(where, name="a"), await ctx.step(where_in_a_thread, name="b")
        (found,) = (await ctx.parallel([Branch(branch, "c")])).get_results()
        return [place.get(), async_, plain, found, place.get()]

    told = run_told(handler, others=[Placing()])

    assert told.run.result == (
        '["invocation","attempt 1 of a","attempt 1 of b",["function c","attempt 1 of inner"],"invocation"]'
    )  # not of any other


def test_plain_handlers_are_told_of_alike() -> None:
    def where() -> str:
        return place.get()

    def branch(child: SyncContext) -> list[str]:
        return [place.get(), child.step(where, name="inner")]

    def handler(event: object, ctx: SyncContext) -> list[object]:
        ctx.wait(5)
        return [place.get(), ctx.run_in_child_context(branch, name="child")]

    told = run_told(handler, others=[Placing()])

    assert told.run.result == '["invocation",["function child","attempt 1 of inner"]]'
    assert [info.status for info in told.plugin.of(InvocationEndInfo)] == ["PENDING", "SUCCEEDED"]
    assert [info.name for info in told.plugin.of(OperationInfo, "operation_end")] == [None, "inner", "child"]


# -- plugins that fail --------------------------------------------------------------


class Raising(Plugin):
    """Raises wherever it can."""

    def on_invocation_start(self, info: object) -> None:
        raise RuntimeError("no")

    on_invocation_end = on_operation_start = on_operation_change = on_operation_end = on_invocation_start
    on_attempt_start = on_attempt_end = on_user_function_start = on_user_function_end = on_checkpoint = on_invocation_start

    def provide_propagation_metadata(self, info: object) -> None:
        raise RuntimeError("no")


@pytest.mark.logs_errors
def test_a_plugin_that_raises_is_logged_once_per_hook_and_touches_nothing(caplog: pytest.LogCaptureFixture) -> None:
    async def child(ctx: DurableContext) -> int:
        return await ctx.step(add, 1, 1) + await ctx.step(add, 1, 1)

    async def handler(event: object, ctx: DurableContext) -> int:
        await ctx.wait(1)
        return await ctx.run_in_child_context(child)

    with caplog.at_level(logging.ERROR, logger="everstep.plugins"):
        told, alone = run_told(handler, others=[Raising()]), run_told(handler)

    assert told.run.result == alone.run.result == "4"
    assert [event.type for event in told.run.events] == [event.type for event in alone.run.events]
    assert told.plugin.hooks == alone.plugin.hooks
    logged = [record.getMessage().split(" raised")[0] for record in caplog.records]
    assert sorted(logged) == sorted({f"Raising.on_{hook}" for hook in told.plugin.hooks})


def test_a_hook_that_is_async_is_refused() -> None:
    class Waiting(Plugin):
        async def on_invocation_start(self, info: InvocationStartInfo) -> None:  # type: ignore[override]
            pass

    with pytest.raises(UsageError, match=r"Waiting\.on_invocation_start is `async def`: hooks are plain methods"):
        durable(plugins=[Waiting()])(lambda event, ctx: None)


def test_a_class_instead_of_a_plugin_is_refused() -> None:
    with pytest.raises(UsageError, match=r"is not a plugin: give an instance of it: Recording\(\)"):
        everstep.configure(plugins=[Recording])  # type: ignore[list-item]


# -- where plugins come from --------------------------------------------------------


def test_plugins_of_the_process_come_before_the_handlers_own(monkeypatch: pytest.MonkeyPatch) -> None:
    order: list[str] = []

    class Named(Plugin):
        def __init__(self, name: str) -> None:
            self.name = name

        def on_invocation_start(self, info: InvocationStartInfo) -> None:
            order.append(self.name)

    shared = Named("process")
    for name in ("serdes", "stages", "plugins"):
        monkeypatch.setattr(process, name, getattr(process, name))

    async def handler(event: object, ctx: DurableContext) -> None:
        pass

    everstep.configure(plugins=[shared])
    run_told(handler, others=[Named("handler"), shared])

    assert order == ["process", "handler"]


def test_the_environment_names_plugins_by_entry_point(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    package = tmp_path / "example-1.0.dist-info"
    package.mkdir()
    (package / "METADATA").write_text("Metadata-Version: 2.1\nName: example\nVersion: 1.0\n")
    (package / "entry_points.txt").write_text(
        "[everstep.plugins]\nrecording = tests.plugins.recording:Recording\nbroken = tests.plugins.recording:Nothing\n"
        "other = builtins:dict\n"
    )
    monkeypatch.setattr(sys, "path", [str(tmp_path), *sys.path])

    async def handler(event: object, ctx: DurableContext) -> int:
        return await ctx.step(add, 1, 1)

    monkeypatch.setenv("EVERSTEP_PLUGINS", "recording")
    (plugin,) = installed_plugins()
    run_virtually(Loopback(DurableHandler(handler)).run())

    assert isinstance(plugin, Recording)
    assert plugin.hooks[0] == "invocation_start"
    for name, message in (
        ("missing", r"no installed package offers a plugin of that name .*recording"),
        ("broken", r"could not be made: AttributeError"),
        ("other", r"gave \{\}, not a plugin"),
    ):
        monkeypatch.setenv("EVERSTEP_PLUGINS", name)
        with pytest.raises(UsageError, match=message):
            DurableHandler(handler)


# -- what travels with invokes ------------------------------------------------------


def test_a_chained_invoke_takes_along_what_a_plugin_gives_it() -> None:
    class Tracing(Plugin):
        def provide_propagation_metadata(self, info: PropagationInput) -> PropagationMetadata | None:
            return PropagationMetadata(x_amzn_trace_id=f"Root={info.target_function};Parent={info.operation_id[:16]};Sampled=1")

    sent: list[OperationUpdate] = []

    class Seeing(Loopback):
        async def checkpoint(self, arn: str, token: str, updates: Sequence[OperationUpdate], client_token: str) -> Checkpointed:
            sent.extend(updates)
            return await super().checkpoint(arn, token, updates, client_token)

    async def handler(event: object, ctx: DurableContext) -> object:
        return await ctx.invoke("other:1", 4)

    run_virtually(Seeing(DurableHandler(handler, plugins=[Tracing()])).run())

    options = sent[0].chained_invoke_options
    assert options is not None
    assert options.x_amzn_trace_id == f"Root=other:1;Parent={sent[0].id[:16]};Sampled=1"


def test_callbacks_carry_their_ids() -> None:
    async def handler(event: object, ctx: DurableContext) -> object:
        return await (await ctx.create_callback(name="approval"))

    told = run_told(handler, outside=(5, Outcome(status="SUCCEEDED", result="yes")))

    ended = told.plugin.of(OperationInfo, "operation_end")[-1]
    assert (ended.name, ended.result, bool(ended.callback_id)) == ("approval", "yes", True)
