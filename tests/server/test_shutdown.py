"""How a server's process ends: what it was doing goes on elsewhere, and who insists is obeyed."""

from __future__ import annotations

import signal
import subprocess
import time
from collections.abc import Generator
from contextlib import contextmanager

import pytest

from tests.server.running import HERE, client_of, events_of, status_of, text_of, until
from tests.server.test_command import served
from tests.service.postgres import Server

LEASE_S = 60


@contextmanager
def stalled(monkeypatch: pytest.MonkeyPatch, *arguments: str) -> Generator[tuple[subprocess.Popen[str], str]]:
    """A server whose one invocation takes for ever, and the execution's ARN."""
    monkeypatch.setenv("EVERSTEP_TEST_STALLS", "yes")
    with served(f"{HERE}:stalling", *arguments) as (process, url):
        monkeypatch.delenv("EVERSTEP_TEST_STALLS")  # those that begin later do not stall
        client = client_of(url)
        started = client.invoke(FunctionName="stalling:$LATEST", InvocationType="Event", Payload=b"{}")
        arn = text_of(started, "DurableExecutionArn")
        until(lambda: "StepStarted" in [event["EventType"] for event in events_of(client, arn)], "the step")
        client.close()
        yield process, arn


def test_another_server_goes_on_at_once_with_what_one_that_stops_was_doing(postgres: Server, monkeypatch: pytest.MonkeyPatch) -> None:
    store = postgres.new_schema(LEASE_S)
    with (
        stalled(monkeypatch, "--store", store, "--grace", "0.2") as (process, arn),
        served(f"{HERE}:stalling", "--store", store) as (_, url),
    ):
        client = client_of(url)
        before = status_of(client, arn)
        process.send_signal(signal.SIGTERM)
        began_at = time.monotonic()
        code = process.wait(timeout=60)
        until(lambda: status_of(client, arn) == "SUCCEEDED", "the end, in the other server")
        took_s = time.monotonic() - began_at
        client.close()

    assert (before, code) == ("RUNNING", 0)
    assert took_s < LEASE_S / 4


@pytest.mark.parametrize("again", [signal.SIGTERM, signal.SIGINT])
def test_a_second_signal_ends_a_server_that_waits_for_an_invocation(monkeypatch: pytest.MonkeyPatch, again: signal.Signals) -> None:
    with stalled(monkeypatch, "--store", "memory://", "--grace", "3600") as (process, _):
        assert process.stderr is not None
        process.send_signal(signal.SIGTERM)
        while "is stopping" not in process.stderr.readline():
            pass
        process.send_signal(again)
        process.wait(timeout=60)

    assert process.returncode != 0
