"""The runner for deployed functions, against our server over HTTP."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import timedelta

import pytest

from everstep import ServiceError, UsageError
from everstep.testing import CloudRunner, Runner
from tests.cli.functions import asking
from tests.server.functions import failing, order
from tests.server.running import Running, declared, running


@pytest.fixture(scope="module")
def server() -> Iterator[Running]:
    functions = [
        declared("asking", handler="tests.cli.functions:asking"),
        declared("order", handler="tests.server.functions:order"),
        declared("failing-in-production", handler="tests.server.functions:failing"),
    ]
    with running(functions) as server:
        yield server


@pytest.fixture
def cloud(server: Running) -> Iterator[CloudRunner]:
    runner = CloudRunner(endpoint_url=server.url, poll_every=0.1, timeout=20)
    yield runner
    runner.close()


def test_a_deployed_function_runs_to_its_end(cloud: CloudRunner) -> None:
    execution = cloud.run(order, {"amount": 5}, name="order-5")

    assert execution.result == {"total": 20}
    assert (execution.name, execution.invocations) == ("order-5", 2)
    execution.assert_operations("Step double", "Wait", "Step double")
    assert execution.operation("Wait").took >= timedelta(seconds=1)
    assert [event["EventId"] for event in execution.events] == list(range(1, len(execution.events) + 1))


def test_what_is_recorded_in_the_cloud_is_what_is_recorded_here(cloud: CloudRunner, durable_runner: Runner) -> None:
    there, here = cloud.run(order, {"amount": 5}), durable_runner.run(order, {"amount": 5})

    assert [event["EventType"] for event in there.events] == [event["EventType"] for event in here.events]
    assert [(one.id, one.path, one.status, one.result) for one in there.operations] == [
        (one.id, one.path, one.status, one.result) for one in here.operations
    ]


def test_callbacks_are_answered_by_name(cloud: CloudRunner) -> None:
    cloud.on_callback("approval", returns=" approved", after=0.3, heartbeat_every=0.1)

    assert cloud.run(asking, "17").result == "payment of 17 approved"


def test_callbacks_are_answered_by_hand(cloud: CloudRunner) -> None:
    execution = cloud.start(asking, "17")

    callback = execution.until_callback("approval")
    callback.heartbeat()
    assert execution.record().operation("approval create callback id").status == "STARTED"
    callback.fail(PermissionError("not today"))

    execution.finish().assert_failed("PermissionError", "not today")
    with pytest.raises(ServiceError, match="already completed"):
        callback.succeed("after all")


def test_a_function_is_found_by_the_name_it_is_deployed_under(cloud: CloudRunner) -> None:
    cloud.register(failing, name="failing-in-production:$LATEST")

    cloud.run(failing, None).assert_failed("ValueError", "out of stock")


def test_a_function_that_is_not_deployed_is_missed(cloud: CloudRunner) -> None:
    with pytest.raises(ServiceError, match="ResourceNotFoundException"):
        cloud.run(failing, None)


def test_an_execution_is_stopped(cloud: CloudRunner) -> None:
    cloud.ignore_callback("approval")
    execution = cloud.start(asking, "17")
    execution.until_callback()

    execution.stop()

    execution.finish().assert_status("STOPPED")


def test_an_execution_that_ends_without_the_callback_is_shown(cloud: CloudRunner) -> None:
    execution = cloud.start(order, {"amount": 1})

    with pytest.raises(LookupError, match="never waited for the callback 'approval'"):
        execution.until_callback("approval")


def test_patience_ends_with_a_hint(server: Running) -> None:
    impatient = CloudRunner(endpoint_url=server.url, poll_every=0.05, timeout=2)

    with pytest.raises(TimeoutError, match=r"has not ended within 2 s. It waits for the callback 'approval'"):
        impatient.run(asking, "17")


def test_nonsense_is_refused_at_once() -> None:
    with pytest.raises(UsageError, match="not a usable endpoint"):
        CloudRunner(endpoint_url="localhost")
    with pytest.raises(UsageError, match="poll_every is 0"):
        CloudRunner(endpoint_url="http://localhost:1", poll_every=0)
