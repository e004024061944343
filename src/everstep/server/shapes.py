"""Bodies of requests and answers, as shapes: they are read and written by them, and described by them in /openapi.json.

Rule: a member is absent or null alike. What a member may be beyond its type is checked where it is used, so that all that is
wrong is said at once; see operations.py for what of that is described.

Source: Lambda API model 2015-03-31.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Literal

import msgspec
from msgspec import UNSET, Struct, UnsetType, field

from everstep.protocol.shapes import ErrorObject, ExecutionStatus, Operation, OperationUpdate, Shape
from everstep.service.machine.waiting import WaitingType


class DurableConfig(Shape, frozen=True, omit_defaults=False):
    """What makes a function durable. ExecutionTimeout: seconds."""

    execution_timeout: int
    retention_period_in_days: int = 14


class TenancyConfig(Shape, frozen=True, omit_defaults=False):
    tenant_isolation_mode: str = "PER_TENANT"


# -- executions


class CheckpointRequest(Shape, frozen=True):
    checkpoint_token: str
    updates: Sequence[OperationUpdate] = ()
    client_token: str | None = None


class NewExecutionState(Shape, frozen=True):
    operations: Sequence[Operation]


class Checkpointed(Shape, frozen=True):
    """CheckpointToken: for the next checkpoint; absent when there can be none."""

    new_execution_state: NewExecutionState
    checkpoint_token: str | None = None


class StatePage(Shape, frozen=True, omit_defaults=False):
    """NextMarker: empty on the last page."""

    operations: Sequence[msgspec.Raw]
    next_marker: str


class PauseRequest(Shape, frozen=True):
    reason: str | None = None
    execution_timeout_paused: bool = True
    client_token: str | None = None


class ResumeRequest(Shape, frozen=True):
    reason: str | None = None
    client_token: str | None = None


class ForkRequest(Shape, frozen=True):
    """Operation: by id, or by a name that no other has; from it on the fork runs anew. Result: instead it succeeded with that, as text."""

    operation: str
    name: str | None = None
    result: str | None = None


class Forked(Shape, frozen=True):
    durable_execution_arn: str


class RelatedOperation(Shape, frozen=True):
    """An operation of another execution."""

    durable_execution_arn: str
    operation_id: str


class Origin(Shape, frozen=True):
    """Where an execution comes from. Parent: what invoked it. ForkedFrom: where it was forked. Absent: nothing, or nothing still kept."""

    parent: RelatedOperation | None = None
    forked_from: RelatedOperation | None = None


class InputSchema(Shape, frozen=True):
    """Schema: of a function's input, by its annotation, as JSON Schema; absent where the server does not know it."""

    schema: Mapping[str, object] | None = None


class ExecutionSummary(Shape, frozen=True):
    """An execution in a listing. Timestamps are seconds since the epoch."""

    durable_execution_arn: str
    durable_execution_name: str
    function_arn: str
    status: ExecutionStatus
    start_timestamp: float
    end_timestamp: float | None = None


class WaitingOperation(Shape, frozen=True):
    """What an execution waits for. DueTimestamp: when the service moves it on by itself; absent if only others can."""

    id: str
    type: WaitingType
    start_timestamp: float
    sub_type: str | None = None
    name: str | None = None
    due_timestamp: float | None = None


class FoundExecution(ExecutionSummary, frozen=True):
    """An execution in a listing of all functions. ErrorType: why it failed. WaitingOperation: the one that was searched for."""

    error_type: str | None = None
    waiting_operation: WaitingOperation | None = None


class FoundPage(Shape, frozen=True):
    """A page of a search. NextMarker: there may be more; a page may then have few executions, or none."""

    executions: Sequence[FoundExecution]
    next_marker: str | None = None


class ExecutionCount(Shape, frozen=True):
    function_name: str
    status: ExecutionStatus
    count: int


class ExecutionCounts(Shape, frozen=True):
    """CountedTimestamp: when. It may be a while ago if there are many executions."""

    counts: Sequence[ExecutionCount]
    counted_timestamp: float


class Change(Shape, frozen=True):
    """Position: what there is to see. It is another one as soon as there is more."""

    position: str


class ShownCallSite(Shape, frozen=True):
    """Where operations of this sub-type and name are called. Line: from 1. Source: the lines around it."""

    sub_type: str
    file: str
    line: int
    source: str
    name: str | None = None


class ShownCallSites(Shape, frozen=True):
    call_sites: Sequence[ShownCallSite]


class TraceHeader(Shape, frozen=True):
    x_amzn_trace_id: str = field(name="XAmznTraceId")


class PauseDetails(Shape, frozen=True):
    pause_request_timestamp: float
    execution_timeout_paused: bool
    reason: str | None = None


class ExecutionDescription(Shape, frozen=True):
    durable_execution_arn: str
    durable_execution_name: str
    function_arn: str
    status: ExecutionStatus
    start_timestamp: float
    version: str
    execution_data_included: bool
    durable_config: DurableConfig
    end_timestamp: float | None = None
    input_payload: str | None = None
    result: str | None = None
    error: ErrorObject | None = None
    trace_header: TraceHeader | None = None
    expected_execution_timeout_timestamp: float | None = None
    pause_details: PauseDetails | None = None


class ExecutionPage(Shape, frozen=True):
    durable_executions: Sequence[ExecutionSummary]
    next_marker: str | None = None


class HistoryPage(Shape, frozen=True):
    """Events have an EventType, a number, and a details member that is called like their type."""

    events: Sequence[msgspec.Raw]
    next_marker: str | None = None


class Stopped(Shape, frozen=True):
    stop_timestamp: float


class DeletionRequested(Shape, frozen=True):
    deletion_request_timestamp: float


# -- functions


class DurableSettings(Shape, frozen=True):
    execution_timeout: int | None = None
    retention_period_in_days: int | None = None


class FunctionSettings(Shape, frozen=True):
    """The members of CreateFunction and UpdateFunctionConfiguration that are more than stored. The others are shown as they came."""

    function_name: str | None = None
    role: str | None = None
    code: dict[str, object] | None = None
    timeout: int | None = None
    description: str | None = None
    durable_config: DurableSettings | None = None
    tenancy_config: TenancyConfig | None = None
    publish: bool = False
    tags: dict[str, str] = field(default_factory=dict[str, str])
    revision_id: str | None = None


class CodeSettings(Shape, frozen=True):
    """The members of UpdateFunctionCode that do something. ZipFile: Base64."""

    zip_file: str | None = None
    publish: bool = False
    dry_run: bool = False
    revision_id: str | None = None


class FunctionConfiguration(Shape, frozen=True, omit_defaults=False):
    """A version of a function as it is shown, beside the members that were stored for it."""

    function_name: str
    function_arn: str
    version: str
    timeout: int
    description: str
    last_modified: str
    revision_id: str
    state: Literal["Active"] = "Active"
    last_update_status: Literal["Successful"] = "Successful"
    durable_config: DurableConfig | UnsetType = UNSET
    tenancy_config: TenancyConfig | UnsetType = UNSET


class FunctionDescription(Shape, frozen=True):
    configuration: Mapping[str, object]
    code: Mapping[str, str]
    tags: Mapping[str, str] = {}


class VersionSettings(Shape, frozen=True):
    description: str | None = None
    revision_id: str | None = None


class Routing(Shape, frozen=True):
    additional_version_weights: Mapping[str, float] = {}


class AliasSettings(Shape, frozen=True):
    name: str | None = None
    function_version: str | None = None
    description: str | None = None
    routing_config: Routing | None = None
    revision_id: str | None = None


class AliasConfiguration(Shape, frozen=True, omit_defaults=False):
    alias_arn: str
    name: str
    function_version: str
    description: str
    revision_id: str
    routing_config: Routing | UnsetType = UNSET


class Tags(Shape, frozen=True):
    tags: Mapping[str, str] | None = None


class FunctionPage(Shape, frozen=True):
    functions: Sequence[FunctionConfiguration]
    next_marker: str | None = None


class VersionPage(Shape, frozen=True):
    versions: Sequence[FunctionConfiguration]
    next_marker: str | None = None


class AliasPage(Shape, frozen=True):
    aliases: Sequence[AliasConfiguration]
    next_marker: str | None = None


class AccountSettings(Shape, frozen=True):
    account_limit: Mapping[str, int]
    account_usage: Mapping[str, int]


# -- beside


class Accepted(Shape, frozen=True):
    status: int = 202


class Health(Struct, frozen=True, omit_defaults=True):
    """reason: why the server is not ready."""

    status: Literal["alive", "ready", "not ready"]
    reason: str | None = None


class Refusal(Shape, frozen=True):
    """What every operation may answer. The message is called as AWS calls it for the error."""

    error: str = field(name="__type")
    type: Literal["User", "Service"] | None = None
    message: str | None = None
    message_in_lower_case: str | None = field(default=None, name="message")
