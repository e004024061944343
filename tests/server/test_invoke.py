from __future__ import annotations

import json
from uuid import uuid4

import pytest

from everstep.server.requests import EXECUTION_ARN
from tests.server.running import (
    HERE,
    ClientError,
    Lambda,
    Running,
    declared,
    events_of,
    payload_of,
    refusal,
    running,
    status_of,
    text_of,
    until,
)


def test_a_synchronous_invoke_answers_with_the_result_itself(client: Lambda) -> None:
    answer = client.invoke(FunctionName="order", Qualifier="$LATEST", Payload=b'{"amount": 2}')

    assert payload_of(answer) == {"total": 8}
    assert answer["StatusCode"] == 200
    assert answer["ExecutedVersion"] == "$LATEST"
    assert "FunctionError" not in answer
    assert EXECUTION_ARN.fullmatch(text_of(answer, "DurableExecutionArn"))


def test_a_failed_execution_is_a_function_error_with_the_error_as_lambda_writes_it(client: Lambda) -> None:
    answer = client.invoke(FunctionName="failing:$LATEST")

    assert answer["FunctionError"] == "Unhandled"
    error = payload_of(answer)
    assert error["errorMessage"] == "out of stock"
    assert error["errorType"].endswith("ValueError")
    assert "DurableExecutionArn" in answer


def test_an_event_is_accepted_before_the_execution_ends(client: Lambda) -> None:
    answer = client.invoke(FunctionName="quick", Qualifier="$LATEST", InvocationType="Event", Payload=b'"hi"')
    arn = text_of(answer, "DurableExecutionArn")

    assert answer["StatusCode"] == 202
    until(lambda: status_of(client, arn) == "SUCCEEDED", "the end")
    assert client.get_durable_execution(DurableExecutionArn=arn)["Result"] == '"hi"'


def test_a_dry_run_starts_nothing(client: Lambda) -> None:
    answer = client.invoke(FunctionName="sleeper", Qualifier="$LATEST", InvocationType="DryRun", DurableExecutionName="dry")

    assert answer["StatusCode"] == 204
    assert client.list_durable_executions_by_function(FunctionName="sleeper", DurableExecutionName="dry")["DurableExecutions"] == []


@pytest.mark.parametrize("kind", ["RequestResponse", "Event", "DryRun"])
def test_a_durable_function_has_to_be_qualified(client: Lambda, kind: str) -> None:
    with pytest.raises(ClientError) as error:
        client.invoke(FunctionName="quick", InvocationType=kind)

    message = "You cannot invoke a durable function using an unqualified ARN."
    assert refusal(error) == ("InvalidParameterValueException", message, 400)


def test_a_server_may_take_unqualified_names_for_the_latest() -> None:
    with running([declared("quick", handler=f"{HERE}:quick")], allow_unqualified=True) as server:
        answer = server.client.invoke(FunctionName="quick", Payload=b"1")

    assert payload_of(answer) == 1


@pytest.mark.parametrize(
    "name",
    [
        "quick:$LATEST",
        "123456789012:function:quick:$LATEST",
        "arn:aws:lambda:us-east-1:123456789012:function:quick:$LATEST",
    ],
)
def test_a_function_goes_by_name_and_by_arn(client: Lambda, name: str) -> None:
    assert payload_of(client.invoke(FunctionName=name, Payload=b"3")) == 3


def test_two_qualifiers_have_to_agree(client: Lambda) -> None:
    client.invoke(FunctionName="versioned:1", Qualifier="1")
    with pytest.raises(ClientError) as error:
        client.invoke(FunctionName="versioned:1", Qualifier="2")

    assert refusal(error)[0] == "InvalidParameterValueException"


def test_an_alias_is_resolved_once_and_runs_its_versions_code(client: Lambda) -> None:
    live = client.invoke(FunctionName="versioned", Qualifier="live", Payload=b"1")
    following = client.invoke(FunctionName="versioned", Qualifier="next", Payload=b"1")

    assert (live["ExecutedVersion"], payload_of(live)) == ("1", 1)
    assert (following["ExecutedVersion"], following["FunctionError"]) == ("2", "Unhandled")
    assert ":versioned:1/durable-execution/" in text_of(live, "DurableExecutionArn")


@pytest.mark.parametrize("name", ["nobody:$LATEST", "nobody", "quick:9", "quick:nobody", "123456789013:function:quick:$LATEST"])
def test_what_is_unknown_is_not_found(client: Lambda, name: str) -> None:
    with pytest.raises(ClientError) as error:
        client.invoke(FunctionName=name)

    code, message, status = refusal(error)
    assert (code, status) == ("ResourceNotFoundException", 404)
    assert str(message).startswith("Function not found: arn:aws:lambda:us-east-1:123456789012:function:")


def test_an_execution_that_may_take_longer_than_a_call_is_not_invoked_synchronously(client: Lambda) -> None:
    with pytest.raises(ClientError) as error:
        client.invoke(FunctionName="long", Qualifier="$LATEST")

    assert "executionTimeout greater than 15 minutes" in str(refusal(error)[1])


def test_an_execution_that_times_out_says_so(client: Lambda) -> None:
    answer = client.invoke(FunctionName="brief", Qualifier="$LATEST")

    assert answer["FunctionError"] == "Unhandled"
    assert payload_of(answer) == {"errorMessage": "Execution timed out after 1 seconds."}


# -- names


def start(client: Lambda, name: str, payload: bytes, function: str = "sleeper:$LATEST") -> str:
    return text_of(
        client.invoke(FunctionName=function, InvocationType="Event", DurableExecutionName=name, Payload=payload), "DurableExecutionArn"
    )


def test_a_name_makes_the_start_idempotent_while_the_execution_is_open(client: Lambda) -> None:
    name = uuid4().hex
    arn = start(client, name, b'{"a": 1}')

    assert start(client, name, b'{"a": 1}') == arn
    with pytest.raises(ClientError) as error:
        start(client, name, b'{"a":1}')
    assert refusal(error) == ("DurableExecutionAlreadyStartedException", f"Execution already started: {arn}", 409)
    client.stop_durable_execution(DurableExecutionArn=arn)


def test_a_name_makes_the_start_idempotent_after_the_execution_has_ended(client: Lambda) -> None:
    name = uuid4().hex
    first = client.invoke(FunctionName="quick:$LATEST", DurableExecutionName=name, Payload=b"5")

    again = client.invoke(FunctionName="quick:$LATEST", DurableExecutionName=name, Payload=b"5")

    assert again["DurableExecutionArn"] == first["DurableExecutionArn"]
    assert payload_of(again) == 5
    assert [event["EventType"] for event in events_of(client, text_of(first, "DurableExecutionArn"))].count("ExecutionStarted") == 1
    with pytest.raises(ClientError) as error:
        client.invoke(FunctionName="quick:$LATEST", DurableExecutionName=name, Payload=b"6")
    assert refusal(error)[0] == "DurableExecutionAlreadyStartedException"


def test_a_name_belongs_to_a_function_and_to_the_version_it_was_started_with(client: Lambda) -> None:
    name = uuid4().hex
    client.invoke(FunctionName="versioned:1", DurableExecutionName=name, Payload=b"1")

    client.invoke(FunctionName="quick:$LATEST", DurableExecutionName=name, Payload=b"1")
    with pytest.raises(ClientError) as error:
        client.invoke(FunctionName="versioned:$LATEST", DurableExecutionName=name, Payload=b"1")

    assert refusal(error)[0] == "DurableExecutionAlreadyStartedException"


def test_a_name_is_free_again_when_its_execution_is_deleted(client: Lambda) -> None:
    name = uuid4().hex
    arn = start(client, name, b"1", "quick:$LATEST")
    until(lambda: status_of(client, arn) == "SUCCEEDED", "the end")
    client.delete_durable_execution(DurableExecutionArn=arn)

    def is_gone() -> bool:
        try:
            client.get_durable_execution(DurableExecutionArn=arn)
        except ClientError as error:
            return "ResourceNotFoundException" in str(error)
        return False

    until(is_gone, "the deletion")
    assert start(client, name, b"2", "quick:$LATEST") != arn


# -- payloads


def test_the_input_is_recorded_byte_by_byte(client: Lambda) -> None:
    arn = start(client, uuid4().hex, b'{"a":  "\\u00e9"}', "quick:$LATEST")

    assert client.get_durable_execution(DurableExecutionArn=arn)["InputPayload"] == '{"a":  "\\u00e9"}'


def test_without_a_payload_there_is_no_input(client: Lambda) -> None:
    answer = client.invoke(FunctionName="quick:$LATEST")

    description = client.get_durable_execution(DurableExecutionArn=answer["DurableExecutionArn"])
    assert "InputPayload" not in description
    assert payload_of(answer) == {}


@pytest.mark.parametrize("payload", [b"{", b"not json", b'{"a": 1} 2', b"\xff"])
def test_a_payload_that_is_no_json_is_refused(client: Lambda, payload: bytes) -> None:
    with pytest.raises(ClientError) as error:
        client.invoke(FunctionName="quick:$LATEST", Payload=payload)

    code, message, status = refusal(error)
    assert (code, status) == ("InvalidRequestContentException", 400)
    assert str(message).startswith("Could not parse request body into json")


@pytest.mark.parametrize(("kind", "limit"), [("RequestResponse", 6_291_456), ("Event", 1_048_576)])
def test_a_payload_that_is_too_large_is_refused(client: Lambda, kind: str, limit: int) -> None:
    payload = json.dumps("x" * limit).encode()

    with pytest.raises(ClientError) as error:
        client.invoke(FunctionName="quick:$LATEST", InvocationType=kind, Payload=payload)

    message = f"Request must be smaller than {limit} bytes for the InvokeFunction operation"
    assert refusal(error) == ("RequestTooLargeException", message, 413)


def test_several_violations_are_told_together(server: Running) -> None:
    headers = {"X-Amz-Invocation-Type": "Later", "X-Amz-Log-Type": "All"}

    status, answered, body = server.request("POST", "/2015-03-31/functions/quick/invocations", b"", headers)

    assert (status, answered["x-amzn-errortype"]) == (400, "ValidationException")
    message = json.loads(body)["message"]
    assert message.startswith("2 validation errors detected: Value 'Later' at 'invocationType' failed to satisfy constraint: ")


@pytest.mark.parametrize("name", ["a b", "x" * 65, "é"])
def test_an_execution_cannot_be_called_anything(server: Running, name: str) -> None:
    headers = {"X-Amz-Durable-Execution-Name": name.encode().decode("latin-1")}

    status, answered, body = server.request("POST", "/2015-03-31/functions/quick:$LATEST/invocations", b"", headers)

    assert (status, answered["x-amzn-errortype"]) == (400, "ValidationException")
    assert "durableExecutionName" in json.loads(body)["message"]


# -- plain functions


def test_a_plain_function_answers_with_what_it_returns(client: Lambda) -> None:
    answer = client.invoke(FunctionName="plain", Payload=b"[1]")

    body = payload_of(answer)
    assert (body["event"], body["name"]) == ([1], "plain")
    assert answer["ExecutedVersion"] == "$LATEST"
    assert "DurableExecutionArn" not in answer


def test_a_plain_function_reads_and_writes_what_its_annotations_say(client: Lambda) -> None:
    assert payload_of(client.invoke(FunctionName="plain_typed", Payload=b'{"weight": 2}')) == {"weight": 4}


def test_a_plain_functions_exception_is_a_function_error(client: Lambda) -> None:
    answer = client.invoke(FunctionName="plain_failing")

    assert answer["FunctionError"] == "Unhandled"
    error = payload_of(answer)
    assert (error["errorType"], error["errorMessage"]) == ("LookupError", "no such thing")


def test_a_plain_function_can_be_invoked_as_an_event(client: Lambda) -> None:
    answer = client.invoke(FunctionName="plain_async", InvocationType="Event", Payload=b"1")

    assert answer["StatusCode"] == 202


def test_the_deprecated_operation_for_events_takes_plain_functions(client: Lambda) -> None:
    assert client.invoke_async(FunctionName="plain_async", InvokeArgs=b'"a"')["Status"] == 202
    with pytest.raises(client.exceptions.InvalidParameterValueException):
        client.invoke_async(FunctionName="quick", InvokeArgs=b"{}")


def test_responses_are_not_streamed(client: Lambda) -> None:
    for name in ("plain", "quick"):
        with pytest.raises(ClientError, match="does not stream responses"):
            client.invoke_with_response_stream(FunctionName=name, Qualifier="$LATEST")


def test_handlers_invoke_durable_and_plain_functions_and_hear_why_they_cannot(client: Lambda) -> None:
    results = payload_of(client.invoke(FunctionName="caller:$LATEST", Payload=b'"x"'))

    assert results[0] == "x"
    assert results[1]["event"] == "x"
    assert "Function not found: arn:aws:lambda:us-east-1:123456789012:function:nobody:$LATEST" in results[2]
    assert "unqualified ARN" in results[3]


def test_tenants_are_named_where_a_function_isolates_them_and_nowhere_else(client: Lambda) -> None:
    answer = client.invoke(FunctionName="tenants:$LATEST", TenantId="blue", Payload=b"1")

    assert payload_of(answer) == 1
    for function, tenant in (("tenants:$LATEST", {}), ("quick:$LATEST", {"TenantId": "blue"})):
        with pytest.raises(ClientError) as error:
            client.invoke(FunctionName=function, Payload=b"1", **tenant)
        assert refusal(error)[0] == "InvalidParameterValueException"


@pytest.mark.parametrize("path", ["/2015-03-31/functions/plain/invocations", "/runtime/pulled/2018-06-01/runtime/init/error"])
def test_a_web_page_from_elsewhere_cannot_use_the_browser_to_call_a_server_without_credentials(server: Running, path: str) -> None:
    status, headers, _ = server.request("POST", path, b"{}", {"Origin": "https://example.com", "Content-Type": "text/plain"})

    assert (status, headers["x-amzn-errortype"]) == (403, "AccessDeniedException")
    assert server.request("POST", path, b"{}", {"Origin": "http://localhost:3000"})[0] < 300
