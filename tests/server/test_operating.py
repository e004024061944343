"""What orchestrators ask of a server: whether it is alive, and whether it can serve."""

from __future__ import annotations

import json
import time
from http.client import HTTPConnection

from tests.server.running import HERE, Running, declared, running, until
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
