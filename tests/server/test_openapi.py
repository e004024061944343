"""/openapi.json says what the server takes and answers."""

from __future__ import annotations

import json
import re
from collections.abc import Mapping
from typing import Any, Final

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st
from openapi_schema_validator import OAS31Validator
from openapi_spec_validator import OpenAPIV31SpecValidator

from everstep.protocol.shapes import OperationUpdate
from everstep.server.app import HANDLERS
from everstep.server.described import OPERATIONS
from everstep.server.openapi import document
from everstep.server.routing import OPERATIONS as ROUTES
from everstep.service.machine.rejection import Rejected
from everstep.service.machine.validation import check_checkpoint
from tests.server.running import Running, events_of, text_of, until

DESCRIPTION: Final[dict[str, Any]] = json.loads(document())
ARN: Final = "arn:aws:lambda:us-east-1:123456789012:function:order:$LATEST/durable-execution/o-1/1f0"


def problems(schema: object, value: object) -> list[str]:
    """What a validator that knows the whole description says about the value."""
    validator = OAS31Validator({"allOf": [schema], "components": DESCRIPTION["components"]})
    return [error.message for error in validator.iter_errors(value)]


def test_the_description_is_served_and_valid(server: Running) -> None:
    status, headers, body = server.request("GET", "/openapi.json")

    assert (status, headers["content-type"]) == (200, "application/json")
    assert json.loads(body) == DESCRIPTION
    OpenAPIV31SpecValidator(DESCRIPTION).validate()


def test_everything_that_is_routed_is_described_and_nothing_else() -> None:
    described = {
        (method.upper(), path): operation["operationId"]
        for path, methods in DESCRIPTION["paths"].items()
        for method, operation in methods.items()
        if path not in ("/health", "/ready", "/metrics", "/openapi.json")
    }

    assert described == ROUTES
    assert OPERATIONS.keys() == HANDLERS.keys() == set(ROUTES.values())


def test_what_operations_answer_is_what_is_described(server: Running) -> None:
    """Each operation of a life in one server, by boto3's names; its answer is checked against the schema of its status."""
    function = {"FunctionName": "described", "Role": "arn:aws:iam::123456789012:role/r", "Code": {"ZipFile": "QQ=="}}
    durable = {"DurableConfig": {"ExecutionTimeout": 60}, "Description": "x", "Handler": "h", "TenancyConfig": {}}
    call = Calls(server)

    call("CreateFunction", body={**function, **durable, "Tags": {"a": "b"}})
    call("GetFunction", FunctionName="described")
    call("GetFunctionConfiguration", FunctionName="described:$LATEST")
    call("UpdateFunctionConfiguration", FunctionName="described", body={"Timeout": 9})
    call("UpdateFunctionCode", FunctionName="described", body={"ZipFile": "QUI=", "Publish": True})
    call("PublishVersion", FunctionName="described", body={"Description": "one"})
    call("ListVersionsByFunction", FunctionName="described", query="?MaxItems=1")
    call("ListFunctions", query="?FunctionVersion=ALL&MaxItems=2")
    call("CreateAlias", FunctionName="described", body={"Name": "live", "FunctionVersion": "1"})
    call("GetAlias", FunctionName="described", Name="live")
    call("UpdateAlias", FunctionName="described", Name="live", body={"RoutingConfig": {"AdditionalVersionWeights": {"$LATEST": 0.5}}})
    call("ListAliases", FunctionName="described")
    call("TagResource", Resource="described", body={"Tags": {"c": "d"}})
    call("ListTags", Resource="described")
    call("UntagResource", Resource="described", query="?tagKeys=a&tagKeys=c")
    call("PutFunctionEventInvokeConfig", FunctionName="described", body={"MaximumRetryAttempts": 1})
    call("GetFunctionEventInvokeConfig", FunctionName="described")
    call("GetFunctionConcurrency", FunctionName="described")
    call("GetAccountSettings")
    call("Invoke", FunctionName="quick:$LATEST", body={"a": 1})
    arn = call("Invoke", FunctionName="sleeper:$LATEST", body={}, headers={"X-Amz-Invocation-Type": "Event", "X-Amzn-Trace-Id": "Root=1"})
    call("ForkDurableExecution", DurableExecutionArn=arn, body={"Operation": wait_of(server, arn), "Name": "again"})
    call("InvokeAsync", FunctionName="plain", body={})
    call("PauseDurableExecution", DurableExecutionArn=arn, body={"Reason": "lunch"})
    call("GetDurableExecution", DurableExecutionArn=arn)
    call("ResumeDurableExecution", DurableExecutionArn=arn, body={})
    call("ListExecutions", query="?MaxItems=1&Statuses=RUNNING&ErrorType=ValueError")
    call("ListExecutions", query="?WaitingName=approval&WaitingType=CALLBACK")
    call("CountExecutions")
    call("AwaitChange", query="?WaitSeconds=0")
    call("GetCallSites", DurableExecutionArn=arn)
    call("GetExecutionOrigin", DurableExecutionArn=arn)
    call("GetInputSchema", FunctionName="order:$LATEST")
    call("ListDurableExecutionsByFunction", FunctionName="sleeper", query="?MaxItems=1&StartedAfter=2020-01-01T00:00:00Z")
    call("GetDurableExecutionHistory", DurableExecutionArn=arn, query="?MaxItems=1")
    call("StopDurableExecution", DurableExecutionArn=arn, body={"ErrorMessage": "enough"})
    call("GetDurableExecution", DurableExecutionArn=arn)
    call("DeleteDurableExecution", DurableExecutionArn=arn)
    call("DeleteAlias", FunctionName="described", Name="live")
    call("DeleteFunction", FunctionName="described")

    callbacks = {f"SendDurableExecutionCallback{outcome}" for outcome in ("Success", "Failure", "Heartbeat")}
    handlers = {"CheckpointDurableExecution", "GetDurableExecutionState"}  # they need a token: see the next test
    assert OPERATIONS.keys() - call.made == {*callbacks, *handlers, "InvokeWithResponseStream"}


def wait_of(server: Running, arn: str) -> str:
    """The id of the wait that the sleeper sleeps in."""
    until(lambda: any(event["EventType"] == "WaitStarted" for event in events_of(server.client, arn)), "the wait")
    return text_of(events_of(server.client, arn)[1], "Id")


class Calls:
    """Makes requests by the description alone. made: the operations that were called."""

    def __init__(self, server: Running) -> None:
        self._server = server
        self.made: set[str] = set()

    def __call__(
        self, operation: str, *, query: str = "", body: object = None, headers: dict[str, str] | None = None, **labels: str
    ) -> str:
        """The ARN of the execution that was started, if one was."""
        self.made.add(operation)
        (method, path), described = next(
            ((method, path), one)
            for path, methods in DESCRIPTION["paths"].items()
            for method, one in methods.items()
            if one["operationId"] == operation
        )
        for parameter in described["parameters"]:
            if parameter["in"] == "path":
                assert problems(parameter["schema"], labels[parameter["name"]]) == []
        if body is not None:
            assert problems(described["requestBody"]["content"]["application/json"]["schema"], body) == []
        payload = None if body is None else json.dumps(body).encode()
        status, answered, answer = self._server.request(
            method.upper(), re.sub(r"\{(\w+)\}", lambda label: labels[label[1]], path) + query, payload, headers
        )
        response = described["responses"].get(str(status))
        assert response is not None, (operation, status, answer)
        if answer or "content" in response:
            assert problems(response["content"]["application/json"]["schema"], json.loads(answer)) == [], (operation, answer)
        return answered.get("x-amz-durable-execution-arn", "")


def test_a_handler_and_who_answers_its_callback_are_answered_as_described(server: Running) -> None:
    call = Calls(server)
    arn = call("Invoke", FunctionName="pulled:$LATEST", body={}, headers={"X-Amz-Invocation-Type": "Event"})
    _, _, event = server.request("GET", "/runtime/pulled/2018-06-01/runtime/invocation/next")
    token = json.loads(event)["CheckpointToken"]
    call("GetDurableExecutionState", DurableExecutionArn=arn, query=f"?CheckpointToken={token}")
    for name in ("one", "two"):
        update = {"Id": name, "Type": "CALLBACK", "Action": "START", "CallbackOptions": {"TimeoutSeconds": 60}}
        _, _, body = server.request(
            "POST",
            f"/2025-12-01/durable-executions/{arn}/checkpoint",
            json.dumps({"CheckpointToken": token, "Updates": [update]}).encode(),
        )
        answer = json.loads(body)
        token = answer["CheckpointToken"]
        described = DESCRIPTION["paths"]["/2025-12-01/durable-executions/{DurableExecutionArn}/checkpoint"]["post"]
        assert problems(described["responses"]["200"]["content"]["application/json"]["schema"], answer) == []
        callback = answer["NewExecutionState"]["Operations"][-1]["CallbackDetails"]["CallbackId"]
        call("SendDurableExecutionCallbackHeartbeat", CallbackId=callback)
        call("SendDurableExecutionCallbackFailure", CallbackId=callback, body={"ErrorType": "Late"})


@pytest.mark.parametrize(
    ("method", "path"),
    [
        ("GET", f"/2025-12-01/durable-executions/{ARN}"),
        ("POST", "/2025-12-01/durable-execution-callbacks/QQ==/succeed"),
        ("GET", "/2015-03-31/functions/nobody"),
        ("POST", "/2021-11-15/functions/plain/response-streaming-invocations"),
        ("GET", "/2015-03-31/functions?MaxItems=x"),
    ],
)
def test_refusals_are_as_described(server: Running, method: str, path: str) -> None:
    status, _, body = server.request(method, path)

    assert 400 <= status < 500
    assert problems({"$ref": "#/components/schemas/Refusal"}, json.loads(body)) == []
    assert json.loads(body).keys() <= {"__type", "Type", "message", "Message"}


def members(values: Mapping[str, st.SearchStrategy[Any]]) -> st.SearchStrategy[dict[str, Any]]:
    return st.fixed_dictionaries(dict(values))


# To Python, unlike to JSON schemas, the end of a pattern also stands before a newline.
LINES: Final = st.text(st.characters(max_codepoint=0x100, blacklist_characters="\n"), max_size=70)
IDS: Final = st.from_regex(r"[a-zA-Z0-9_-]{0,66}", fullmatch=True)
SECONDS: Final = st.one_of(st.integers(-2, 3), st.integers(31_622_398, 31_622_402), st.integers(99_999_997, 100_000_001))
UPDATES: Final[st.SearchStrategy[dict[str, Any]]] = st.fixed_dictionaries(
    {"Id": LINES | IDS, "Type": st.just("STEP"), "Action": st.just("START")},
    optional={
        "ParentId": LINES | IDS | st.none(),
        "Name": LINES,
        "SubType": LINES | IDS,
        "StepOptions": members({"NextAttemptDelaySeconds": SECONDS}),
        "WaitOptions": members({"WaitSeconds": SECONDS}),
        "CallbackOptions": members({"TimeoutSeconds": SECONDS, "HeartbeatTimeoutSeconds": SECONDS}),
        "ChainedInvokeOptions": members({"FunctionName": LINES}),
    },
)


@given(UPDATES)
def test_an_update_is_accepted_exactly_if_it_is_as_described(update: dict[str, object]) -> None:
    is_described = problems({"$ref": "#/components/schemas/OperationUpdate"}, update) == []

    try:
        check_checkpoint("QQ==", [msgspec.convert(update, OperationUpdate)], None)
        is_accepted = True
    except Rejected:
        is_accepted = False

    assert is_accepted == is_described
