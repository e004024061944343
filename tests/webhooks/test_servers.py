"""`everstep server --webhooks`, as processes that are killed between the commit and the delivery."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator
from http.client import HTTPConnection
from pathlib import Path

import pytest
from standardwebhooks.webhooks import Webhook

from tests.faults.processes import ServerProcess, until
from tests.service.postgres import Server as Postgres
from tests.webhooks.receiver import SECRET, Receiver, receiving


@pytest.fixture
def receiver() -> Iterator[Receiver]:
    with receiving() as one:
        yield one


def served(store: str, folder: Path, receiver: Receiver, number: int = 0) -> ServerProcess:
    (folder / "secret").write_text(SECRET)
    (folder / "secret").chmod(0o600)
    (folder / "webhooks.yaml").write_text(f"webhooks:\n- {{name: shop, url: '{receiver.url}', secret_file: secret}}\n")
    return ServerProcess(store, folder, number, "--webhooks", str(folder / "webhooks.yaml"))


def invoke(server: ServerProcess, name: str) -> None:
    connection = HTTPConnection("127.0.0.1", server.port, timeout=20)
    try:
        headers = {"X-Amz-Invocation-Type": "Event", "X-Amz-Durable-Execution-Name": name}
        connection.request("POST", "/2015-03-31/functions/pulled:$LATEST/invocations", b"1", headers)
        assert connection.getresponse().status == 202
    finally:
        connection.close()


def metric(server: ServerProcess, name: str) -> float:
    connection = HTTPConnection("127.0.0.1", server.port, timeout=20)
    try:
        connection.request("GET", "/metrics")
        lines = connection.getresponse().read().decode().splitlines()
    finally:
        connection.close()
    return next((float(line.rpartition(" ")[2]) for line in lines if line.startswith(f'everstep_{name}{{webhook="shop"}}')), 0.0)


def test_what_a_killed_server_owed_on_sqlite_is_delivered_after_its_restart(tmp_path: Path, receiver: Receiver) -> None:
    receiver.stop()
    server = served(f"sqlite:///{tmp_path}/store.db", tmp_path, receiver)
    server.start()
    try:
        server.wait_until_it_answers()
        for number in range(5):
            invoke(server, f"e-{number}")
        until(lambda: metric(server, "webhook_events_owed") == 5, "a backlog of five")
        server.kill()
        receiver.start()
        server.start()
        receiver.until(lambda: len(receiver.requests) >= 5, "the delivery of five events")
        server.wait_until_it_answers()
        until(lambda: metric(server, "webhook_events_owed") == 0, "an empty outbox")
    finally:
        server.kill()

    assert set(receiver.taken) == {(f"e-{number}", "RUNNING") for number in range(5)}
    assert all(Webhook(SECRET).verify(one.body, one.headers) for one in receiver.requests)


def test_several_servers_deliver_each_event_once_and_take_over_from_one_that_is_killed(
    tmp_path: Path, receiver: Receiver, postgres: Postgres
) -> None:
    url = postgres.new_schema(lease_s=1)
    servers = [served(url, tmp_path, receiver, number) for number in range(2)]
    try:
        for server in servers:
            server.start()
        for server in servers:
            server.wait_until_it_answers()
        for number in range(40):
            invoke(servers[number % 2], f"e-{number}")
        receiver.until(lambda: len(receiver.requests) >= 40, "the delivery of forty events")
        once = Counter({(f"e-{number}", "RUNNING"): 1 for number in range(40)})
        assert receiver.taken == once

        receiver.resumes.clear()  # it hangs: what is asked of it now is claimed, and not delivered
        invoke(servers[0], "last")
        servers[0].kill()
        receiver.resumes.set()
        receiver.until(lambda: ("last", "RUNNING") in receiver.taken, "the delivery by the other server", patience_s=55)
    finally:
        for server in servers:
            server.kill()
