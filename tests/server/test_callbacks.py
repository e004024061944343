from __future__ import annotations

import json
from base64 import b64encode

import pytest

from tests.server.running import Lambda, Running, events_of, refusal, status_of, text_of, until


def waiting(client: Lambda) -> tuple[str, str]:
    """An execution that waits for a callback, and the callback's id."""
    arn = text_of(client.invoke(FunctionName="approval:$LATEST", InvocationType="Event"), "DurableExecutionArn")
    until(lambda: len(events_of(client, arn)) >= 3, "the suspension")
    details = events_of(client, arn)[1]["CallbackStartedDetails"]
    assert (details["Timeout"], details["HeartbeatTimeout"]) == (60, 30)
    return arn, details["CallbackId"]


def test_a_callback_succeeds_with_the_bytes_that_were_sent(client: Lambda) -> None:
    arn, callback_id = waiting(client)

    client.send_durable_execution_callback_success(CallbackId=callback_id, Result=b'{"yes":  true}')

    until(lambda: status_of(client, arn) == "SUCCEEDED", "the end")
    assert json.loads(text_of(client.get_durable_execution(DurableExecutionArn=arn), "Result")) == '{"yes":  true}'
    details = events_of(client, arn)[3]["CallbackSucceededDetails"]
    assert details == {"Result": {"Payload": '{"yes":  true}', "Truncated": False}}


def test_a_callback_succeeds_with_nothing(client: Lambda) -> None:
    arn, callback_id = waiting(client)

    client.send_durable_execution_callback_success(CallbackId=callback_id)

    until(lambda: status_of(client, arn) == "SUCCEEDED", "the end")
    assert events_of(client, arn)[3]["CallbackSucceededDetails"] == {"Result": {"Truncated": False}}


def test_a_callback_fails_with_the_error_that_was_sent(client: Lambda) -> None:
    arn, callback_id = waiting(client)
    error = {"ErrorType": "Rejected", "ErrorMessage": "too dear", "ErrorData": "5", "StackTrace": ["here"]}

    client.send_durable_execution_callback_failure(CallbackId=callback_id, Error=error)

    until(lambda: status_of(client, arn) == "FAILED", "the end")
    assert events_of(client, arn)[3]["CallbackFailedDetails"] == {"Error": {"Payload": error, "Truncated": False}}


def test_a_failure_need_not_say_anything(client: Lambda) -> None:
    arn, callback_id = waiting(client)

    client.send_durable_execution_callback_failure(CallbackId=callback_id)

    until(lambda: status_of(client, arn) == "FAILED", "the end")


def test_an_error_may_come_wrapped(server: Running) -> None:
    arn, callback_id = waiting(server.client)

    status, _, _ = server.request(
        "POST", f"/2025-12-01/durable-execution-callbacks/{callback_id}/fail", b'{"Error": {"ErrorType": "Rejected"}}'
    )

    assert status == 200
    details = events_of(server.client, arn)[3]["CallbackFailedDetails"]
    assert details == {"Error": {"Payload": {"ErrorType": "Rejected"}, "Truncated": False}}


def test_a_heartbeat_leaves_no_event(client: Lambda) -> None:
    arn, callback_id = waiting(client)

    client.send_durable_execution_callback_heartbeat(CallbackId=callback_id)

    assert len(events_of(client, arn)) == 3
    client.stop_durable_execution(DurableExecutionArn=arn)


def test_a_callback_is_over_once_it_is_completed_or_its_execution_has_ended(client: Lambda) -> None:
    _, completed = waiting(client)
    client.send_durable_execution_callback_success(CallbackId=completed)
    arn, stopped = waiting(client)
    client.stop_durable_execution(DurableExecutionArn=arn)
    unknown = b64encode(b"no-such-execution:operation:proof").decode()

    for callback_id in (completed, stopped, unknown):
        for operation in ("success", "failure", "heartbeat"):
            with pytest.raises(client.exceptions.CallbackTimeoutException) as error:
                getattr(client, f"send_durable_execution_callback_{operation}")(CallbackId=callback_id)
            message = "The callback is either timed out or already completed"
            assert refusal(error) == ("CallbackTimeoutException", message, 400)


@pytest.mark.parametrize("callback_id", ["nonsense!", "QQ==", "%C3%A9", "a/b"])
def test_an_id_that_is_none_is_refused(server: Running, callback_id: str) -> None:
    status, headers, body = server.request("POST", f"/2025-12-01/durable-execution-callbacks/{callback_id}/succeed", b"1")

    assert (status, headers["x-amzn-errortype"]) == (400, "InvalidParameterValueException")
    assert json.loads(body)["message"] == "Invalid callback id"


@pytest.mark.parametrize(
    ("operation", "body", "code"),
    [
        ("succeed", b"\xff", "InvalidParameterValueException"),
        ("succeed", b"x" * 1_048_577, "ValidationException"),
        ("fail", b"[]", "SerializationException"),
        ("fail", b"{", "SerializationException"),
        ("fail", b'{"ErrorType": 5}', "SerializationException"),
        ("fail", json.dumps({"ErrorMessage": "x" * 1_048_577}).encode(), "InvalidParameterValueException"),
    ],
)
def test_what_a_callback_cannot_hold_is_refused(server: Running, operation: str, body: bytes, code: str) -> None:
    arn, callback_id = waiting(server.client)

    status, headers, _ = server.request("POST", f"/2025-12-01/durable-execution-callbacks/{callback_id}/{operation}", body)

    assert (status, headers["x-amzn-errortype"]) == (400, code)
    server.client.stop_durable_execution(DurableExecutionArn=arn)
