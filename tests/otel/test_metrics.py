"""What arrives at an OTLP receiver of the metrics of executions."""

from __future__ import annotations

from pathlib import Path

import pytest

from everstep import DurableContext, Retry
from everstep.otel import OpenTelemetry
from everstep.service.machine.model import Outcome
from tests.otel.receiver import Receiver, meter_provider
from tests.plugins.recording import run_told


@pytest.fixture(params=[True, False], ids=["warm", "cold"])
def warm(request: pytest.FixtureRequest, receiver: Receiver) -> bool:
    """Whether executions were continued in memory; the receiver has the metrics of one."""
    tries: list[int] = []

    async def charge() -> int:
        return 1

    async def flaky() -> None:
        tries.append(1)
        if len(tries) == 1:
            raise ConnectionError("the line is down")

    async def order(event: object, ctx: DurableContext) -> None:
        await ctx.step(charge)
        await ctx.step(flaky, retry=Retry.fixed(5, max_attempts=2))
        await ctx.wait(60)
        await (await ctx.create_callback(name="approval"))

    provider = meter_provider(receiver.url)
    is_warm: bool = request.param
    answer = (30.0, Outcome(status="SUCCEEDED", result='"yes"'))
    run_told(order, warm=is_warm, others=[OpenTelemetry(meter_provider=provider)], outside=answer)
    provider.shutdown()
    return is_warm


def test_executions_and_invocations_are_counted_and_timed(receiver: Receiver, warm: bool) -> None:
    assert receiver.point("durable.executions", durable_execution_status="SUCCEEDED", faas_name="order").total == 1
    assert receiver.point("durable.execution.duration").sum == pytest.approx(95, abs=1)
    assert receiver.point("durable.invocations", durable_invocation_status="PENDING").total == 3
    assert receiver.point("durable.invocations", durable_invocation_status="SUCCEEDED").total == 1
    assert receiver.point("durable.invocation.duration", durable_invocation_status="PENDING").count == 3


def test_operations_and_attempts_are_counted_and_timed(receiver: Receiver, warm: bool) -> None:
    assert receiver.point("durable.operations", durable_operation_type="STEP", durable_operation_status="SUCCEEDED").total == 2
    assert receiver.point("durable.operation.duration", durable_operation_type="WAIT").sum == pytest.approx(60, abs=1)
    assert receiver.point("durable.attempts", durable_attempt_outcome="FAILED").total == 1
    assert receiver.point("durable.attempts", durable_attempt_outcome="SUCCEEDED").total == 2


def test_it_is_told_how_invocations_began(receiver: Receiver, warm: bool) -> None:
    if warm:
        assert receiver.point("durable.invocations.continued").total == 3
        assert "durable.operations.replayed" not in receiver.metrics
    else:
        assert receiver.point("durable.operations.replayed").total == 1 + 3 + 4
        assert "durable.invocations.continued" not in receiver.metrics
    causes = {cause: receiver.point("durable.queue.delay", durable_cause=cause).count for cause in ("start", "timer", "callback")}
    assert causes == dict.fromkeys(("start", "timer", "callback"), 1)


def test_checkpoints_are_timed_and_weighed(receiver: Receiver, warm: bool) -> None:
    assert receiver.point("durable.checkpoint.duration").count == receiver.point("durable.checkpoint.size").count >= 4
    assert receiver.point("durable.checkpoint.updates").total == 2 + 4 + 1 + 1


def test_every_instrument_is_documented(receiver: Receiver, warm: bool) -> None:
    page = (Path(__file__).parents[2] / "docs" / "telemetry.md").read_text()

    assert [name for name in receiver.metrics if f"`{name}`" not in page] == []
    assert len(receiver.metrics) == 13
