"""What each operation takes and answers, as far as its shapes do not say it: the source of /openapi.json.

Rule: one entry for each operation that is routed. Constraints are those that the operation checks, from the same constants.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Annotated, Final, Literal, TypeAlias

from msgspec import Meta, Struct

from everstep.protocol.limits import (
    EXECUTION_NAME_PATTERN,
    FUNCTION_NAME_PATTERN,
    MAX_CALLBACK_TIMEOUT_S,
    MAX_DELAY_S,
    MAX_EXECUTION_TIMEOUT_S,
    MAX_OPERATION_PAYLOAD,
    NAME_PATTERN,
    OPERATION_ID_PATTERN,
    SUB_TYPE_PATTERN,
    TENANT_PATTERN,
)
from everstep.protocol.shapes import ErrorObject, ExecutionState, ExecutionStatus
from everstep.server import shapes
from everstep.server.answers import JSON
from everstep.server.invoke import MAX_CLIENT_CONTEXT
from everstep.server.references import ALIAS_NAME, MAX_REFERENCE, QUALIFIER, REFERENCE
from everstep.server.requests import EXECUTION_ARN, LARGEST_PAGE, MAX_ARN
from everstep.server.routes.changes import LONGEST_WAIT_S, MAX_POSITION
from everstep.server.routes.executions import MAX_STATUSES
from everstep.server.routes.functions import LARGEST_LISTING, MAX_RETENTION_DAYS, MAX_TIMEOUT_S
from everstep.service.machine.validation import (
    CLIENT_TOKEN_PATTERN,
    MAX_FUNCTION_NAME,
    MAX_PAYLOAD,
    MAX_REASON,
    MAX_TOKEN,
    MAX_TRACE_HEADER,
    TOKEN_PATTERN,
)
from everstep.service.machine.waiting import WaitingType


def whole(pattern: re.Pattern[str]) -> str:
    """The pattern for a validator that searches, and knows no named groups."""
    return f"^(?:{re.sub(r'[(][?]P<[a-z]+>', '(?:', pattern.pattern)})$"


class Parameter(Struct, frozen=True):
    """Beside the labels in the path, which are in LABELS."""

    name: str
    place: Literal["query", "header"]
    type: object
    is_required: bool = False


class Body(Struct, frozen=True):
    """type: as it is read. required: members that must be there. media: how it is written."""

    type: object = object
    required: tuple[str, ...] = ()
    media: str = JSON


class Described(Struct, frozen=True):
    """answers: by status, what the body is; None: there is none. headers: of the answer."""

    summary: str
    answers: Mapping[int, object]
    parameters: tuple[Parameter, ...] = ()
    body: Body | None = None
    headers: tuple[str, ...] = ()
    media: str = JSON


Qualifier: TypeAlias = Annotated[str, Meta(pattern=whole(QUALIFIER))]
Moment: TypeAlias = Annotated[str, Meta(extra_json_schema={"format": "date-time"})]
ExecutionName: TypeAlias = Annotated[str, Meta(pattern=whole(EXECUTION_NAME_PATTERN))]

LABELS: Final[Mapping[str, object]] = {
    "DurableExecutionArn": Annotated[str, Meta(pattern=whole(EXECUTION_ARN), max_length=MAX_ARN)],
    "CallbackId": Annotated[str, Meta(pattern="^[A-Za-z0-9+/]+={0,2}$", max_length=1024)],
    "FunctionName": Annotated[str, Meta(pattern=whole(REFERENCE), max_length=MAX_REFERENCE)],
    "Resource": Annotated[str, Meta(pattern=whole(REFERENCE), max_length=MAX_REFERENCE)],
    "Name": Annotated[str, Meta(pattern=whole(ALIAS_NAME))],
}

_QUALIFIER: Final = Parameter("Qualifier", "query", Qualifier)
_MARKER: Final = Parameter("Marker", "query", str)
_PAGE: Final = (_MARKER, Parameter("MaxItems", "query", Annotated[int, Meta(ge=0, le=LARGEST_PAGE)]))
_LISTING: Final = (_MARKER, Parameter("MaxItems", "query", Annotated[int, Meta(ge=1, le=LARGEST_LISTING)]))
_WITH_DATA: Final = Parameter("IncludeExecutionData", "query", bool)
_REVERSE: Final = Parameter("ReverseOrder", "query", bool)
_INVOKE: Final = (
    _QUALIFIER,
    Parameter("X-Amz-Invocation-Type", "header", Literal["Event", "RequestResponse", "DryRun"]),
    Parameter("X-Amz-Log-Type", "header", Literal["None", "Tail"]),
    Parameter("X-Amz-Client-Context", "header", Annotated[str, Meta(max_length=MAX_CLIENT_CONTEXT)]),
    Parameter("X-Amz-Durable-Execution-Name", "header", ExecutionName),
    Parameter("X-Amz-Tenant-Id", "header", Annotated[str, Meta(pattern=whole(TENANT_PATTERN))]),
    Parameter("X-Amzn-Trace-Id", "header", str),
)
_EMPTY: Final = dict[str, object]
_EVENT_INVOKE: Final = dict[str, object]

OPERATIONS: Final[Mapping[str, Described]] = {
    "CheckpointDurableExecution": Described(
        "Record what a handler did", {200: shapes.Checkpointed}, body=Body(shapes.CheckpointRequest, ("CheckpointToken",))
    ),
    "GetDurableExecutionState": Described(
        "The operations of an execution, for its handler",
        {200: ExecutionState},
        (Parameter("CheckpointToken", "query", Annotated[str, Meta(pattern=whole(TOKEN_PATTERN), max_length=MAX_TOKEN)], True), *_PAGE),
    ),
    "GetDurableExecutionHistory": Described("The events of an execution", {200: shapes.HistoryPage}, (_WITH_DATA, _REVERSE, *_PAGE)),
    "GetDurableExecution": Described("An execution", {200: shapes.ExecutionDescription}, (_WITH_DATA,)),
    "ListDurableExecutionsByFunction": Described(
        "The executions of a function",
        {200: shapes.ExecutionPage},
        (
            _QUALIFIER,
            Parameter("DurableExecutionName", "query", ExecutionName),
            Parameter("Statuses", "query", Annotated[list[ExecutionStatus], Meta(max_length=MAX_STATUSES)]),
            Parameter("StartedAfter", "query", Moment),
            Parameter("StartedBefore", "query", Moment),
            _REVERSE,
            *_PAGE,
        ),
    ),
    "ListExecutions": Described(
        "The executions of all functions",
        {200: shapes.FoundPage},
        (
            Parameter("FunctionName", "query", Annotated[str, Meta(pattern=whole(FUNCTION_NAME_PATTERN))]),
            Parameter("DurableExecutionName", "query", ExecutionName),
            Parameter("Statuses", "query", Annotated[list[ExecutionStatus], Meta(max_length=MAX_STATUSES)]),
            Parameter("ErrorType", "query", str),
            Parameter("WaitingName", "query", Annotated[str, Meta(pattern=whole(NAME_PATTERN))]),
            Parameter("WaitingType", "query", WaitingType),
            Parameter("StartedAfter", "query", Moment),
            Parameter("StartedBefore", "query", Moment),
            _REVERSE,
            *_PAGE,
        ),
    ),
    "CountExecutions": Described("How many executions each function has in each status", {200: shapes.ExecutionCounts}),
    "GetExecutionOrigin": Described("What invoked an execution, and where it was forked from", {200: shapes.Origin}),
    "GetInputSchema": Described("What a function's input is like", {200: shapes.InputSchema}, (_QUALIFIER,)),
    "GetCallSites": Described("Where an execution's operations are called in its handler's code", {200: shapes.ShownCallSites}),
    "AwaitChange": Described(
        "Wait until an execution has changed, or any of them",
        {200: shapes.Change},
        (
            Parameter("DurableExecutionArn", "query", Annotated[str, Meta(pattern=whole(EXECUTION_ARN), max_length=MAX_ARN)]),
            Parameter("Position", "query", Annotated[str, Meta(max_length=MAX_POSITION)]),
            Parameter("WaitSeconds", "query", Annotated[int, Meta(ge=0, le=LONGEST_WAIT_S)]),
        ),
    ),
    "StopDurableExecution": Described("Close an execution as STOPPED", {200: shapes.Stopped}, body=Body(ErrorObject)),
    "PauseDurableExecution": Described("Let no further invocation begin", {202: _EMPTY}, body=Body(shapes.PauseRequest)),
    "ResumeDurableExecution": Described("Go on after a pause", {202: _EMPTY}, body=Body(shapes.ResumeRequest)),
    "DeleteDurableExecution": Described("Remove an execution that has ended", {202: shapes.DeletionRequested}),
    "ForkDurableExecution": Described(
        "Begin a new execution where this one stood at an operation", {201: shapes.Forked}, body=Body(shapes.ForkRequest, ("Operation",))
    ),
    "SendDurableExecutionCallbackSuccess": Described(
        "Complete a callback; the body is the result",
        {200: _EMPTY},
        body=Body(Annotated[str, Meta(max_length=MAX_OPERATION_PAYLOAD)], media="application/octet-stream"),
    ),
    "SendDurableExecutionCallbackFailure": Described("Complete a callback with an error", {200: _EMPTY}, body=Body(ErrorObject)),
    "SendDurableExecutionCallbackHeartbeat": Described("Start a callback's heartbeat timeout anew", {200: _EMPTY}),
    "Invoke": Described(
        "Start an execution of a durable function, or call a plain one; the body is the event",
        {200: object, 202: None, 204: None},
        _INVOKE,
        Body(),
        headers=("X-Amz-Executed-Version", "X-Amz-Durable-Execution-Arn", "X-Amz-Function-Error", "X-Amz-Log-Result"),
    ),
    "InvokeWithResponseStream": Described("Refused: nothing is streamed", {}, (_QUALIFIER,), Body()),
    "InvokeAsync": Described("Call a plain function (deprecated)", {202: shapes.Accepted}, body=Body()),
    "CreateFunction": Described(
        "Make a function that workers serve",
        {201: shapes.FunctionConfiguration},
        body=Body(shapes.FunctionSettings, ("FunctionName", "Role", "Code")),
    ),
    "GetFunction": Described("A function", {200: shapes.FunctionDescription}, (_QUALIFIER,)),
    "GetFunctionConfiguration": Described("A function's settings", {200: shapes.FunctionConfiguration}, (_QUALIFIER,)),
    "UpdateFunctionConfiguration": Described(
        "Change a function's settings", {200: shapes.FunctionConfiguration}, body=Body(shapes.FunctionSettings)
    ),
    "UpdateFunctionCode": Described(
        "Change what is shown of a function's code", {200: shapes.FunctionConfiguration}, body=Body(shapes.CodeSettings)
    ),
    "ListFunctions": Described(
        "All functions", {200: shapes.FunctionPage}, (Parameter("FunctionVersion", "query", Literal["ALL"]), *_LISTING)
    ),
    "DeleteFunction": Described("Forget a function, or a version of it", {204: None}, (_QUALIFIER,)),
    "PublishVersion": Described(
        "Give what $LATEST is now a number", {201: shapes.FunctionConfiguration}, body=Body(shapes.VersionSettings)
    ),
    "ListVersionsByFunction": Described("A function's versions", {200: shapes.VersionPage}, _LISTING),
    "CreateAlias": Described(
        "Name a version", {201: shapes.AliasConfiguration}, body=Body(shapes.AliasSettings, ("Name", "FunctionVersion"))
    ),
    "GetAlias": Described("An alias", {200: shapes.AliasConfiguration}),
    "UpdateAlias": Described("Let an alias name another version", {200: shapes.AliasConfiguration}, body=Body(shapes.AliasSettings)),
    "DeleteAlias": Described("Forget an alias", {204: None}),
    "ListAliases": Described("A function's aliases", {200: shapes.AliasPage}, (Parameter("FunctionVersion", "query", str), *_LISTING)),
    "ListTags": Described("A function's tags", {200: shapes.Tags}),
    "TagResource": Described("Set tags of a function", {204: None}, body=Body(shapes.Tags, ("Tags",))),
    "UntagResource": Described("Remove tags of a function", {204: None}, (Parameter("tagKeys", "query", list[str]),)),
    "GetFunctionEventInvokeConfig": Described("Settings for invocations as events", {200: _EVENT_INVOKE}),
    "PutFunctionEventInvokeConfig": Described("Keep settings for invocations as events", {200: _EVENT_INVOKE}, body=Body(_EVENT_INVOKE)),
    "GetFunctionConcurrency": Described("Nothing is reserved", {200: _EMPTY}),
    "GetAccountSettings": Described("Limits that tools ask for", {200: shapes.AccountSettings}),
}

OPERATING: Final[Mapping[str, Described]] = {
    "/health": Described("Whether the process is alive", {200: shapes.Health}),
    "/ready": Described("Whether requests can be served now", {200: shapes.Health, 503: shapes.Health}),
    "/metrics": Described("Figures for Prometheus", {200: str, 401: shapes.Refusal, 403: shapes.Refusal}, media="text/plain"),
    "/openapi.json": Described("This description", {200: dict[str, object]}),
}
"""By path; all are read by GET."""

_TOKEN: Final = {"pattern": whole(CLIENT_TOKEN_PATTERN)}
_ID: Final = {"pattern": whole(OPERATION_ID_PATTERN)}
_REASON: Final = {"maxLength": MAX_REASON}
_DELAY: Final = {"minimum": 1, "maximum": MAX_DELAY_S}
_TIMEOUT: Final = {"minimum": 0, "maximum": MAX_CALLBACK_TIMEOUT_S}

CONSTRAINTS: Final[Mapping[str, Mapping[str, Mapping[str, object]]]] = {
    "CheckpointRequest": {"CheckpointToken": {"pattern": whole(TOKEN_PATTERN), "maxLength": MAX_TOKEN}, "ClientToken": _TOKEN},
    "OperationUpdate": {
        "Id": _ID,
        "ParentId": _ID,
        "Name": {"pattern": whole(NAME_PATTERN)},
        "SubType": {"pattern": whole(SUB_TYPE_PATTERN)},
        "Payload": {"maxLength": MAX_PAYLOAD},
    },
    "StepOptions": {"NextAttemptDelaySeconds": _DELAY},
    "WaitOptions": {"WaitSeconds": _DELAY},
    "CallbackOptions": {"TimeoutSeconds": _TIMEOUT, "HeartbeatTimeoutSeconds": _TIMEOUT},
    "ChainedInvokeOptions": {
        "FunctionName": {"minLength": 1, "maxLength": MAX_FUNCTION_NAME},
        "XAmznTraceId": {"maxLength": MAX_TRACE_HEADER},
    },
    "PauseRequest": {"Reason": _REASON, "ClientToken": _TOKEN},
    "ResumeRequest": {"Reason": _REASON, "ClientToken": _TOKEN},
    "ForkRequest": {
        "Operation": {"minLength": 1},
        "Name": {"pattern": whole(EXECUTION_NAME_PATTERN)},
        "Result": {"maxLength": MAX_OPERATION_PAYLOAD},
    },
    "AliasSettings": {"Name": {"pattern": whole(ALIAS_NAME)}},
    "FunctionSettings": {"FunctionName": {"pattern": whole(FUNCTION_NAME_PATTERN)}, "Timeout": {"minimum": 1, "maximum": MAX_TIMEOUT_S}},
    "DurableSettings": {
        "ExecutionTimeout": {"minimum": 1, "maximum": MAX_EXECUTION_TIMEOUT_S},
        "RetentionPeriodInDays": {"minimum": 1, "maximum": MAX_RETENTION_DAYS},
    },
    "CodeSettings": {"ZipFile": {"contentEncoding": "base64"}},
}
"""Of members of requests, by the name of their shape."""
