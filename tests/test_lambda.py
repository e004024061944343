"""The decorated handler as AWS Lambda calls it: `(event, context)` in, a plain dict out, the service behind a client."""

# ruff: noqa: N803  # boto3's arguments have the wire's names

from __future__ import annotations

import gc
import json
import weakref
from collections.abc import Callable, Mapping, Sequence
from datetime import UTC, datetime
from typing import Any

import pytest

from everstep import DurableContext, ReplayMismatch, ServiceError, UsageError, durable
from everstep.handler import DurableHandler

ARN = "arn:aws:lambda:us-east-1:123456789012:function:f:1/durable-execution/name/execution-1"
ran: list[int] = []


async def double(number: int) -> int:
    ran.append(number)
    return number * 2


async def handle(event: dict[str, int], ctx: DurableContext) -> int:
    first = await ctx.step(double, event["n"])
    await ctx.wait(60)
    return await ctx.step(double, first)


class Lambda:
    """A client shaped like boto3's, and the service behind it: seconds as datetimes, dicts in wire names."""

    def __init__(self, text: str = '{"n": 5}', page: int = 1000) -> None:
        self.operations: dict[str, dict[str, Any]] = {}
        self.token = 0
        self.page = page
        self.calls: list[list[str]] = []
        self.pages = 0
        self._put({"Id": "execution-1", "Type": "EXECUTION", "ExecutionDetails": {"InputPayload": text}}, "STARTED")

    def checkpoint_durable_execution(
        self, *, DurableExecutionArn: str, CheckpointToken: str, Updates: Sequence[dict[str, Any]], ClientToken: str
    ) -> dict[str, Any]:
        assert (DurableExecutionArn.startswith(ARN.rsplit("/", 1)[0]), CheckpointToken) == (True, str(self.token))
        assert ClientToken
        self.token += 1
        self.calls.append([f"{update['Type']} {update['Action']}" for update in Updates])
        changed = {update["Id"]: self._apply(update) for update in Updates}
        return {"CheckpointToken": str(self.token), "NewExecutionState": {"Operations": list(changed.values())}}

    def get_durable_execution_state(self, *, DurableExecutionArn: str, CheckpointToken: str, Marker: str, MaxItems: int) -> dict[str, Any]:
        assert (DurableExecutionArn, CheckpointToken) == (ARN, str(self.token))
        self.pages += 1
        start = int(Marker)
        operations = list(self.operations.values())
        more = str(start + self.page) if start + self.page < len(operations) else ""
        return {"Operations": operations[start : start + self.page], "NextMarker": more}

    def event(self) -> dict[str, Any]:
        operations = [
            {key: int(value.timestamp() * 1000) if isinstance(value, datetime) else value for key, value in operation.items()}
            for operation in self.operations.values()
        ]
        more = str(self.page) if len(operations) > self.page else ""
        state = {"Operations": operations[: self.page], "NextMarker": more}
        event = {"DurableExecutionArn": ARN, "CheckpointToken": str(self.token), "InitialExecutionState": state}
        as_lambda_brings_it: dict[str, Any] = json.loads(json.dumps(event))
        return as_lambda_brings_it

    def end_waits(self) -> None:
        for operation in self.operations.values():
            if operation["Type"] == "WAIT":
                operation.update(Status="SUCCEEDED", EndTimestamp=datetime.now(UTC))

    def _apply(self, update: Mapping[str, Any]) -> dict[str, Any]:
        known = self.operations.get(update["Id"], {})
        members = {key: update[key] for key in ("Id", "Type", "Name", "SubType", "ParentId") if key in update}
        outcome = {name: update[key] for key, name in (("Payload", "Result"), ("Error", "Error")) if key in update}
        if update["Type"] == "STEP" and update["Action"] != "START":
            members["StepDetails"] = {"Attempt": 1, **outcome}
        if update["Type"] == "CONTEXT" and update["Action"] != "START":
            members["ContextDetails"] = outcome
        return self._put(known | members, {"SUCCEED": "SUCCEEDED", "FAIL": "FAILED"}.get(update["Action"], "STARTED"))

    def _put(self, members: dict[str, Any], status: str) -> dict[str, Any]:
        operation: dict[str, Any] = {"StartTimestamp": datetime.now(UTC), **members, "Status": status}
        if status != "STARTED":
            operation["EndTimestamp"] = datetime.now(UTC)
        self.operations[operation["Id"]] = operation
        return operation


class AsyncLambda(Lambda):
    """The same with coroutine methods, as aiobotocore's client has them."""

    async def checkpoint_durable_execution(self, **arguments: Any) -> dict[str, Any]:  # type: ignore[override]  # the SDK takes both
        return super().checkpoint_durable_execution(**arguments)

    async def get_durable_execution_state(self, **arguments: Any) -> dict[str, Any]:  # type: ignore[override]  # the same
        return super().get_durable_execution_state(**arguments)


@pytest.mark.parametrize("kind", [Lambda, AsyncLambda])
@pytest.mark.parametrize("warm", [10, 0])
@pytest.mark.parametrize("page", [1000, 1])
def test_an_execution_is_finished_over_two_invocations(kind: Callable[..., Lambda], warm: int, page: int) -> None:
    ran.clear()
    service = kind(page=page)
    handler = durable(client=service, warm_executions=warm)(handle)

    first = handler(service.event(), object())
    service.end_waits()
    second = handler(service.event(), object())

    assert first == {"Status": "PENDING"}
    assert second == {"Status": "SUCCEEDED", "Result": "20"}
    assert ran == [5, 10]
    assert service.calls == [["STEP START", "STEP SUCCEED"], ["WAIT START"], ["STEP START", "STEP SUCCEED"]]


def test_a_warm_resume_does_not_run_the_handler_from_the_top() -> None:
    passes: list[str] = []

    async def counted(event: object, ctx: DurableContext) -> None:
        passes.append("top")
        await ctx.wait(1)

    for warm, expected in ((10, ["top"]), (0, ["top", "top"])):
        passes.clear()
        service = Lambda()
        handler = durable(client=service, warm_executions=warm)(counted)
        handler(service.event(), object())
        service.end_waits()
        handler(service.event(), object())
        assert passes == expected


def test_a_handler_that_is_garbage_takes_its_parked_executions_along_and_says_nothing() -> None:
    service = Lambda()
    handler = durable(client=service)(handle)
    handler(service.event(), None)
    parked = weakref.ref(handler)
    del handler

    gc.collect()

    assert parked() is None


def test_an_execution_that_went_on_elsewhere_is_replayed() -> None:
    ran.clear()
    service = Lambda()
    here, elsewhere = (durable(client=service)(handle) for _ in range(2))

    here(service.event(), object())
    service.end_waits()
    elsewhere(service.event(), object())
    again = here(service.event(), object())

    assert again == {"Status": "SUCCEEDED", "Result": "20"}
    assert ran == [5, 10]


def test_an_event_that_is_no_durable_invocation_is_refused() -> None:
    with pytest.raises(UsageError, match="not configured as durable"):
        durable(client=Lambda())(handle)({"n": 5}, object())


def test_an_input_of_another_type_fails_the_execution_with_a_reason() -> None:
    service = Lambda('{"n": "five"}')

    output = durable(client=service)(handle)(service.event(), object())

    assert output["Status"] == "FAILED"
    assert "can't be read as" in str(output["Error"])


def test_a_failing_handler_answers_failed_with_its_error() -> None:
    async def fails(event: object, ctx: DurableContext) -> None:
        raise KeyError("address")

    service = Lambda()
    output = durable(client=service)(fails)(service.event(), object())

    assert output["Status"] == "FAILED"
    error = output["Error"]
    assert isinstance(error, dict)
    assert (error["ErrorType"], error["ErrorMessage"]) == ("KeyError", "'address'")


@pytest.mark.parametrize(
    ("code", "status", "raises"), [("TooManyRequestsException", 429, True), ("InvalidParameterValueException", 400, False)]
)
def test_what_may_pass_is_raised_and_what_will_not_is_failed(code: str, status: int, raises: bool) -> None:
    class Refused(Exception):
        response = {"Error": {"Code": code, "Message": "no"}, "ResponseMetadata": {"HTTPStatusCode": status}}  # noqa: RUF012

    class Refusing(Lambda):
        def checkpoint_durable_execution(self, **_: Any) -> dict[str, Any]:
            raise Refused

    service = Refusing()
    handler: DurableHandler[dict[str, int], int] = durable(client=service)(handle)

    if raises:
        with pytest.raises(ServiceError, match=code):
            handler(service.event(), object())
    else:
        assert handler(service.event(), object())["Status"] == "FAILED"


def test_a_result_above_six_megabytes_goes_by_a_checkpoint_of_its_own() -> None:
    async def large(event: object, ctx: DurableContext) -> str:
        return "x" * 7_000_000

    class Closing(Lambda):
        def checkpoint_durable_execution(self, **arguments: Any) -> dict[str, Any]:
            (update,) = arguments["Updates"]
            assert (update["Type"], update["Action"], len(update["Payload"])) == ("EXECUTION", "SUCCEED", 7_000_002)
            return {"NewExecutionState": {"Operations": []}}

    service = Closing()

    assert durable(client=service)(large)(service.event(), object()) == {"Status": "SUCCEEDED", "Result": ""}


def test_a_handler_that_can_not_be_one_is_refused_when_it_is_decorated() -> None:
    with pytest.raises(UsageError, match="is not a function"):
        durable(len)  # type: ignore[arg-type]  # it is no handler

    async def alone(event: object) -> None: ...

    with pytest.raises(UsageError, match="exactly two arguments"):
        durable(alone)  # type: ignore[arg-type]  # it takes no context
    with pytest.raises(UsageError, match="has no method checkpoint_durable_execution"):
        durable(client=object())(handle)
    assert issubclass(ReplayMismatch, UsageError)
