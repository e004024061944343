"""/metrics, read as Prometheus reads it."""

from __future__ import annotations

import asyncio
import math
from base64 import b64encode
from collections.abc import Mapping, Sequence

import pytest
from prometheus_client.parser import text_string_to_metric_families

from everstep.server.access.keys import AccessKey
from everstep.server.census import Census, Counted
from everstep.service.stores.memory import MemoryStore
from tests.server.running import HERE, Lambda, Running, declared, running, until
from tests.service.postgres import Server as Postgres

Figures = Mapping[tuple[str, frozenset[tuple[str, str]]], float]


class Scraped:
    """A sample's value by its name and labels."""

    def __init__(self, server: Running, headers: Mapping[str, str] | None = None) -> None:
        status, answered, body = server.request("GET", "/metrics", headers=dict(headers or {}))
        assert status == 200
        assert answered["content-type"].startswith("text/plain")
        self.samples = [sample for family in text_string_to_metric_families(body.decode()) for sample in family.samples]

    def __call__(self, name: str, **labels: str) -> float:
        found = [sample.value for sample in self.samples if sample.name == f"everstep_{name}" and sample.labels == labels]
        return found[0] if found else 0.0


@pytest.fixture(scope="module")
def scraped() -> Scraped:
    """After a life: two executions that succeed, one that fails, one that waits, one that is stopped; a callback; a worker that waits."""
    functions = [declared(name, handler=f"{HERE}:{name}") for name in ("quick", "failing", "sleeper", "approval", "order")]
    with running([*functions, declared("pulled", config={"ExecutionTimeout": 60})]) as server:
        client = server.client

        def started(name: str) -> str:
            arn: str = client.invoke(FunctionName=f"{name}:$LATEST", InvocationType="Event", Payload=b"{}")["DurableExecutionArn"]
            return arn

        for name in ("quick", "quick", "failing"):
            client.invoke(FunctionName=f"{name}:$LATEST", Payload=b'{"a": 1}')
        client.invoke(FunctionName="order:$LATEST", Payload=b'{"amount": 1}')
        started("sleeper")
        client.stop_durable_execution(DurableExecutionArn=started("sleeper"))
        approval = started("approval")
        client.send_durable_execution_callback_success(CallbackId=callback_of(client, approval), Result=b"1")
        started("pulled")  # nobody takes it
        server.request("GET", "/2015-03-31/functions/nobody")
        server.request("GET", "/nowhere")
        until(lambda: Scraped(server)("executions_ended_total", function="approval", status="SUCCEEDED") == 1, "the end of the approval")
        return Scraped(server)


def callback_of(client: Lambda, arn: str) -> str:
    found: list[str] = []

    def look() -> bool:
        events = client.get_durable_execution_history(DurableExecutionArn=arn)["Events"]
        found.extend(event["CallbackStartedDetails"]["CallbackId"] for event in events if event["EventType"] == "CallbackStarted")
        return bool(found)

    until(look, "the callback")
    return found[0]


def test_executions_are_counted_by_function_and_end(scraped: Scraped) -> None:
    assert scraped("executions_started_total", function="quick") == 2
    assert scraped("executions_ended_total", function="quick", status="SUCCEEDED") == 2
    assert scraped("executions_ended_total", function="failing", status="FAILED") == 1
    assert scraped("executions_started_total", function="sleeper") == 2
    assert scraped("executions_ended_total", function="sleeper", status="STOPPED") == 1
    assert scraped("callbacks_ended_total", status="SUCCEEDED") == 1


def test_invocations_are_counted_and_timed(scraped: Scraped) -> None:
    assert scraped("invocations_total", function="quick", outcome="answered") == 2
    assert scraped("invocations_total", function="order", outcome="answered") == 2
    assert scraped("invocation_seconds_count", function="order") == 2
    assert scraped("invocation_delay_seconds_count", function="order") == 2
    assert scraped("invocation_seconds_sum", function="quick") < 10


def test_checkpoints_commits_and_timers_are_timed(scraped: Scraped) -> None:
    assert scraped("checkpoint_seconds_count") >= 6
    assert scraped("checkpoint_updates_total") >= 8
    assert scraped("checkpoint_payload_bytes_total") >= len('{"a":1}') * 2
    assert scraped("store_commit_seconds_count") > 10
    assert scraped("store_commit_writes_sum") >= scraped("store_commit_seconds_count")
    assert scraped("store_commit_failures_total") == 0
    assert scraped("timer_delay_seconds_count") >= 1


def test_requests_are_counted_by_operation_and_status(scraped: Scraped) -> None:
    assert scraped("http_requests_total", operation="Invoke", status="200") == 4
    assert scraped("http_requests_total", operation="Invoke", status="202") == 4
    assert scraped("http_requests_total", operation="GetFunction", status="404") == 1
    assert scraped("http_requests_total", operation="none", status="404") == 1
    assert scraped("http_request_seconds_count", operation="Invoke") == 8


def test_what_is_there_now_is_told(scraped: Scraped) -> None:
    assert scraped("executions_open") >= 1
    assert scraped("calls_waiting", function="pulled") == 1
    assert scraped("workers_waiting", function="pulled") == 0
    assert scraped("invocations_running") == 1


def test_no_label_is_an_execution(scraped: Scraped) -> None:
    labels = {value for sample in scraped.samples for value in sample.labels.values()}

    assert not [value for value in labels if "arn:" in value or len(value) > 64]


def test_servers_of_one_process_count_apart(scraped: Scraped) -> None:
    with running([declared("quick", handler=f"{HERE}:quick")]) as other:
        assert Scraped(other)("executions_started_total", function="quick") == 0


def test_a_commit_that_fails_is_counted(postgres: Postgres) -> None:
    with running([declared("quick", handler=f"{HERE}:quick")], postgres.new_schema()) as server:
        postgres.stop()
        try:
            status, _, _ = server.request("POST", "/2015-03-31/functions/quick/invocations?Qualifier=$LATEST", b"{}")
            assert status == 500
            assert Scraped(server)("store_commit_failures_total") == 1
            assert math.isnan(Scraped(server)("executions_open")), "it is not known"
        finally:
            postgres.start()


KEYS: Sequence[AccessKey] = [
    AccessKey(access_key_id="prometheus", secret_access_key="s" * 20, roles=["monitor"]),
    AccessKey(access_key_id="shop", secret_access_key="t" * 20, roles=["invoker"]),
]


def basic(name: str, secret: str) -> dict[str, str]:
    return {"Authorization": f"Basic {b64encode(f'{name}:{secret}'.encode()).decode()}"}


def test_where_credentials_are_asked_for_they_are_for_metrics_too() -> None:
    with running([declared("quick", handler=f"{HERE}:quick")], keys=KEYS) as server:
        refused = [
            server.request("GET", "/metrics", headers=headers)[:2]
            for headers in (
                {},
                {"Authorization": "Basic ?"},
                basic("prometheus", "wrong"),
                basic("nobody", "s" * 20),
                basic("shop", "t" * 20),
            )
        ]
        open_to_all = [server.request("GET", path)[0] for path in ("/health", "/ready", "/openapi.json")]

        assert Scraped(server, basic("prometheus", "s" * 20)).samples
    assert [status for status, _ in refused] == [401, 401, 401, 401, 403]
    assert all(headers["www-authenticate"].startswith("Basic") for status, headers in refused if status == 401)
    assert open_to_all == [200, 200, 200]


class Slow(MemoryStore):
    """Counts for as long as it is let."""

    def __init__(self) -> None:
        super().__init__()
        self.counts = 0

    async def count_open(self) -> int:
        self.counts += 1
        await asyncio.sleep(0.01)
        return 3


def test_executions_are_not_counted_all_the_time() -> None:
    async def asked() -> tuple[list[Counted | None], int]:
        store, census = Slow(), Census()
        return [await census.counted(store) for _ in range(5)], store.counts

    assert asyncio.run(asked()) == ([Counted(3, {})] * 5, 1)
