"""Function management, as tools use it."""

from __future__ import annotations

import json
from uuid import uuid4

import pytest

from tests.server.running import Answer, ClientError, Lambda, Running, refusal, status_of, text_of, until

ROLE = "arn:aws:iam::123456789012:role/any"


def created(client: Lambda, **members: object) -> Answer:
    arguments: dict[str, object] = {
        "FunctionName": f"made-{uuid4().hex[:12]}",
        "Role": ROLE,
        "Code": {"ZipFile": b"code"},
        "Runtime": "python3.13",
        "Handler": "app.handler",
        **members,
    }
    return client.create_function(**arguments)


def test_a_function_is_created_and_read_back(client: Lambda) -> None:
    made = created(
        client,
        Timeout=30,
        Description="sends parcels",
        Environment={"Variables": {"A": "b"}},
        DurableConfig={"ExecutionTimeout": 600},
        Tags={"team": "blue"},
    )
    name = made["FunctionName"]

    found = client.get_function(FunctionName=name)
    configuration = client.get_function_configuration(FunctionName=name)

    assert found["Tags"] == {"team": "blue"}
    assert found["Configuration"]["DurableConfig"] == {"ExecutionTimeout": 600, "RetentionPeriodInDays": 14}
    assert made["FunctionArn"] == f"arn:aws:lambda:us-east-1:123456789012:function:{name}"
    for member in ("Timeout", "Description", "Environment", "Runtime", "Handler", "Role", "Version", "State", "RevisionId"):
        assert configuration[member] == made[member]
    assert (made["Version"], made["State"], made["CodeSize"], made["Timeout"]) == ("$LATEST", "Active", 4, 30)


@pytest.mark.parametrize("name", ["function_exists", "function_active_v2", "function_updated_v2"])
def test_waiters_are_satisfied_at_once(client: Lambda, name: str) -> None:
    waiter = client.get_waiter(name)

    waiter.wait(FunctionName="quick", WaiterConfig={"MaxAttempts": 1})


def test_a_declared_function_is_shown_as_any_other(client: Lambda) -> None:
    found = client.get_function_configuration(FunctionName="versioned", Qualifier="live")

    assert (found["Version"], found["DurableConfig"]) == ("1", {"ExecutionTimeout": 60, "RetentionPeriodInDays": 3})
    assert found["FunctionArn"] == "arn:aws:lambda:us-east-1:123456789012:function:versioned:1"


def test_a_name_is_taken_once(client: Lambda) -> None:
    with pytest.raises(ClientError) as error:
        created(client, FunctionName="quick")

    assert refusal(error) == ("ResourceConflictException", "Function already exist: quick", 409)


def test_durability_is_decided_at_creation_and_its_values_may_change(client: Lambda) -> None:
    durable = created(client, DurableConfig={"ExecutionTimeout": 600, "RetentionPeriodInDays": 5})["FunctionName"]
    plain = created(client)["FunctionName"]

    changed = client.update_function_configuration(FunctionName=durable, DurableConfig={"ExecutionTimeout": 60}, Timeout=9)

    assert changed["DurableConfig"] == {"ExecutionTimeout": 60, "RetentionPeriodInDays": 5}
    assert changed["Timeout"] == 9
    with pytest.raises(ClientError) as error:
        client.update_function_configuration(FunctionName=plain, DurableConfig={"ExecutionTimeout": 60})
    assert refusal(error).code == "InvalidParameterValueException"
    with pytest.raises(ClientError) as error:
        created(client, DurableConfig={})
    assert refusal(error).code == "InvalidParameterValueException"


def test_a_revision_has_to_be_the_latest(client: Lambda) -> None:
    made = created(client)
    client.update_function_code(FunctionName=made["FunctionName"], ZipFile=b"more", RevisionId=made["RevisionId"])

    with pytest.raises(ClientError) as error:
        client.update_function_code(FunctionName=made["FunctionName"], ZipFile=b"most", RevisionId=made["RevisionId"])

    assert refusal(error).code == "PreconditionFailedException"


def test_versions_are_published_and_listed(client: Lambda) -> None:
    name = created(client)["FunctionName"]

    first = client.publish_version(FunctionName=name, Description="the first")
    same = client.publish_version(FunctionName=name)
    client.update_function_code(FunctionName=name, ZipFile=b"more")
    second = client.publish_version(FunctionName=name)

    assert [first["Version"], same["Version"], second["Version"]] == ["1", "1", "2"]
    versions = client.list_versions_by_function(FunctionName=name)["Versions"]
    assert [version["Version"] for version in versions] == ["$LATEST", "1", "2"]
    client.delete_function(FunctionName=name, Qualifier="1")
    with pytest.raises(ClientError) as error:
        client.get_function(FunctionName=name, Qualifier="1")
    assert refusal(error).code == "ResourceNotFoundException"


def test_aliases_point_to_versions(client: Lambda) -> None:
    name = created(client, Publish=True)["FunctionName"]
    client.update_function_code(FunctionName=name, ZipFile=b"more", Publish=True)

    made = client.create_alias(FunctionName=name, Name="live", FunctionVersion="1", Description="what customers use")
    updated = client.update_alias(
        FunctionName=name, Name="live", FunctionVersion="2", RoutingConfig={"AdditionalVersionWeights": {"1": 0.1}}
    )

    assert made["AliasArn"] == f"arn:aws:lambda:us-east-1:123456789012:function:{name}:live"
    found = client.get_alias(FunctionName=name, Name="live")
    assert (found["FunctionVersion"], found["Description"]) == ("2", "what customers use")
    assert found["RoutingConfig"] == updated["RoutingConfig"] == {"AdditionalVersionWeights": {"1": 0.1}}
    aliases = client.list_aliases(FunctionName=name)["Aliases"]
    assert len(aliases) == 1
    with pytest.raises(ClientError) as error:
        client.delete_function(FunctionName=name, Qualifier="2")
    assert refusal(error).code == "ResourceConflictException"
    with pytest.raises(ClientError) as error:
        client.create_alias(FunctionName=name, Name="next", FunctionVersion="9")
    assert refusal(error).code == "ResourceNotFoundException"
    client.delete_alias(FunctionName=name, Name="live")
    with pytest.raises(ClientError) as error:
        client.get_alias(FunctionName=name, Name="live")
    assert refusal(error).code == "ResourceNotFoundException"


def test_functions_are_listed_by_pages(client: Lambda) -> None:
    pages = client.get_paginator("list_functions")

    names = [found["FunctionName"] for page in pages.paginate(PaginationConfig={"PageSize": 3}) for found in page["Functions"]]

    assert {"order", "quick", "plain", "versioned"} <= set(names)
    assert len(names) == len(set(names))


def test_tags_come_and_go(client: Lambda) -> None:
    arn = created(client)["FunctionArn"]

    client.tag_resource(Resource=arn, Tags={"a": "1", "b": "2"})
    client.untag_resource(Resource=arn, TagKeys=["a"])

    assert client.list_tags(Resource=arn)["Tags"] == {"b": "2"}


def test_a_deleted_functions_executions_fail_at_their_next_invocation(client: Lambda) -> None:
    name = created(client, DurableConfig={"ExecutionTimeout": 60})["FunctionName"]
    arn = text_of(client.invoke(FunctionName=name, Qualifier="$LATEST", InvocationType="Event"), "DurableExecutionArn")

    client.delete_function(FunctionName=name)

    with pytest.raises(ClientError) as error:
        client.get_function(FunctionName=name)
    assert refusal(error).code == "ResourceNotFoundException"
    until(lambda: status_of(client, arn) == "FAILED", "the failure")
    assert client.get_durable_execution(DurableExecutionArn=arn)["Error"]["ErrorType"] == "ResourceNotFoundException"


def test_destinations_are_not_for_durable_functions(client: Lambda) -> None:
    client.put_function_event_invoke_config(FunctionName="plain", MaximumRetryAttempts=1)

    assert client.get_function_event_invoke_config(FunctionName="plain")["MaximumRetryAttempts"] == 1
    with pytest.raises(ClientError) as error:
        client.put_function_event_invoke_config(FunctionName="quick", DestinationConfig={"OnSuccess": {"Destination": "arn:any"}})
    assert refusal(error).code == "InvalidParameterValueException"


def test_settings_that_tools_ask_for_are_there(client: Lambda) -> None:
    assert "AccountLimit" in client.get_account_settings()
    assert "ReservedConcurrentExecutions" not in client.get_function_concurrency(FunctionName="quick")


@pytest.mark.parametrize(
    ("body", "code"),
    [
        (b"{}", "ValidationException"),
        (b"{", "SerializationException"),
        (b'{"FunctionName": "x", "Role": "r", "Code": {"ZipFile": "%"}}', "SerializationException"),
        (b'{"FunctionName": "x", "Role": "r", "Code": {}, "Timeout": 0}', "ValidationException"),
        (b'{"FunctionName": "x", "Role": "r", "Code": {}, "DurableConfig": {"ExecutionTimeout": 31622401}}', "ValidationException"),
        (b'{"FunctionName": "x y", "Role": "r", "Code": {}}', "ValidationException"),
        (b'{"FunctionName": "x:1", "Role": "r", "Code": {}}', "InvalidParameterValueException"),
    ],
)
def test_a_function_that_makes_no_sense_is_refused(server: Running, body: bytes, code: str) -> None:
    status, headers, answer = server.request("POST", "/2015-03-31/functions/", body)

    assert (status, headers["x-amzn-errortype"]) == (400, code)
    assert json.loads(answer)["__type"] == code
