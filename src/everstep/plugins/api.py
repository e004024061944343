"""The hooks of a plugin, and what each is told.

Rule: a hook is a plain method, called where the thing happens, in the order in which things happen; it may look and must not
wait. What it is given is frozen. Nothing that it does, raising included, touches the execution or another plugin (ADR 0007).
Names: those of the official SDKs' plugins, in the words of this project.
"""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime
from typing import Literal, TypeAlias

from msgspec import Struct

from everstep.protocol.shapes import ErrorObject, OperationStatus, OperationType

InvocationOutcome: TypeAlias = Literal["SUCCEEDED", "FAILED", "PENDING", "RETRY"]
"""PENDING: suspended. RETRY: the invocation itself failed, and the service will try it again."""
FunctionOutcome: TypeAlias = Literal["SUCCEEDED", "FAILED", "CANCELLED"]
"""CANCELLED: nobody waits for it any more, or its invocation has failed."""


class Info(Struct, frozen=True, kw_only=True):
    """Base of what a hook is told. Times are aware, UTC."""

    execution_arn: str


class OperationIdentity(Info, frozen=True, kw_only=True):
    """Which operation. is_replayed: it began before this invocation, whether or not its code runs again."""

    operation_id: str
    operation_type: OperationType
    sub_type: str | None
    name: str | None
    parent_id: str | None
    is_replayed: bool


class OperationInfo(OperationIdentity, frozen=True, kw_only=True):
    """An operation in its state of now.

    attempt: how many attempts of a step have ended; None for anything else. result: as it is recorded, a text. callback_id: once
    a callback has it. target_function: what a chained invoke calls, where the invoke begins.
    """

    status: OperationStatus
    start_time: datetime
    end_time: datetime | None = None
    attempt: int | None = None
    next_attempt_time: datetime | None = None
    result: str | None = None
    error: ErrorObject | None = None
    callback_id: str | None = None
    target_function: str | None = None


class OperationChangeInfo(Info, frozen=True, kw_only=True):
    """What a checkpoint's answer changed. operations: all there are by now, read when they are looked at."""

    updated_operations: Mapping[str, OperationInfo]
    operations: Mapping[str, OperationInfo]


class InvocationStartInfo(Info, frozen=True, kw_only=True):
    """An invocation begins.

    function_name: the handler's. is_first_invocation: nothing was recorded before. is_continued: the handler goes on where it
    was suspended, in memory, without replay. replayed_operations: how many ended operations its code comes past again.
    operations: all that are recorded, read when they are looked at; updated_operations: those that the service moved on since
    the invocation before. trace_header: X-Ray's, as the service or Lambda gives it.
    """

    function_name: str
    request_id: str | None
    trace_header: str | None
    is_first_invocation: bool
    is_continued: bool
    replayed_operations: int
    execution_start_time: datetime
    execution_input: str | None
    start_time: datetime
    operations: Mapping[str, OperationInfo]
    updated_operations: Mapping[str, OperationInfo]


class InvocationEndInfo(InvocationStartInfo, frozen=True, kw_only=True):
    """An invocation is over. result: the execution's, where it succeeded. error: where it failed, or is to be tried again."""

    status: InvocationOutcome
    end_time: datetime
    result: str | None = None
    error: ErrorObject | None = None


class AttemptStartInfo(OperationIdentity, frozen=True, kw_only=True):
    """The body of a step begins, or a condition's check. attempt: from 1."""

    attempt: int
    start_time: datetime


class AttemptEndInfo(AttemptStartInfo, frozen=True, kw_only=True):
    """It is over; what it came to is recorded next."""

    end_time: datetime
    outcome: FunctionOutcome
    error: ErrorObject | None = None


class UserFunctionStartInfo(OperationIdentity, frozen=True, kw_only=True):
    """The function of a child context, or of a branch, begins. is_replaying_children: it runs over operations recorded before."""

    is_replaying_children: bool
    start_time: datetime


class UserFunctionEndInfo(UserFunctionStartInfo, frozen=True, kw_only=True):
    """It has returned or raised. A function that is suspended has not ended, and neither has one that is dropped."""

    end_time: datetime
    outcome: FunctionOutcome
    error: ErrorObject | None = None


class CheckpointInfo(Info, frozen=True, kw_only=True):
    """A checkpoint was answered, or failed. size_bytes: of the updates' JSON. updates: how many; 0 asks only what changed."""

    updates: int
    size_bytes: int
    start_time: datetime
    duration_s: float
    error: ErrorObject | None = None


class PropagationInput(Info, frozen=True, kw_only=True):
    """A chained invoke is about to be sent."""

    operation_id: str
    parent_id: str | None
    target_function: str


class PropagationMetadata(Struct, frozen=True, kw_only=True):
    """What travels with a chained invoke. x_amzn_trace_id: `Root=…;Parent=…;Sampled=…`."""

    x_amzn_trace_id: str | None = None


class Plugin:
    """Base of plugins: override the hooks that you need. One plugin serves every execution of its handlers, at once."""

    def on_invocation_start(self, info: InvocationStartInfo) -> None:
        """Called before any handler code. Context variables that it sets are seen by the handler's code."""

    def on_invocation_end(self, info: InvocationEndInfo) -> None:
        """Called once for every invocation that began: when the execution ended, is suspended, or will be tried again."""

    def on_operation_start(self, info: OperationInfo) -> None:
        """Called when an operation begins; and at the beginning of each later invocation in which it is under way, replayed."""

    def on_operation_change(self, info: OperationChangeInfo) -> None:
        """Called when a checkpoint's answer has changed something."""

    def on_operation_end(self, info: OperationInfo) -> None:
        """Called when an operation's end is known: recorded by this invocation, or by the service since the one before."""

    def on_attempt_start(self, info: AttemptStartInfo) -> None:
        """Called before each attempt's body, in its context: context variables that it sets are seen by the body."""

    def on_attempt_end(self, info: AttemptEndInfo) -> None:
        """Called after each attempt's body, in its context."""

    def on_user_function_start(self, info: UserFunctionStartInfo) -> None:
        """Called before the function of a child context or branch, in its context."""

    def on_user_function_end(self, info: UserFunctionEndInfo) -> None:
        """Called after it, in its context."""

    def on_checkpoint(self, info: CheckpointInfo) -> None:
        """Called after each call that records something at the service."""

    def provide_propagation_metadata(self, info: PropagationInput) -> PropagationMetadata | None:
        """Called before a chained invoke is sent, for what is to travel with it. The first plugin with an answer wins."""
        del info
        return None
