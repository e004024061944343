"""Answers that are lost, requests that arrive twice, and a database that one of two servers cannot reach."""

from __future__ import annotations

import gc
from contextlib import ExitStack
from pathlib import Path
from typing import Any, cast

import boto3  # type: ignore[import-untyped]  # no stubs are installed
import pytest
from botocore.config import Config  # type: ignore[import-untyped]  # the same

from tests.faults.interference import Cable, Interference, at_random
from tests.faults.load import Load
from tests.faults.processes import ServerProcess, WorkerProcess, until
from tests.server.running import CREDENTIALS, Lambda
from tests.service.postgres import Server as Postgres


def client_through(port: int) -> Lambda:
    """boto3's, which asks again whenever an answer does not come."""
    config = Config(retries={"total_max_attempts": 30, "mode": "standard"}, read_timeout=20)
    client = cast("Any", boto3).client(
        "lambda", endpoint_url=f"http://127.0.0.1:{port}", region_name="us-east-1", config=config, **CREDENTIALS
    )
    client.meta.events.register("needs-retry.lambda", _ask_again_at_once)
    return cast("Lambda", client)


def _ask_again_at_once(response: object, attempts: int, **more: object) -> float | None:
    """Nothing here is overloaded, so there is nothing to wait for."""
    return 0.0 if response is None and attempts < 30 else None


@pytest.mark.timeout(120)
def test_a_worker_whose_network_loses_and_doubles_messages_does_everything_once(tmp_path: Path) -> None:
    server = ServerProcess(f"sqlite:///{tmp_path}/store.db", tmp_path)
    with ExitStack() as cleanup:
        server.start()
        cleanup.callback(server.kill)
        server.wait_until_it_answers()
        network = cleanup.enter_context(Interference(server.port, at_random(1)))
        worker = WorkerProcess(server, tmp_path, port=network.port)
        worker.start()
        cleanup.callback(worker.kill)
        load = Load([server], tmp_path / "ledger.jsonl", 40, ["pulled"])
        load.start()
        load.wait(60)

        figures = load.check()

    assert figures["bodies"] >= 200
    assert min(network.fates.values()) > 0


def test_an_invocation_that_was_lost_on_its_way_to_a_worker_is_given_up_when_the_worker_asks_again(tmp_path: Path) -> None:
    server = ServerProcess("memory://", tmp_path)
    fates = iter(["lose the answer"])
    with ExitStack() as cleanup:
        server.start()
        cleanup.callback(server.kill)
        server.wait_until_it_answers()
        load = Load([server], tmp_path / "ledger.jsonl", 1, ["pulled"])
        load.start()
        network = cleanup.enter_context(
            Interference(server.port, lambda request: next(fates, "pass") if b"/invocations " in request else "pass")
        )
        worker = WorkerProcess(server, tmp_path, port=network.port)
        worker.start()
        cleanup.callback(worker.kill)

        load.wait(20)
        load.check()

    assert network.fates["lose the answer"] == 1


def start_each(port: int, executions: int) -> None:
    client = client_through(port)
    for event in range(executions):
        started = client.invoke(
            FunctionName="work:$LATEST", InvocationType="Event", Payload=str(event), DurableExecutionName=f"execution-{event}"
        )
        client.get_durable_execution(DurableExecutionArn=started["DurableExecutionArn"])
    client.close()


# botocore leaves a connection that broke to the garbage collector.
@pytest.mark.filterwarnings("ignore::pytest.PytestUnraisableExceptionWarning")
def test_a_client_whose_network_loses_and_doubles_messages_starts_each_execution_once(tmp_path: Path) -> None:
    server = ServerProcess("memory://", tmp_path)
    with ExitStack() as cleanup:
        server.start()
        cleanup.callback(server.kill)
        server.wait_until_it_answers()
        network = cleanup.enter_context(Interference(server.port, at_random(2)))
        start_each(network.port, 20)
        gc.collect()
        load = Load([server], tmp_path / "ledger.jsonl", 20, ["work"])
        load.start()  # all of them again, and they are the same

        load.wait(60)
        figures = load.check()

    assert figures["bodies"] == 100
    assert min(network.fates.values()) > 0


@pytest.mark.timeout(120)
def test_a_server_that_is_cut_off_from_the_database_is_replaced_by_another_one(tmp_path: Path, postgres: Postgres) -> None:
    with ExitStack() as cleanup:
        cable = cleanup.enter_context(Cable(postgres.socket))
        url = postgres.new_schema(lease_s=1)
        servers = [
            ServerProcess(f"postgresql://postgres@127.0.0.1:{cable.port}/postgres?{url.partition('&')[2]}", tmp_path, 0),
            ServerProcess(url, tmp_path, 1),
        ]
        for server in servers:
            server.start()
            cleanup.callback(server.kill)
        for server in servers:
            server.wait_until_it_answers()
        load = Load(servers, tmp_path / "ledger.jsonl", 60, ["work"])
        load.start()
        cable.unplug()
        ended = Load(servers[1:], tmp_path / "ledger.jsonl", 60, ["work"])
        ended.wait(30)
        cable.plug()
        until(servers[0].answers, "an answer of the server that was cut off")
        later = Load(servers[:1], tmp_path / "ledger.jsonl", 60, ["work"])
        later.start()

        figures = later.check()

    assert figures["bodies"] >= 300
