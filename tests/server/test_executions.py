from __future__ import annotations

import json
from datetime import UTC, datetime, timedelta
from uuid import uuid4

import pytest

from tests.server.running import ClientError, Lambda, Running, events_of, payload_of, refusal, status_of, text_of, until

UNKNOWN = "arn:aws:lambda:us-east-1:123456789012:function:quick:$LATEST/durable-execution/no/no"


def started(client: Lambda, function: str = "sleeper", payload: bytes = b'{"a": 1}', **more: object) -> str:
    answer = client.invoke(FunctionName=function, Qualifier="$LATEST", InvocationType="Event", Payload=payload, **more)
    return text_of(answer, "DurableExecutionArn")


def ended(client: Lambda, function: str = "quick", payload: bytes = b'{"a": 1}') -> str:
    return text_of(client.invoke(FunctionName=function, Qualifier="$LATEST", Payload=payload), "DurableExecutionArn")


def asleep(client: Lambda, arn: str) -> None:
    until(lambda: any(event["EventType"] == "InvocationCompleted" for event in events_of(client, arn)), "the suspension")


def test_an_execution_is_described_while_it_is_open(client: Lambda) -> None:
    arn = started(client, DurableExecutionName=(name := uuid4().hex))

    found = client.get_durable_execution(DurableExecutionArn=arn)

    assert (found["DurableExecutionArn"], found["DurableExecutionName"], found["Status"]) == (arn, name, "RUNNING")
    assert found["FunctionArn"] == "arn:aws:lambda:us-east-1:123456789012:function:sleeper:$LATEST"
    assert (found["Version"], found["InputPayload"]) == ("$LATEST", '{"a": 1}')
    assert found["DurableConfig"] == {"ExecutionTimeout": 900, "RetentionPeriodInDays": 14}
    assert isinstance(found["StartTimestamp"], datetime)
    assert found["ExpectedExecutionTimeoutTimestamp"] == found["StartTimestamp"] + timedelta(seconds=900)
    assert "EndTimestamp" not in found


def test_an_execution_is_described_after_its_end_with_data_or_without(client: Lambda) -> None:
    arn = ended(client)

    found = client.get_durable_execution(DurableExecutionArn=arn)
    bare = client.get_durable_execution(DurableExecutionArn=arn, IncludeExecutionData=False)

    assert (found["Status"], found["Result"], found["ExecutionDataIncluded"]) == ("SUCCEEDED", '{"a":1}', True)
    assert isinstance(found["EndTimestamp"], datetime)
    assert bare["ExecutionDataIncluded"] is False
    assert not {"Result", "InputPayload", "Error"} & bare.keys()


def test_a_failed_execution_shows_its_error(client: Lambda) -> None:
    error = client.get_durable_execution(DurableExecutionArn=ended(client, "failing"))["Error"]

    assert error["ErrorMessage"] == "out of stock"


def test_timestamps_in_bodies_are_numbers_of_seconds(server: Running) -> None:
    arn = ended(server.client)

    _, headers, body = server.request("GET", f"/2025-12-01/durable-executions/{arn}")

    assert headers["content-type"] == "application/json"
    assert isinstance(json.loads(body)["StartTimestamp"], float)


def test_what_does_not_exist_is_not_found(client: Lambda) -> None:
    for operation in ("get_durable_execution", "get_durable_execution_history", "stop_durable_execution"):
        with pytest.raises(ClientError) as error:
            getattr(client, operation)(DurableExecutionArn=UNKNOWN)
        assert refusal(error).code == "ResourceNotFoundException"
        assert refusal(error).message == "Durable Execution does not exist"


def test_typed_exceptions_are_raised(client: Lambda) -> None:
    with pytest.raises(client.exceptions.ResourceNotFoundException):
        client.delete_durable_execution(DurableExecutionArn=UNKNOWN)


# -- history


def test_the_history_is_told_in_order_and_by_pages(client: Lambda) -> None:
    arn = ended(client, "order", b'{"amount": 1}')

    whole = events_of(client, arn)
    pages = client.get_paginator("get_durable_execution_history")
    paged = [event for page in pages.paginate(DurableExecutionArn=arn, PaginationConfig={"PageSize": 2}) for event in page["Events"]]
    backwards = client.get_durable_execution_history(DurableExecutionArn=arn, ReverseOrder=True)["Events"]

    assert [event["EventId"] for event in whole] == list(range(1, len(whole) + 1))
    assert paged == whole
    assert backwards[::-1] == whole
    assert [event["EventType"] for event in whole] == [
        "ExecutionStarted",
        "StepStarted",
        "StepSucceeded",
        "WaitStarted",
        "InvocationCompleted",
        "WaitSucceeded",
        "StepStarted",
        "StepSucceeded",
        "InvocationCompleted",
        "ExecutionSucceeded",
    ]


def test_the_history_tells_payloads_only_where_they_are_wanted(client: Lambda) -> None:
    arn = ended(client)

    data = client.get_durable_execution_history(DurableExecutionArn=arn, IncludeExecutionData=True)["Events"]
    bare = client.get_durable_execution_history(DurableExecutionArn=arn, IncludeExecutionData=False)["Events"]

    assert data[0]["ExecutionStartedDetails"]["Input"] == {"Payload": '{"a": 1}', "Truncated": False}
    assert bare[0]["ExecutionStartedDetails"]["Input"] == {"Truncated": True}


def test_a_marker_is_good_for_its_listing_alone(client: Lambda) -> None:
    one, other = ended(client), ended(client)
    marker = client.get_durable_execution_history(DurableExecutionArn=one, MaxItems=1)["NextMarker"]

    for wrong in ({"DurableExecutionArn": other}, {"DurableExecutionArn": one, "ReverseOrder": True}):
        with pytest.raises(ClientError) as error:
            client.get_durable_execution_history(Marker=marker, **wrong)
        assert refusal(error)[:2] == ("InvalidParameterValueException", "Invalid Marker")


# -- listing


def test_executions_are_listed_newest_first_and_by_pages(client: Lambda) -> None:
    arns = [text_of(client.invoke(FunctionName="versioned", Qualifier="live", Payload=b"1"), "DurableExecutionArn") for _ in range(5)]

    pages = client.get_paginator("list_durable_executions_by_function")
    found = [
        execution["DurableExecutionArn"]
        for page in pages.paginate(FunctionName="versioned", Qualifier="1", PaginationConfig={"PageSize": 2})
        for execution in page["DurableExecutions"]
    ]
    oldest = client.list_durable_executions_by_function(FunctionName="versioned", Qualifier="live", ReverseOrder=True)["DurableExecutions"]

    assert found[:5] == arns[::-1]
    assert [execution["DurableExecutionArn"] for execution in oldest][-5:] == arns


def test_listings_are_filtered(client: Lambda) -> None:
    name, before = uuid4().hex, datetime.now(UTC)
    client.invoke(FunctionName="quick:$LATEST", DurableExecutionName=name)

    def count(**filters: object) -> int:
        found = client.list_durable_executions_by_function(FunctionName="quick", DurableExecutionName=name, **filters)["DurableExecutions"]
        return len(found)

    assert count() == 1
    assert count(Statuses=["SUCCEEDED"]) == 1
    assert count(Statuses=["FAILED"]) == 0
    assert count(Statuses=["FAILED", "SUCCEEDED"]) == 1
    assert count(StartedAfter=before - timedelta(minutes=1), StartedBefore=before + timedelta(minutes=1)) == 1
    assert count(StartedBefore=before - timedelta(minutes=1)) == 0
    assert count(Qualifier="$LATEST") == 1


def test_a_plain_function_has_no_executions_and_an_unknown_one_is_not_found(client: Lambda) -> None:
    assert client.list_durable_executions_by_function(FunctionName="plain")["DurableExecutions"] == []
    with pytest.raises(ClientError) as error:
        client.list_durable_executions_by_function(FunctionName="nobody")
    assert refusal(error).code == "ResourceNotFoundException"


@pytest.mark.parametrize(
    ("query", "code"),
    [
        ("MaxItems=-1", "ValidationException"),
        ("MaxItems=1001", "ValidationException"),
        ("MaxItems=many", "SerializationException"),
        ("Statuses=LOST", "ValidationException"),
        ("&".join(["Statuses=RUNNING"] * 11), "ValidationException"),
        ("StartedAfter=yesterday", "SerializationException"),
        ("ReverseOrder=maybe", "SerializationException"),
        ("DurableExecutionName=a.b", "ValidationException"),
        ("Marker=AAAA", "InvalidParameterValueException"),
        ("Marker=%00", "InvalidParameterValueException"),
    ],
)
def test_a_query_that_makes_no_sense_is_refused(server: Running, query: str, code: str) -> None:
    status, headers, _ = server.request("GET", f"/2025-12-01/functions/quick/durable-executions?{query}")

    assert (status, headers["x-amzn-errortype"]) == (400, code)


@pytest.mark.parametrize("query", ["StartedAfter=2026-01-01T00:00:00Z", "StartedAfter=1764802744.864", "MaxItems=0", "MaxItems=1000"])
def test_a_query_may_be_written_in_several_ways(server: Running, query: str) -> None:
    assert server.request("GET", f"/2025-12-01/functions/quick/durable-executions?{query}")[0] == 200


# -- changes


def test_an_execution_is_stopped_once(client: Lambda) -> None:
    arn = started(client)
    error = {"ErrorType": "Cancelled", "ErrorMessage": "no longer wanted"}

    first = client.stop_durable_execution(DurableExecutionArn=arn, Error=error)["StopTimestamp"]
    again = client.stop_durable_execution(DurableExecutionArn=arn)["StopTimestamp"]

    found = client.get_durable_execution(DurableExecutionArn=arn)
    assert (found["Status"], found["Error"], found["EndTimestamp"]) == ("STOPPED", error, first)
    assert again == first


def test_a_caller_that_waits_hears_of_the_stop(server: Running) -> None:
    name = uuid4().hex
    arn = started(server.client, DurableExecutionName=name)
    server.client.stop_durable_execution(DurableExecutionArn=arn, Error={"ErrorMessage": "stopped"})

    answer = server.client.invoke(FunctionName="sleeper:$LATEST", DurableExecutionName=name, Payload=b'{"a": 1}')

    assert (answer["FunctionError"], payload_of(answer)) == ("Unhandled", {"errorMessage": "stopped"})


def test_an_execution_is_paused_and_resumed(client: Lambda) -> None:
    arn = started(client)
    asleep(client, arn)

    client.pause_durable_execution(DurableExecutionArn=arn, Reason="the warehouse is closed")
    found = client.get_durable_execution(DurableExecutionArn=arn)

    assert found["Status"] == "PAUSED"
    details = found["PauseDetails"]
    assert (details["Reason"], details["ExecutionTimeoutPaused"]) == ("the warehouse is closed", True)
    with pytest.raises(ClientError) as error:
        client.pause_durable_execution(DurableExecutionArn=arn)
    assert refusal(error).code == "ResourceConflictException"

    client.resume_durable_execution(DurableExecutionArn=arn)
    assert status_of(client, arn) == "RUNNING"
    with pytest.raises(ClientError) as error:
        client.resume_durable_execution(DurableExecutionArn=arn)
    assert refusal(error).code == "ResourceConflictException"
    assert [event["EventType"] for event in events_of(client, arn)][-2:] == ["ExecutionPaused", "ExecutionResumed"]
    client.stop_durable_execution(DurableExecutionArn=arn)


def test_a_repeated_pause_changes_nothing(client: Lambda) -> None:
    arn = started(client)
    asleep(client, arn)

    client.pause_durable_execution(DurableExecutionArn=arn, ClientToken="once")
    answer = client.pause_durable_execution(DurableExecutionArn=arn, ClientToken="once")

    metadata = answer["ResponseMetadata"]
    assert metadata["HTTPStatusCode"] == 202
    client.stop_durable_execution(DurableExecutionArn=arn)


def test_only_an_execution_that_has_ended_is_deleted(client: Lambda) -> None:
    arn = started(client)
    with pytest.raises(ClientError) as error:
        client.delete_durable_execution(DurableExecutionArn=arn)
    assert refusal(error).code == "ResourceConflictException"

    client.stop_durable_execution(DurableExecutionArn=arn)
    answer = client.delete_durable_execution(DurableExecutionArn=arn)

    assert isinstance(answer["DeletionRequestTimestamp"], datetime)
    until(lambda: not _exists(client, arn), "the deletion")


def _exists(client: Lambda, arn: str) -> bool:
    try:
        client.get_durable_execution(DurableExecutionArn=arn)
    except ClientError:
        return False
    return True
