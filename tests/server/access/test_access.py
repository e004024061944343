"""A server with credentials, asked over a socket by boto3 and by hand."""

from __future__ import annotations

import socket
from base64 import b64decode, b64encode
from collections.abc import Callable, Iterator
from datetime import UTC, datetime, timedelta
from functools import partial
from typing import Any, cast
from unittest.mock import patch
from urllib.parse import quote, urlsplit

import boto3  # type: ignore[import-untyped]  # no stubs are installed
import pytest
from botocore import UNSIGNED  # type: ignore[import-untyped]  # the same
from botocore.config import Config  # type: ignore[import-untyped]  # the same

from everstep.protocol.sigv4 import Credentials, signed
from everstep.server.access.keys import AccessKey
from tests.server.access.keys import CALLBACK, INVOKER, OPERATOR, ROTATED, TEMPORARY, WORKER, key
from tests.server.running import ClientError, Lambda, Running, client_of, events_of, payload_of, refusal, status_of, text_of, until

Asks = Callable[[AccessKey], Lambda]


@pytest.fixture
def by(guarded: Running) -> Iterator[Asks]:
    """boto3's client with a key."""
    clients: list[Lambda] = []

    def client(key: AccessKey) -> Lambda:
        clients.append(client_of(guarded.url, key=key))
        return clients[-1]

    yield client
    for one in clients:
        one.close()


def refused(ask: Callable[[], object]) -> tuple[str, str]:
    """Code and message of a refusal with status 403."""
    with pytest.raises(ClientError) as raised:
        ask()
    said = refusal(raised)
    assert said.status == 403
    return said.code, said.message


# -- who asks


def test_a_signed_request_is_served(by: Asks) -> None:
    assert payload_of(by(INVOKER).invoke(FunctionName="quick:$LATEST", Payload='{"ä": "ä"}'.encode())) == {"ä": "ä"}


def test_both_keys_are_good_while_one_replaces_the_other(by: Asks) -> None:
    assert by(OPERATOR).list_functions()["Functions"] == by(ROTATED).list_functions()["Functions"]


def test_a_request_without_a_signature_is_refused(guarded: Running) -> None:
    client = cast("Any", boto3).client(
        "lambda", endpoint_url=guarded.url, region_name="us-east-1", config=Config(signature_version=UNSIGNED)
    )

    said = refused(lambda: client.invoke(FunctionName="quick:$LATEST", Payload=b"1" * 5_000_000))

    assert said == ("MissingAuthenticationTokenException", "Missing Authentication Token")
    client.close()


def test_an_unknown_key_and_a_wrong_secret_are_refused(by: Asks) -> None:
    wrong = AccessKey(access_key_id="operator", secret_access_key="something-else-entirely", roles=["operator"])

    unknown = refused(by(key("nobody", "operator")).list_functions)

    assert unknown[0] == "UnrecognizedClientException"
    assert unknown[1].startswith("The security token included in the request is invalid")
    assert refused(by(wrong).list_functions)[0] == "InvalidSignatureException"


@pytest.mark.parametrize("minutes", [-6, 6])
def test_a_clock_that_is_wrong_is_told_so(by: Asks, minutes: int) -> None:
    client = by(OPERATOR)
    with patch("botocore.auth.get_current_datetime", return_value=datetime.now(UTC) + timedelta(minutes=minutes)):
        code, message = refused(client.list_functions)

    assert code == "InvalidSignatureException"
    assert message.startswith("Signature expired" if minutes < 0 else "Signature not yet current")


def test_a_session_token_must_be_the_keys_own(by: Asks) -> None:
    def with_token(one: AccessKey, token: str | None) -> AccessKey:
        return AccessKey(access_key_id=one.access_key_id, secret_access_key=one.secret_access_key, roles=one.roles, session_token=token)

    assert by(TEMPORARY).invoke(FunctionName="quick:$LATEST")["StatusCode"] == 200
    for wrong in (with_token(TEMPORARY, "another"), with_token(TEMPORARY, None), with_token(INVOKER, "superfluous")):
        code, message = refused(partial(by(wrong).invoke, FunctionName="quick:$LATEST"))
        assert code == "UnrecognizedClientException"
        assert "X-Amz-Security-Token" in message
    assert "unset AWS_SESSION_TOKEN" in message


def test_a_presigned_url_is_served(guarded: Running, by: Asks) -> None:
    client = cast("Any", by(OPERATOR))
    url = urlsplit(
        str(client.generate_presigned_url("list_aliases", {"FunctionName": "arn:aws:lambda:us-east-1:123456789012:function:quick"}))
    )

    status, _, body = guarded.request("GET", f"{url.path}?{url.query}")
    forged, _, _ = guarded.request("GET", f"{url.path}?{url.query}".replace("Aquick", "Apulled"))

    assert (status, body) == (200, b'{"Aliases":[]}')
    assert forged == 403


@pytest.mark.parametrize("unescaped", ["", "/:$", "/:"])
def test_an_arn_may_be_signed_escaped_or_not(guarded: Running, by: Asks, unescaped: str) -> None:
    arn = text_of(by(INVOKER).invoke(FunctionName="quick:$LATEST"), "DurableExecutionArn")
    path = f"/2025-12-01/durable-executions/{quote(arn, safe=unescaped)}/history"
    headers = signed(
        {"host": guarded.address},
        at=datetime.now(UTC).strftime("%Y%m%dT%H%M%SZ"),
        method="GET",
        path=path,
        query="MaxItems=1",
        body=b"",
        credentials=Credentials(INVOKER.access_key_id, INVOKER.secret_access_key),
        region="anywhere-1",
        service="lambda",
    )

    assert guarded.request("GET", f"{path}?MaxItems=1", headers=headers)[0] == 200
    assert guarded.request("GET", f"{path}?MaxItems=2", headers=headers)[0] == 403


def test_a_refusal_has_the_form_of_the_apis_own(guarded: Running) -> None:
    status, headers, body = guarded.request("GET", "/2015-03-31/functions/")

    assert (status, headers["x-amzn-errortype"]) == (403, "MissingAuthenticationTokenException")
    assert body == b'{"__type":"MissingAuthenticationTokenException","message":"Missing Authentication Token"}'


def test_health_is_for_everybody(guarded: Running) -> None:
    assert guarded.request("GET", "/health")[0] == 200


@pytest.mark.parametrize("authorization", ["", "Authorization: AWS4-HMAC-SHA256 Credential=nobody/20261124/x/lambda/aws4_request\r\n"])
@pytest.mark.parametrize("path", ["/2015-03-31/functions", "/runtime/pulled/2018-06-01/runtime/invocation/x/response"])
def test_a_stranger_is_refused_before_the_body_is_read(guarded: Running, path: str, authorization: str) -> None:
    host, port = guarded.address.rsplit(":", 1)
    with socket.create_connection((host, int(port)), timeout=10) as stranger:
        stranger.sendall(f"POST {path} HTTP/1.1\r\nHost: {guarded.address}\r\n{authorization}Content-Length: 130000000\r\n\r\n{{".encode())
        answer = stranger.recv(1000)

    assert answer.startswith(b"HTTP/1.1 403 ")


# -- who may


def test_an_invoker_starts_and_reads_and_does_nothing_else(by: Asks) -> None:
    client = by(INVOKER)
    arn = text_of(client.invoke(FunctionName="quick:$LATEST"), "DurableExecutionArn")

    assert status_of(client, arn) == "SUCCEEDED"
    assert events_of(client, arn)
    assert client.list_durable_executions_by_function(FunctionName="quick")["DurableExecutions"]
    for ask in (
        lambda: client.send_durable_execution_callback_success(CallbackId="eDp5Ono="),
        lambda: client.stop_durable_execution(DurableExecutionArn=arn),
        lambda: client.get_durable_execution_state(DurableExecutionArn=arn, CheckpointToken="eA=="),
        client.list_functions,
    ):
        assert refused(ask)[0] == "AccessDeniedException"


def test_a_refusal_names_the_key_the_operation_and_its_roles(by: Asks) -> None:
    assert refused(by(INVOKER).list_functions)[1] == (
        "User: invoker is not authorized to perform: lambda:ListFunctions, because its roles (invoker) don't allow it"
    )


def callback_of(client: Lambda, arn: str) -> str:
    """The id of the callback that the execution waits for."""
    until(lambda: len(events_of(client, arn)) >= 3, "the suspension")
    callback_id = events_of(client, arn)[1]["CallbackStartedDetails"]["CallbackId"]
    assert isinstance(callback_id, str)
    return callback_id


def has_succeeded(client: Lambda, arn: str) -> bool:
    return status_of(client, arn) == "SUCCEEDED"


def test_a_callback_key_answers_callbacks_whose_id_it_was_given_and_no_others(by: Asks) -> None:
    arns = [text_of(by(INVOKER).invoke(FunctionName="approval:$LATEST", InvocationType="Event"), "DurableExecutionArn") for _ in range(2)]
    ids = [callback_of(by(INVOKER), arn) for arn in arns]
    client = by(CALLBACK)
    owners, proofs = zip(*(b64decode(one).decode().rsplit(":", 1) for one in ids), strict=True)
    forged = [
        b64encode(f"{owners[0]}:{proofs[1]}".encode()).decode(),
        b64encode(f"{owners[0]}:{proofs[0][:-1]}{'0' if proofs[0][-1] != '0' else '1'}".encode()).decode(),
        b64encode(f"{owners[0]}:".encode()).decode(),
    ]

    for callback_id in forged:
        with pytest.raises(ClientError) as raised:
            client.send_durable_execution_callback_success(CallbackId=callback_id)
        assert refusal(raised).status == 400
    assert len(proofs[0]) == 32  # hexadecimal: 128 bits
    assert refused(lambda: client.invoke(FunctionName="quick:$LATEST"))[0] == "AccessDeniedException"
    assert refused(lambda: client.get_durable_execution(DurableExecutionArn=arns[0]))[0] == "AccessDeniedException"
    client.send_durable_execution_callback_heartbeat(CallbackId=ids[0])
    for callback_id in ids:
        client.send_durable_execution_callback_success(CallbackId=callback_id, Result=b"1")
    for arn in arns:
        until(partial(has_succeeded, by(INVOKER), arn), "the end")


def test_a_worker_key_cannot_invoke_or_read(by: Asks) -> None:
    for ask in (lambda: by(WORKER).invoke(FunctionName="quick:$LATEST"), by(WORKER).list_functions):
        assert refused(ask)[0] == "AccessDeniedException"
