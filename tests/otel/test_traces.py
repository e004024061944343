"""What arrives at an OTLP receiver of the traces of executions."""

from __future__ import annotations

import asyncio
import subprocess
import sys
from collections import Counter
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from opentelemetry import trace
from opentelemetry.sdk.trace import TracerProvider
from opentelemetry.sdk.trace.export import SimpleSpanProcessor
from opentelemetry.sdk.trace.export.in_memory_span_exporter import InMemorySpanExporter
from opentelemetry.sdk.trace.sampling import ALWAYS_OFF, ParentBased, TraceIdRatioBased

import everstep
from everstep import Branch, DurableContext, Retry, SyncContext, UsageError, durable
from everstep.handler import DurableHandler
from everstep.otel import OpenTelemetry
from everstep.otel.views import View
from everstep.protocol.shapes import TERMINAL
from everstep.service.machine.model import Outcome
from everstep.testing.virtual import run_virtually
from tests.otel.receiver import Receiver, tracer_provider
from tests.plugins.recording import run_told
from tests.runtime.test_crashes import outside
from tests.support.loopback import Fault, Loopback
from tests.support.programs import Ledger, Program, Runner, programs
from tests.test_lambda import ARN, Lambda

ANY_PACE = (HealthCheck.data_too_large, HealthCheck.filter_too_much, HealthCheck.large_base_example, HealthCheck.too_slow)
HEADER = "Root=1-5759e988-bd862e3fe1be46a994272793;Parent=53995c3f42cd8ad8;Sampled="
ROOT, PARENT = "5759e988bd862e3fe1be46a994272793", "53995c3f42cd8ad8"


def handler_of(provider: TracerProvider) -> object:
    """A handler with a bit of everything; its bodies and its own code make spans."""
    tracer = provider.get_tracer("shop")
    tries: list[int] = []

    async def charge() -> int:
        with tracer.start_as_current_span("http charge"):
            return 1

    def pack() -> int:
        with tracer.start_as_current_span("disk pack"):
            return 2

    async def flaky() -> None:
        tries.append(1)
        if len(tries) == 1:
            raise ConnectionError("the line is down")

    async def item(branch: DurableContext) -> int:
        await branch.wait(10)
        with tracer.start_as_current_span("in branch"):
            return await branch.step(charge, name="inner")

    async def order(event: object, ctx: DurableContext) -> None:
        await ctx.step(charge)
        await ctx.step(pack)
        await ctx.step(flaky, retry=Retry.fixed(5, max_attempts=2))
        await ctx.parallel([Branch(item, "a")], name="both")
        with tracer.start_as_current_span("in handler"):
            await (await ctx.create_callback(name="approval"))

    return order


def run(provider: TracerProvider, *views: View, warm: bool) -> None:
    plugin = OpenTelemetry(views=views, tracer_provider=provider)
    answer = (30.0, Outcome(status="SUCCEEDED", result='"yes"'))
    told = run_told(handler_of(provider), warm=warm, others=[plugin], outside=answer)  # type: ignore[arg-type]  # it is a handler
    assert told.run.status == "SUCCEEDED", told.run.error
    provider.shutdown()


# -- the trace of an execution -------------------------------------------------------


@pytest.mark.parametrize("warm", [True, False])
def test_an_execution_is_one_trace_over_all_its_invocations(receiver: Receiver, warm: bool) -> None:
    run(tracer_provider(receiver.url), "execution", warm=warm)

    tree = receiver.tree()
    assert set(receiver.requests) == {"/v1/traces"}
    assert len({span.trace for span in receiver.spans}) == 1
    assert len({span.id for span in receiver.spans}) == len(receiver.spans)
    assert tree[""] == ["execution order"]
    assert [name for name in tree["execution order"] if name != "in handler"] == [
        "callback approval",
        *["invocation order"] * 4,
        "parallel both",
        "step charge",
        "step flaky",
        "step pack",
    ]
    assert tree["parallel both"] == ["parallel branch a"]
    assert tree["parallel branch a"][-2:] == ["step inner", "wait"]
    assert "in branch" in tree["parallel branch a"]
    assert tree["step flaky"] == ["step flaky attempt 1", "step flaky attempt 2"]
    assert tree["step charge attempt 1"] == ["http charge"]
    assert tree["step pack attempt 1"] == ["disk pack"]
    assert tree["step inner attempt 1"] == ["http charge"]


def test_spans_say_what_is_recorded(receiver: Receiver) -> None:
    run(tracer_provider(receiver.url), "execution", warm=True)

    execution = receiver.one("execution order")
    assert execution.attributes["durable.execution.status"] == "SUCCEEDED"
    assert execution.attributes["cloud.resource_id"] == "arn:aws:lambda:us-east-1:123456789012:function:f:1"
    flaky = receiver.one("step flaky")
    assert (flaky.end_ns - flaky.start_ns) // 10**9 == 5
    assert (flaky.attributes["durable.operation.status"], flaky.attributes["durable.operation.attempts"]) == ("SUCCEEDED", 2)
    attempt = receiver.one("step flaky attempt 1")
    assert (attempt.is_error, attempt.attributes["error.type"], attempt.attributes["durable.attempt.outcome"]) == (
        True,
        "ConnectionError",
        "FAILED",
    )
    ((event, said),) = attempt.events
    assert (event, said["exception.message"]) == ("exception", "the line is down")
    callback = receiver.one("callback approval")
    assert (callback.kind, callback.attributes["messaging.operation.type"]) == ("CONSUMER", "receive")
    assert callback.attributes["messaging.message.id"]
    invocations = sorted(receiver.of("invocation order"), key=lambda span: span.start_ns)
    assert [span.attributes["durable.invocation.status"] for span in invocations] == ["PENDING"] * 3 + ["SUCCEEDED"]
    assert [span.attributes["durable.invocation.first"] for span in invocations] == [True, False, False, False]
    assert [span.attributes["faas.invocation_id"] for span in invocations] == [f"request-{number}" for number in range(4)]
    assert receiver.one("step inner").links == [(execution.trace, invocations[2].id)]


def test_an_execution_that_fails_is_an_error(receiver: Receiver) -> None:
    async def order(event: object, ctx: DurableContext) -> None:
        raise ValueError("boom")

    provider = tracer_provider(receiver.url)
    run_told(order, others=[OpenTelemetry(tracer_provider=provider)])
    provider.shutdown()

    execution = receiver.one("execution order")
    assert (execution.is_error, execution.attributes["error.type"]) == (True, "ValueError")


def test_plain_handlers_are_traced_alike(receiver: Receiver) -> None:
    provider = tracer_provider(receiver.url)
    tracer = provider.get_tracer("shop")

    def pack() -> int:
        with tracer.start_as_current_span("disk pack"):
            return 2

    def child(ctx: SyncContext) -> int:
        ctx.wait(1)
        with tracer.start_as_current_span("in child"):
            return ctx.step(pack)

    def order(event: object, ctx: SyncContext) -> int:
        return ctx.run_in_child_context(child, name="child")

    run_told(order, others=[OpenTelemetry(tracer_provider=provider)])
    provider.shutdown()

    tree = receiver.tree()
    assert tree["execution order"] == ["invocation order", "invocation order", "run in child context child"]
    assert tree["run in child context child"] == ["in child", "step pack", "wait"]
    assert tree["step pack attempt 1"] == ["disk pack"]


@settings(max_examples=25, deadline=None, suppress_health_check=ANY_PACE)
@given(programs(), st.data())
def test_whatever_crashes_no_span_arrives_twice(program: Program, data: st.DataObject) -> None:
    async def handler(event: object, ctx: DurableContext) -> object:
        return await Runner(Ledger()).apart(ctx, program)

    points = data.draw(st.lists(st.integers(1, 12), max_size=3, unique=True), label="crashes at calls")
    lost = data.draw(st.lists(st.integers(1, 4), max_size=2, unique=True), label="lost outputs")
    for fault, warm in (("lost request", True), ("lost answer", False)):
        kind: Fault = "lost request" if fault == "lost request" else "lost answer"
        faults: dict[int, Fault] = dict.fromkeys(points, kind)
        faults |= {-number: "lost output" for number in lost}
        exporter = InMemorySpanExporter()
        provider = TracerProvider(shutdown_on_exit=False)
        provider.add_span_processor(SimpleSpanProcessor(exporter))
        loopback = Loopback(DurableHandler(handler, plugins=[OpenTelemetry(tracer_provider=provider)]), faults=faults, warm=warm)
        loopback.answer = outside
        ended = run_virtually(loopback.run())

        spans = exporter.get_finished_spans()
        operations = Counter(str((span.attributes or {}).get("durable.operation.id")) for span in spans if " attempt " not in span.name)
        recorded = {i for i, r in ended.state.records.items() if r.operation.type != "EXECUTION" and r.operation.status in TERMINAL}
        assert len({span.context.trace_id for span in spans if span.context}) == 1
        assert max(Counter(span.context.span_id for span in spans if span.context).values()) == 1
        if not faults:
            assert recorded <= set(operations)


# -- the traces of invocations -------------------------------------------------------


@pytest.mark.parametrize("warm", [True, False])
def test_each_invocation_is_a_trace_with_what_was_under_way_in_it(receiver: Receiver, warm: bool) -> None:
    run(tracer_provider(receiver.url), "invocation", warm=warm)

    invocations = sorted(receiver.of("invocation order"), key=lambda span: span.start_ns)
    assert len({span.trace for span in receiver.spans}) == len(invocations) == 4
    names = {span.id: span.name for span in receiver.spans}
    by_invocation = [sorted(span.name for span in receiver.spans if span.trace == one.trace) for one in invocations]
    assert by_invocation[1][:3] == ["invocation order", "parallel both", "parallel branch a"]
    assert "step flaky attempt 2" in by_invocation[1]
    assert {names[span.parent] for span in receiver.of("in branch")} == {"parallel branch a"}
    (in_branch,) = receiver.of("in branch")
    assert in_branch.trace == invocations[2].trace
    (ended,) = [said for name, said in invocations[3].events if name == "operation ended"]
    assert ended["durable.operation.name"] == "approval"


def test_an_invocation_is_below_the_span_that_is_current_when_it_begins(receiver: Receiver) -> None:
    provider = tracer_provider(receiver.url)
    plugin = OpenTelemetry(views=["invocation"], tracer_provider=provider)

    async def order(event: object, ctx: DurableContext) -> None:
        pass

    with provider.get_tracer("lambda").start_as_current_span("around") as around:
        run_told(order, others=[plugin])
    provider.shutdown()

    assert receiver.one("invocation order").parent == f"{around.get_span_context().span_id:016x}"


def test_the_two_views_are_linked(receiver: Receiver) -> None:
    run(tracer_provider(receiver.url), "execution", "invocation", warm=False)

    spans = {(span.trace, span.id): span for span in receiver.spans}
    assert len(spans) == len(receiver.spans)
    links = [(span, spans[link]) for span in receiver.spans for link in span.links]  # every link leads somewhere
    (execution,) = receiver.of("execution order")
    in_execution = [span for span in receiver.of("invocation order") if span.trace == execution.trace]
    assert len(in_execution) == 4
    assert all(any(a is span and b.name == "invocation order" and b.trace != a.trace for a, b in links) for span in in_execution)
    assert all(any(a is span and b is execution for a, b in links) for span in receiver.of("invocation order") if span not in in_execution)
    assert {b.name for a, b in links if a.name == "step charge" and a.trace != execution.trace} == {"step charge"}
    assert {span.trace for span in receiver.of("http charge")} == {execution.trace}


# -- what travels --------------------------------------------------------------------


def test_a_chained_execution_goes_on_in_the_same_trace(receiver: Receiver) -> None:
    provider = tracer_provider(receiver.url)
    plugin = OpenTelemetry(tracer_provider=provider)

    async def double(number: int) -> int:
        return number * 2

    @durable(plugins=[plugin])
    async def child(event: int, ctx: DurableContext) -> int:
        return await ctx.step(double, event)

    @durable(plugins=[plugin])
    async def parent(event: int, ctx: DurableContext) -> object:
        return await ctx.invoke("child:$LATEST", event, name="call")

    async def main() -> object:
        async with everstep.Service("memory://") as service:
            service.register(child)
            return await (await service.start(parent, 4)).result()

    assert asyncio.run(main()) == 8
    provider.shutdown()

    call = receiver.one("chained invoke call")
    assert (call.kind, call.attributes["faas.invoked_name"]) == ("CLIENT", "child:$LATEST")
    assert receiver.tree()["chained invoke call"] == ["execution child"]
    assert len({span.trace for span in receiver.spans}) == 1


@pytest.mark.parametrize(("sampled", "parent"), [("1", PARENT), ("0", ""), ("?", "")])
def test_the_trace_that_lambda_names_is_continued_if_it_is_sampled(
    receiver: Receiver, monkeypatch: pytest.MonkeyPatch, sampled: str, parent: str
) -> None:
    provider = tracer_provider(receiver.url)
    service = Lambda()
    monkeypatch.setenv("_X_AMZN_TRACE_ID", HEADER + sampled)
    monkeypatch.setenv("AWS_LAMBDA_FUNCTION_NAME", "f")

    @durable(client=service, plugins=[OpenTelemetry(tracer_provider=provider)])
    async def order(event: object, ctx: DurableContext) -> int:
        return await ctx.step(lambda: 1, name="one")

    class Context:
        aws_request_id = "the-request"

    assert order(service.event(), Context())["Status"] == "SUCCEEDED"

    # Nothing was shut down: on Lambda everything is exported before the invocation ends.
    execution = receiver.one("execution order")
    assert execution.attributes["durable.execution.arn"] == ARN
    assert receiver.one("invocation order").attributes["faas.invocation_id"] == "the-request"
    assert (execution.parent, execution.trace == ROOT) == (parent, bool(parent))
    provider.shutdown()


@pytest.mark.parametrize(
    "sampler", [ALWAYS_OFF, ParentBased(ALWAYS_OFF), ParentBased(TraceIdRatioBased(0))], ids=["off", "as the parent", "of a ratio"]
)
def test_an_execution_that_is_not_sampled_leaves_no_span_at_all(receiver: Receiver, sampler: object) -> None:
    run(tracer_provider(receiver.url, sampler), "execution", warm=True)  # type: ignore[arg-type]  # one of the three

    assert receiver.spans == []


WORKER = """
import asyncio, sys, everstep
from everstep import durable
from everstep.otel import OpenTelemetry
from tests.otel.receiver import tracer_provider

provider = tracer_provider(sys.argv[1])

async def step(number):
    return number

@durable(plugins=[OpenTelemetry(tracer_provider=provider)])
async def order(event, ctx):
    await ctx.step(step, 1, name="first")
    await ctx.wait(1)
    return await ctx.step(step, 2, name="second")

async def main():
    async with everstep.Service("sqlite:///traced.db") as service:
        execution = await service.start(order, None, name="one")
        if sys.argv[2] == "begin":
            while not any(event["EventType"] == "InvocationCompleted" for event in await service.history(execution.arn)):
                await asyncio.sleep(0.01)
        else:
            await execution.result()

asyncio.run(main())
provider.shutdown()
"""


def test_processes_that_take_over_from_each_other_make_one_trace(receiver: Receiver, tmp_path: Path) -> None:
    for part in ("begin", "end"):
        command = [sys.executable, "-c", WORKER, receiver.url, part]
        environment = {"PYTHONPATH": f"{Path.cwd()}:{Path.cwd() / 'src'}", "PATH": ""}
        subprocess.run(command, check=True, cwd=tmp_path, env=environment, timeout=50)

    assert len({span.trace for span in receiver.spans}) == 1
    tree = receiver.tree()
    assert tree[""] == ["execution order"]
    assert tree["execution order"] == ["invocation order", "invocation order", "step first", "step second", "wait"]


# -- misuse --------------------------------------------------------------------------


@pytest.mark.parametrize("views", [(), ("trace",), "execution"])
def test_views_that_there_are_not_are_refused(views: object) -> None:
    with pytest.raises(UsageError, match="it must be a sequence of"):
        OpenTelemetry(views=views)  # type: ignore[arg-type]  # that is what is refused


def test_without_a_provider_nothing_happens() -> None:
    async def order(event: object, ctx: DurableContext) -> bool:
        return trace.get_current_span().is_recording()

    told = run_told(order, others=[OpenTelemetry()])

    assert told.run.result == "false"
