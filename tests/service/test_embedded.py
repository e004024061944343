"""The public face of the embedded service, on every store."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from pathlib import Path

import pytest
from tests.service.fakes import NOON, PENDING, ManualClock, Run, eventually, fake, played_out
from tests.service.postgres import Server

from everstep.errors import ExecutionAlreadyStarted, ExecutionFailed, PayloadTooLarge, ServiceError, UsageError
from everstep.protocol.shapes import ErrorObject, InvocationOutput
from everstep.service.embedded import Service
from everstep.service.stores.api import StoreError


@pytest.fixture(params=["memory", "sqlite", "postgres"])
def url(request: pytest.FixtureRequest, tmp_path: Path) -> str:
    if request.param == "postgres":
        server: Server = request.getfixturevalue("postgres")
        return server.new_schema()
    return "memory://" if request.param == "memory" else f"sqlite:///{tmp_path}/executions.db"


async def double(run: Run) -> object:
    number = run.input
    assert isinstance(number, int)
    return await run.step("double", lambda: 2 * number)


async def sleepy(run: Run) -> object:
    return "slept" if await run.pause("nap", 60) else PENDING


async def approval(run: Run) -> object:
    operation = await run.callback("approval")
    if operation.status == "STARTED":
        return PENDING
    details = operation.callback_details
    assert details is not None
    return {"status": operation.status, "result": details.result, "error": details.error and details.error.error_message}


async def test_an_execution_runs_to_its_result(url: str) -> None:
    handler = fake(double)
    async with Service(url) as service:
        service.register(handler)
        execution = await service.start(handler, 21)

        assert await execution.result() == 42
        assert await execution.result() == 42

    assert handler.invocations == 1


async def test_a_start_whose_name_is_taken_calls_no_handler_and_is_no_reason_to_worry(url: str, caplog: pytest.LogCaptureFixture) -> None:
    handler = fake(double)
    async with Service(url) as service:
        service.register(handler)
        first = await service.start(handler, 21, name="order-17")
        assert await first.result() == 42
        same = await service.start(handler, 21, name="order-17")
        with pytest.raises(ExecutionAlreadyStarted):
            await service.start(handler, 22, name="order-17")

    assert same.arn == first.arn
    assert handler.invocations == 1
    assert [record.message for record in caplog.records] == []


async def test_a_wait_is_over_when_its_time_has_come_and_not_before(url: str) -> None:
    clock, handler = ManualClock(), fake(sleepy)
    async with Service(url, clock=clock) as service:
        service.register(handler)
        execution = await service.start(handler, None)
        await eventually(lambda: NOON + 60_000 in clock.alarms)
        clock.move(ms=59_999)
        await asyncio.sleep(0.005)
        invocations_before = handler.invocations
        clock.move(ms=1)

        assert await execution.result() == "slept"

    assert invocations_before == 1
    assert handler.invocations == 2


async def test_several_callers_wait_for_one_result(url: str) -> None:
    handler = fake(approval)
    async with Service(url) as service:
        service.register(handler)
        execution = await service.start(handler, None, name="x")
        again = await service.start(handler, None, name="x")
        waiting = [asyncio.ensure_future(one.result()) for one in (execution, again, service.execution(handler, execution.arn))]
        await eventually(lambda: bool(handler.outputs))
        waiting[0].cancel()
        await service.stop(execution.arn, error=ErrorObject(error_type="Enough"))
        outcomes = await asyncio.gather(*waiting[1:], return_exceptions=True)

    assert [str(outcome) for outcome in outcomes] == [f"{execution.arn} ended STOPPED (Enough)"] * 2


# Starting by name


async def test_the_same_start_again_is_the_same_execution_open_or_closed(url: str) -> None:
    handler = fake(double)
    async with Service(url) as service:
        service.register(handler)
        starts = await asyncio.gather(*(service.start(handler, 1, name="order-17") for _ in range(5)))
        result = await starts[0].result()
        later = await service.start(handler, 1, name="order-17")

        assert await later.result() == result == 2

    assert len({execution.arn for execution in [*starts, later]}) == 1
    assert handler.invocations == 1


@pytest.mark.parametrize("ends_first", [True, False])
async def test_a_taken_name_with_another_input_is_refused(url: str, ends_first: bool) -> None:
    handler = fake(double if ends_first else approval)
    async with Service(url) as service:
        service.register(handler)
        first = await service.start(handler, 1, name="order-17")
        if ends_first:
            await first.result()
        with pytest.raises(ExecutionAlreadyStarted) as refusal:
            await service.start(handler, 2, name="order-17")

    assert refusal.value.arn == first.arn


async def test_a_name_belongs_to_its_function(url: str) -> None:
    one, other = fake(double), fake(sleepy)
    async with Service(url) as service:
        service.register(one)
        service.register(other)
        first = await service.start(one, 1, name="order-17")
        second = await service.start(other, 2, name="order-17")

    assert first.arn != second.arn


async def test_executions_without_a_name_are_all_different(url: str) -> None:
    handler = fake(double)
    async with Service(url) as service:
        service.register(handler)
        arns = {(await service.start(handler, 1)).arn for _ in range(3)}

    assert len(arns) == 3


async def gone(service: Service, arn: str) -> None:
    """Returns when there is no such execution any more."""
    for _ in range(10_000):
        try:
            await service.describe(arn)
        except ServiceError:
            return
        await asyncio.sleep(0)
    raise AssertionError(f"{arn} is still there")


async def test_a_deleted_executions_name_is_free_again(url: str) -> None:
    handler = fake(double)
    async with Service(url) as service:
        service.register(handler)
        first = await service.start(handler, 1, name="order-17")
        await first.result()
        await service.delete(first.arn)

        await gone(service, first.arn)
        second = await service.start(handler, 2, name="order-17")

        assert await second.result() == 4


# Outcomes


async def failing(run: Run) -> object:
    return InvocationOutput(status="FAILED", error=ErrorObject(error_type="ValueError", error_message="no such card"))


async def test_a_failed_execution_raises_what_it_failed_with(url: str) -> None:
    handler = fake(failing)
    async with Service(url) as service:
        service.register(handler)
        execution = await service.start(handler, None)
        with pytest.raises(ExecutionFailed, match=r"ended FAILED \(ValueError: no such card\)") as failure:
            await execution.result()

    assert (failure.value.status, failure.value.error_type, failure.value.message) == ("FAILED", "ValueError", "no such card")


async def test_an_execution_that_takes_too_long_times_out(url: str) -> None:
    clock, handler = ManualClock(), fake(approval)
    async with Service(url, clock=clock) as service:
        service.register(handler, execution_timeout=10)
        execution = await service.start(handler, None)
        await eventually(lambda: bool(handler.outputs))
        with pytest.raises(ExecutionFailed, match="TIMED_OUT"):
            await played_out(clock, execution.result())

    assert clock.now == NOON + 10_000


@pytest.mark.parametrize("output", [None, "PENDING", {"Status": "DONE"}, InvocationOutput(status="SUCCEEDED", error=ErrorObject()), 3])
async def test_an_invocation_that_answers_nonsense_fails_the_execution(output: object) -> None:
    async def odd(run: Run) -> object:
        return None

    handler = fake(odd)

    async def invoke(*_: object) -> object:
        return output

    handler.invoke = invoke  # type: ignore[assignment,method-assign]
    async with Service("memory://") as service:
        service.register(handler)
        with pytest.raises(ExecutionFailed, match="InvalidParameterValueException"):
            await (await service.start(handler, None)).result()


# Callbacks


COMPLETIONS: list[tuple[Callable[[Service, str], Awaitable[None]], tuple[str, str | None, str | None]]] = [
    (lambda service, callback: service.succeed_callback(callback, {"ok": True}), ("SUCCEEDED", '{"ok":true}', None)),
    (lambda service, callback: service.succeed_callback(callback), ("SUCCEEDED", None, None)),
    (lambda service, callback: service.succeed_callback(callback, text="plain"), ("SUCCEEDED", "plain", None)),
    (lambda service, callback: service.fail_callback(callback, ValueError("no")), ("FAILED", None, "no")),
    (lambda service, callback: service.fail_callback(callback, ErrorObject(error_message="never")), ("FAILED", None, "never")),
]


@pytest.mark.parametrize(("complete", "expected"), COMPLETIONS)
async def test_a_callback_is_completed_from_outside(
    url: str, complete: Callable[[Service, str], Awaitable[None]], expected: tuple[object, ...]
) -> None:
    ids: list[str] = []

    async def asks(run: Run) -> object:
        operation = await run.callback("approval")
        assert operation.callback_details is not None
        assert operation.callback_details.callback_id is not None
        ids.append(operation.callback_details.callback_id)
        return await approval(run)

    handler = fake(asks)
    async with Service(url) as service:
        service.register(handler)
        execution = await service.start(handler, None)
        await eventually(lambda: bool(handler.outputs))
        await service.heartbeat_callback(ids[0])
        await complete(service, ids[0])
        result = await execution.result()
        with pytest.raises(ServiceError, match="CallbackTimeoutException"):
            await service.succeed_callback(ids[0])

    assert result == dict(zip(("status", "result", "error"), expected, strict=True))


@pytest.mark.parametrize(
    ("callback_id", "code"), [("nonsense", "InvalidParameterValueException"), ("ZTE6YTox", "CallbackTimeoutException")]
)
async def test_a_callback_id_that_is_none_is_refused(callback_id: str, code: str) -> None:
    async with Service("memory://") as service:
        for act in (service.succeed_callback, service.fail_callback, service.heartbeat_callback):
            with pytest.raises(ServiceError, match=code):
                await act(callback_id)


async def test_a_callback_times_out(url: str) -> None:
    async def waits(run: Run) -> object:
        operation = await run.callback("approval", timeout_s=30)
        return PENDING if operation.status == "STARTED" else operation.status

    clock, handler = ManualClock(), fake(waits)
    async with Service(url, clock=clock) as service:
        service.register(handler)
        execution = await service.start(handler, None)

        assert await played_out(clock, execution.result()) == "TIMED_OUT"


# Acting on executions


async def test_a_paused_execution_goes_on_when_it_is_resumed(url: str) -> None:
    clock, handler = ManualClock(), fake(sleepy)
    async with Service(url, clock=clock) as service:
        service.register(handler)
        execution = await service.start(handler, None)
        await eventually(lambda: bool(handler.outputs))
        await eventually(lambda: NOON + 60_000 in clock.alarms)
        await service.pause(execution.arn, reason="lunch")
        clock.move(seconds=3600)
        await asyncio.sleep(0.005)
        paused = await service.describe(execution.arn)
        invocations = handler.invocations
        with pytest.raises(ServiceError, match="ResourceConflictException"):
            await service.pause(execution.arn)
        await service.resume(execution.arn)

        assert await execution.result() == "slept"

    assert paused.status == "PAUSED"
    assert invocations == 1


async def test_stopping_twice_changes_nothing_and_an_open_execution_cannot_be_deleted(url: str) -> None:
    handler = fake(approval)
    async with Service(url) as service:
        service.register(handler)
        execution = await service.start(handler, None)
        with pytest.raises(ServiceError, match="ResourceConflictException"):
            await service.delete(execution.arn)
        await service.stop(execution.arn, error=ErrorObject(error_type="First"))
        await service.stop(execution.arn, error=ErrorObject(error_type="Second"))

        assert (await service.describe(execution.arn)).error == ErrorObject(error_type="First")


async def test_a_closed_execution_is_removed_when_its_retention_ends(url: str) -> None:
    clock, handler = ManualClock(), fake(double)
    async with Service(url, clock=clock) as service:
        service.register(handler, retention_days=1)
        execution = await service.start(handler, 1)
        await execution.result()
        await eventually(lambda: NOON + 86_400_000 in clock.alarms)
        clock.move(seconds=86_400)

        await gone(service, execution.arn)
        assert await service.list() == []


async def test_everything_says_that_an_unknown_execution_does_not_exist() -> None:
    handler = fake(double)
    async with Service("memory://") as service:
        service.register(handler)
        real = await service.start(handler, 1)
        for arn in ("nobody", real.arn.replace("order", "invoice").replace("double", "triple")):
            for act in (service.describe, service.history, service.stop, service.pause, service.resume, service.delete):
                with pytest.raises(ServiceError, match="Durable Execution does not exist"):
                    await act(arn)
            with pytest.raises(ServiceError, match="Durable Execution does not exist"):
                await service.execution(handler, arn).result()


# Looking at executions


async def test_executions_are_described_and_listed(url: str) -> None:
    clock, handler, other = ManualClock(), fake(double), fake(approval)
    async with Service(url, clock=clock) as service:
        service.register(handler)
        service.register(other)
        first = await service.start(handler, 1, name="one")
        await first.result()
        clock.move(seconds=1)
        second = await service.start(handler, 2, name="two")
        await second.result()
        clock.move(seconds=1)
        third = await service.start(other, None, name="three")
        await eventually(lambda: bool(other.outputs))
        description = await service.describe(first.arn)

        async def names(**where: object) -> list[str]:
            return [one.name for one in await service.list(**where)]  # type: ignore[arg-type]

        assert await names() == ["three", "two", "one"]
        assert await names(oldest_first=True, limit=2) == ["one", "two"]
        assert await names(function="double") == ["two", "one"]
        assert await names(status="RUNNING") == ["three"]
        assert await names(status=["RUNNING", "SUCCEEDED"], name="one") == ["one"]
        assert await names(started_after=description.started_at) == ["three", "two"]
        assert await names(started_before=description.started_at) == []
        assert await names(after=await service.describe(second.arn)) == ["one"]

    assert (description.arn, description.name, description.function, description.status) == (first.arn, "one", "double", "SUCCEEDED")
    assert (description.input, description.result, description.version) == ("1", "2", "$LATEST")
    assert description.ended_at == description.started_at
    assert third.arn.startswith("arn:aws:lambda:us-east-1:123456789012:function:approval:$LATEST/durable-execution/three/")


async def test_the_history_tells_what_happened(url: str) -> None:
    handler = fake(double)
    async with Service(url) as service:
        service.register(handler)
        execution = await service.start(handler, 21)
        await execution.result()
        events = await service.history(execution.arn)
        without_data = await service.history(execution.arn, include_data=False)

    kinds = ["ExecutionStarted", "StepStarted", "StepSucceeded", "InvocationCompleted", "ExecutionSucceeded"]
    assert [event["EventType"] for event in events] == kinds
    assert [event["EventId"] for event in events] == [1, 2, 3, 4, 5]
    assert events[2]["StepSucceededDetails"] == {"Result": {"Payload": "42", "Truncated": False}, "RetryDetails": {"CurrentAttempt": 1}}
    assert without_data[0]["ExecutionStartedDetails"] == {"ExecutionTimeout": 31_622_400, "Input": {"Truncated": True}}


# Misuse


async def test_a_service_that_is_not_entered_says_how_to() -> None:
    handler = fake(double)
    service = Service("memory://")
    service.register(handler)
    with pytest.raises(UsageError, match="async with"):
        await service.start(handler, 1)
    async with service:
        with pytest.raises(UsageError, match="entered already"):
            await service.__aenter__()
        assert await (await service.start(handler, 1)).result() == 2
    with pytest.raises(UsageError, match="async with"):
        await service.list()


async def test_wrong_registrations_are_refused() -> None:
    handler = fake(double)
    service = Service("memory://")
    service.register(handler)
    with pytest.raises(UsageError, match="'double' is registered already"):
        service.register(fake(double))
    with pytest.raises(UsageError, match="registered already, as 'double'"):
        service.register(handler, name="other")
    with pytest.raises(UsageError, match="cannot name a function"):
        service.register(fake(double), name="no spaces")
    with pytest.raises(UsageError, match="neither a durable handler nor"):
        service.register(len)  # type: ignore[arg-type]
    with pytest.raises(UsageError, match="retention_days is 0"):
        service.register(fake(double), name="other", retention_days=0)
    with pytest.raises(UsageError, match="execution_timeout is 0"):
        service.register(fake(double), name="other", execution_timeout=0)


async def test_wrong_starts_are_refused() -> None:
    handler = fake(double)
    async with Service("memory://") as service:
        with pytest.raises(UsageError, match="cannot name an execution"):
            await service.start(handler, 1, name="no spaces")
        with pytest.raises(PayloadTooLarge, match="the execution's input"):
            await service.start(handler, "x" * 6_300_000)
    with pytest.raises(UsageError, match="max_invocations"):
        Service("memory://", max_invocations=0)


async def test_starting_a_handler_registers_it() -> None:
    handler = fake(double)
    async with Service("memory://") as service:
        assert [await (await service.start(handler, number)).result() for number in (1, 2)] == [2, 4]
        with pytest.raises(UsageError, match="registered already"):
            service.register(handler)


async def test_an_error_in_the_block_leaves_as_it_is(url: str) -> None:
    with pytest.raises(LookupError, match="mine"):
        async with Service(url):
            raise LookupError("mine")


async def test_a_second_service_on_one_file_is_refused(tmp_path: Path) -> None:
    url = f"sqlite:///{tmp_path}/executions.db"
    async with Service(url):
        with pytest.raises(StoreError, match="in use by another service"):
            async with Service(url):
                pass
    async with Service(url):
        pass


async def test_a_service_can_be_entered_again(url: str) -> None:
    clock, handler = ManualClock(), fake(sleepy)
    service = Service(url, clock=clock)
    service.register(handler)
    async with service:
        execution = await service.start(handler, None)
        await eventually(lambda: bool(handler.outputs))
    async with service:
        assert await played_out(clock, execution.result()) == "slept"
