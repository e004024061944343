"""The client of a worker with many executions. How calls are written and repeated is tested with the blocking client's."""

from __future__ import annotations

import asyncio
import socket
from threading import Barrier

import pytest

from everstep.client.api import Checkpointed, DurableClient, StatePage
from everstep.client.endpoint import parse_endpoint
from everstep.errors import ServiceError
from everstep.protocol.shapes import Operation, OperationUpdate
from everstep.protocol.sigv4 import Credentials
from everstep.server.line_client import LineClient
from tests.client.fake_service import Drop, FakeService, Reply, refuse

ARN = "arn:aws:lambda:eu-west-1:123456789012:function:f:$LATEST/durable-execution/n/e"
UPDATES = [OperationUpdate(id="1", type="STEP", action="START", name="charge")]


def client_of(service: FakeService, *, credentials: Credentials | None = None, max_attempts: int = 3) -> LineClient:
    source = None if credentials is None else lambda: credentials
    return LineClient(parse_endpoint(service.url), region="eu-west-1", credentials=source, max_attempts=max_attempts)


async def checkpoints(client: LineClient, count: int) -> list[Checkpointed]:
    """One after the other, then the connections are closed."""
    try:
        return [await client.checkpoint(ARN, "token", UPDATES, "once") for _ in range(count)]
    finally:
        await client.close()


def test_it_is_a_durable_client() -> None:
    with FakeService() as service:
        assert isinstance(client_of(service), DurableClient)


def test_calls_that_follow_each_other_share_a_connection() -> None:
    with FakeService() as service:
        answers = asyncio.run(checkpoints(client_of(service), 3))

    assert answers == [Checkpointed(token="next", operations=[])] * 3
    assert service.connections == 1


def test_calls_at_the_same_time_do_not_wait_for_each_other() -> None:
    together = Barrier(5)

    async def all_at_once(client: LineClient) -> None:
        await asyncio.gather(*(client.checkpoint(ARN, "token", UPDATES, "once") for _ in range(5)))
        await client.close()

    with FakeService(*[Reply(held=together)] * 5) as service:
        asyncio.run(all_at_once(client_of(service)))

    assert len(service.asked) == 5


def test_a_page_of_the_state_is_read() -> None:
    async def page(client: LineClient) -> StatePage:
        try:
            return await client.get_state(ARN, "t", "m", 7)
        finally:
            await client.close()

    body = b'{"Operations":[{"Id":"1","Type":"STEP","Status":"READY","StartTimestamp":1}],"NextMarker":""}'
    with FakeService(Reply(body=body)) as service:
        found = asyncio.run(page(client_of(service)))

    assert found == StatePage(operations=[Operation(id="1", type="STEP", status="READY", start_timestamp=1000)], next_marker="")
    assert service.asked[0].path.endswith("/state?CheckpointToken=t&Marker=m&MaxItems=7")


@pytest.mark.parametrize("lost", [Drop(), Reply(cut=5), refuse(500, "ServiceException", "try again")])
def test_a_lost_answer_is_asked_for_again_with_the_same_client_token(lost: Reply | Drop) -> None:
    with FakeService(lost) as service:
        answers = asyncio.run(checkpoints(client_of(service), 1))

    assert answers == [Checkpointed(token="next", operations=[])]
    assert [asked.body for asked in service.asked] == [service.asked[0].body] * 2


def test_a_connection_that_was_closed_meanwhile_costs_no_attempt() -> None:
    with FakeService(Reply(hang_up=True)) as service:
        answers = asyncio.run(checkpoints(client_of(service, max_attempts=1), 2))

    assert len(answers) == 2


def test_a_refusal_is_final() -> None:
    refusal = refuse(400, "InvalidParameterValueException", "no such operation")
    with FakeService(refusal) as service, pytest.raises(ServiceError, match="no such operation") as raised:
        asyncio.run(checkpoints(client_of(service), 1))

    assert not raised.value.is_retryable
    assert len(service.asked) == 1


def test_requests_are_signed_where_there_are_credentials() -> None:
    with FakeService() as service:
        asyncio.run(checkpoints(client_of(service), 1))
        asyncio.run(checkpoints(client_of(service, credentials=Credentials("AKID", "secret")), 1))

    unsigned, signed = service.asked
    assert "authorization" not in unsigned.headers
    assert signed.headers["authorization"].startswith("AWS4-HMAC-SHA256 Credential=AKID/")
    assert signed.headers["host"] == parse_endpoint(service.url).authority


def test_a_server_that_is_not_there_is_a_failure_worth_another_try() -> None:
    with socket.socket() as unused:
        unused.bind(("127.0.0.1", 0))
        client = LineClient(
            parse_endpoint(f"http://127.0.0.1:{unused.getsockname()[1]}"), region="eu-west-1", credentials=None, max_attempts=1
        )

        with pytest.raises(ServiceError) as raised:
            asyncio.run(checkpoints(client, 1))

    assert raised.value.is_retryable
