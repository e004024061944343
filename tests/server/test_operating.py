"""What orchestrators ask of a server: whether it is alive, and whether it can serve."""

from __future__ import annotations

import json
import time
from http.client import HTTPConnection
from pathlib import Path

import pytest

from tests.server.running import HERE, Running, declared, payload_of, running, text_of, until
from tests.service.fakes import ManualClock
from tests.service.postgres import Server


def asked(server: Running, path: str) -> tuple[int, dict[str, str]]:
    status, headers, body = server.request("GET", path)
    assert headers["content-type"] == "application/json"
    return status, json.loads(body)


def test_a_server_that_can_serve_is_alive_and_ready(server: Running) -> None:
    assert asked(server, "/health") == (200, {"status": "alive"})
    assert asked(server, "/ready") == (200, {"status": "ready"})


def test_a_server_whose_database_is_away_is_alive_but_not_ready(postgres: Server) -> None:
    with running([declared("order", handler=f"{HERE}:order")], postgres.new_schema()) as server:
        until(lambda: asked(server, "/ready") == (200, {"status": "ready"}), "readiness")

        postgres.stop()
        try:
            assert asked(server, "/ready") == (503, {"status": "not ready", "reason": "the store does not answer"})
            assert asked(server, "/health") == (200, {"status": "alive"})
        finally:
            postgres.start()

        until(lambda: asked(server, "/ready")[0] == 200, "readiness after the database came back")


def test_a_server_that_stops_is_not_ready(server: Running) -> None:
    with running([declared("order", handler=f"{HERE}:order")]) as stopping:
        backend = stopping.server.backend
        backend.closing.set()  # as it is while running invocations may still end

        assert asked(stopping, "/ready") == (503, {"status": "not ready", "reason": "the server is stopping"})
        assert asked(stopping, "/health") == (200, {"status": "alive"})


def test_an_answer_waits_for_no_acknowledgement(server: Running) -> None:
    connection = HTTPConnection(server.address, timeout=20)
    lasted_s: list[float] = []
    for _ in range(10):
        began = time.perf_counter()
        connection.request("POST", "/2015-03-31/functions/plain/invocations", b"1")
        connection.getresponse().read()
        lasted_s.append(time.perf_counter() - began)
    connection.close()

    assert min(lasted_s[1:]) < 0.035, "a delayed acknowledgement takes 40 ms"


@pytest.mark.parametrize("kind", ["memory", "sqlite", "postgres"])
def test_what_has_ended_is_there_for_its_retention_and_then_is_not(kind: str, request: pytest.FixtureRequest, tmp_path: Path) -> None:
    files = {"memory": "memory://", "sqlite": f"sqlite:///{tmp_path}/store.db"}
    store = files.get(kind) or request.getfixturevalue("postgres").new_schema()
    config = {"ExecutionTimeout": 60, "RetentionPeriodInDays": 1}
    clock = ManualClock()
    with running([declared("quick", handler=f"{HERE}:quick", config=config)], store, clock=clock) as server:
        client = server.client
        answer = client.invoke(FunctionName="quick:$LATEST", DurableExecutionName="once", Payload=b"1")
        arn = text_of(answer, "DurableExecutionArn")
        path = f"/2025-12-01/durable-executions/{arn}"
        until(lambda: bool(clock.alarms), "that the scheduler sleeps")

        server.in_loop(lambda: clock.move(seconds=86_300))
        assert client.get_durable_execution(DurableExecutionArn=arn)["Status"] == "SUCCEEDED"
        server.in_loop(lambda: clock.move(seconds=200))
        until(lambda: server.request("GET", path)[0] == 404, "the removal")

        assert client.list_durable_executions_by_function(FunctionName="quick")["DurableExecutions"] == []
        again = client.invoke(FunctionName="quick:$LATEST", DurableExecutionName="once", Payload=b"2")
        assert (payload_of(again), again["DurableExecutionArn"] == arn) == (2, False)
