"""Tells plugins what happens to one execution in this process.

Rule: everything is told where it happens, in its order, and from what is recorded. "Replayed" is a question of invocations, not
of code: an operation that began before this invocation is, whether the handler was replayed up to it or continued in memory.
An engine without plugins has no reporter.
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Iterator, Mapping, Sequence
from collections.abc import Set as AbstractSet
from datetime import UTC, datetime
from typing import Protocol, TypeVar

import msgspec

from everstep.client.api import Checkpointed
from everstep.failures import describe
from everstep.plugins.api import (
    AttemptEndInfo,
    AttemptStartInfo,
    CheckpointInfo,
    FunctionOutcome,
    InvocationEndInfo,
    InvocationOutcome,
    InvocationStartInfo,
    OperationChangeInfo,
    OperationInfo,
    PropagationInput,
    UserFunctionEndInfo,
    UserFunctionStartInfo,
)
from everstep.plugins.hooks import Hooks
from everstep.protocol.ids import execution_id
from everstep.protocol.shapes import TERMINAL, ErrorObject, Operation, OperationUpdate
from everstep.replay.batching import update_bytes
from everstep.replay.journal import Journal, visible_ids
from everstep.runtime.arrival import Arrival

T = TypeVar("T")


class Called(Protocol):
    """An operation as it was called, if it runs code: a step or a context."""

    @property
    def operation_id(self) -> str: ...
    @property
    def parent_id(self) -> str | None: ...
    @property
    def name(self) -> str | None: ...
    @property
    def sub_type(self) -> str: ...


class Reporter:
    """What one execution's plugins are told."""

    def __init__(self, hooks: Hooks, arn: str, function_name: str, journal: Journal, clock: Callable[[], float]) -> None:
        self._hooks = hooks
        self._arn = arn
        self._function_name = function_name
        self._journal = journal
        self._clock = clock
        self._recorded_before = 0
        """How many operations began before this invocation."""
        self._unacknowledged: dict[str, OperationInfo] = {}
        """Operations that began and are not recorded yet, by id."""
        self._invocation: InvocationStartInfo | None = None

    # -- invocations -----------------------------------------------------------

    def invocation_started(self, arrival: Arrival, under_way: AbstractSet[str], news: Sequence[Operation] | None) -> None:
        """under_way: the recorded operations that have not ended, by id. news: see `Engine.run`; None if the handler starts."""
        journal, hooks = self._journal, self._hooks
        recorded = journal.operations
        execution = recorded[execution_id(self._arn)]
        updated = [recorded[known] for known in arrival.state.updated_operation_ids if known in recorded] if news is None else news
        self._recorded_before = journal.count
        self._unacknowledged.clear()
        moved = {operation.id: self._info(operation) for operation in updated if operation.type != "EXECUTION"}
        if hooks.invocation_start or hooks.invocation_end:
            details = execution.execution_details
            self._invocation = InvocationStartInfo(
                execution_arn=self._arn,
                function_name=self._function_name,
                request_id=arrival.request_id,
                trace_header=arrival.trace_header,
                is_first_invocation=len(recorded) == 1,
                is_continued=news is not None,
                replayed_operations=self._to_be_replayed() if news is None else 0,
                execution_start_time=_instant(execution.start_timestamp),
                execution_input=details.input_payload if details is not None else None,
                start_time=self._now(),
                operations=_All(journal, self._info),
                updated_operations=moved,
            )
            hooks.invocation_start.tell(self._invocation)
        if hooks.operation_start:
            for operation in self._open(under_way):
                hooks.operation_start.tell(self._info(operation))
        for info in moved.values():
            if info.status in TERMINAL:
                hooks.operation_end.tell(info)

    def invocation_ended(self, status: InvocationOutcome, *, result: str | None = None, error: ErrorObject | None = None) -> None:
        start = self._invocation
        if start is None:
            return
        self._invocation = None
        if self._hooks.invocation_end:
            given = msgspec.structs.asdict(start)
            info = InvocationEndInfo(**given, status=status, end_time=self._now(), result=result, error=error)
            self._hooks.invocation_end.tell(info)

    # -- operations ------------------------------------------------------------

    def sent(self, update: OperationUpdate) -> OperationUpdate:
        """An update is about to be sent; returns it with what plugins give it to take along."""
        if update.action != "START" or update.id in self._journal.operations:
            return update
        options = update.chained_invoke_options
        info = OperationInfo(
            execution_arn=self._arn,
            operation_id=update.id,
            operation_type=update.type,
            sub_type=update.sub_type,
            name=update.name,
            parent_id=update.parent_id,
            is_replayed=False,
            status="STARTED",
            start_time=self._now(),
            attempt=0 if update.type == "STEP" else None,
            target_function=options.function_name if options is not None else None,
        )
        self._unacknowledged[update.id] = info
        self._hooks.operation_start.tell(info)
        if options is None or not self._hooks.propagation:
            return update
        asked = PropagationInput(
            execution_arn=self._arn, operation_id=update.id, parent_id=update.parent_id, target_function=options.function_name
        )
        metadata = self._hooks.propagation.ask(asked)
        if metadata is None or metadata.x_amzn_trace_id is None:
            return update
        options = msgspec.structs.replace(options, x_amzn_trace_id=metadata.x_amzn_trace_id)
        return msgspec.structs.replace(update, chained_invoke_options=options)

    def withdrawn(self, operation_id: str) -> None:
        """An operation that began was cancelled before the service heard of it."""
        info = self._unacknowledged.pop(operation_id, None)
        if info is not None:
            ended = msgspec.structs.replace(info, status="CANCELLED", end_time=self._now())
            self._hooks.operation_end.tell(ended)

    def changed(self, operations: Sequence[Operation]) -> None:
        """A checkpoint's answer is in the journal."""
        hooks = self._hooks
        infos = [self._info(operation) for operation in operations if operation.type != "EXECUTION"]
        for info in infos:
            self._unacknowledged.pop(info.operation_id, None)
        if infos and hooks.operation_change:
            updated = {info.operation_id: info for info in infos}
            change = OperationChangeInfo(execution_arn=self._arn, updated_operations=updated, operations=_All(self._journal, self._info))
            hooks.operation_change.tell(change)
        if hooks.operation_end:
            for info in infos:
                if info.status in TERMINAL:
                    hooks.operation_end.tell(info)

    # -- code ------------------------------------------------------------------

    def attempt_started(self, call: Called, attempt: int) -> AttemptStartInfo:
        """Called in the body's context, as `attempt_ended` is."""
        info = AttemptStartInfo(
            execution_arn=self._arn,
            operation_id=call.operation_id,
            operation_type="STEP",
            sub_type=call.sub_type,
            name=call.name,
            parent_id=call.parent_id,
            is_replayed=self._is_replayed(call.operation_id),
            attempt=attempt,
            start_time=self._now(),
        )
        self._hooks.attempt_start.tell(info)
        return info

    def attempt_ended(self, start: AttemptStartInfo, outcome: FunctionOutcome, error: ErrorObject | None) -> None:
        if self._hooks.attempt_end:
            given = msgspec.structs.asdict(start)
            self._hooks.attempt_end.tell(AttemptEndInfo(**given, end_time=self._now(), outcome=outcome, error=error))

    async def function(self, call: Called, function: Awaitable[T], *, is_replaying_children: bool) -> T:
        """Run the function of a context, and tell of it."""
        start = UserFunctionStartInfo(
            execution_arn=self._arn,
            operation_id=call.operation_id,
            operation_type="CONTEXT",
            sub_type=call.sub_type,
            name=call.name,
            parent_id=call.parent_id,
            is_replayed=self._is_replayed(call.operation_id),
            is_replaying_children=is_replaying_children,
            start_time=self._now(),
        )
        self._hooks.user_function_start.tell(start)
        try:
            value = await function
        except Exception as error:
            self._function_ended(start, "FAILED", describe(error))
            raise
        except asyncio.CancelledError:
            self._function_ended(start, "CANCELLED", None)
            raise
        self._function_ended(start, "SUCCEEDED", None)
        return value

    def _function_ended(self, start: UserFunctionStartInfo, outcome: FunctionOutcome, error: ErrorObject | None) -> None:
        if self._hooks.user_function_end:
            given = msgspec.structs.asdict(start)
            end = UserFunctionEndInfo(**given, end_time=self._now(), outcome=outcome, error=error)
            self._hooks.user_function_end.tell(end)

    # -- checkpoints -----------------------------------------------------------

    async def checkpoint(self, updates: Sequence[OperationUpdate], call: Awaitable[Checkpointed]) -> Checkpointed:
        """Await the call, and tell of it."""
        if not self._hooks.checkpoint:
            return await call
        loop = asyncio.get_running_loop()
        began, start_time = loop.time(), self._now()
        error: ErrorObject | None = None
        try:
            return await call
        except BaseException as failure:
            error = describe(failure)
            raise
        finally:
            info = CheckpointInfo(
                execution_arn=self._arn,
                updates=len(updates),
                size_bytes=sum(map(update_bytes, updates)),
                start_time=start_time,
                duration_s=loop.time() - began,
                error=error,
            )
            self._hooks.checkpoint.tell(info)

    # -- what is recorded ------------------------------------------------------

    def _now(self) -> datetime:
        return datetime.fromtimestamp(self._clock(), UTC)

    def _is_replayed(self, operation_id: str) -> bool:
        return operation_id in self._journal.operations and self._journal.place(operation_id) < self._recorded_before

    def _to_be_replayed(self) -> int:
        operations = self._journal.operations
        return sum(operations[operation_id].status in TERMINAL for operation_id in visible_ids(operations))

    def _open(self, under_way: AbstractSet[str]) -> Iterator[Operation]:
        """What is under way, in the order in which it began; not what is left over in a context that has ended."""
        operations = self._journal.operations
        for operation_id in sorted(under_way, key=self._journal.place):
            operation = operations[operation_id]
            if operation.type != "EXECUTION" and operation.status not in TERMINAL:
                outer = operations.get(operation.parent_id or "")
                while outer is not None and outer.status not in TERMINAL:
                    outer = operations.get(outer.parent_id or "")
                if outer is None:
                    yield operation

    def _info(self, operation: Operation) -> OperationInfo:
        info = OperationInfo(
            execution_arn=self._arn,
            operation_id=operation.id,
            operation_type=operation.type,
            sub_type=operation.sub_type,
            name=operation.name,
            parent_id=operation.parent_id,
            is_replayed=self._is_replayed(operation.id),
            status=operation.status,
            start_time=_instant(operation.start_timestamp),
            end_time=None if operation.end_timestamp is None else _instant(operation.end_timestamp),
            attempt=0 if operation.type == "STEP" else None,
        )
        step, context, callback = operation.step_details, operation.context_details, operation.callback_details
        invoke = operation.chained_invoke_details
        if step is not None:
            due = step.next_attempt_timestamp
            return msgspec.structs.replace(
                info,
                attempt=step.attempt or 0,
                next_attempt_time=None if due is None else _instant(due),
                result=step.result,
                error=step.error,
            )
        if context is not None:
            return msgspec.structs.replace(info, result=context.result, error=context.error)
        if callback is not None:
            return msgspec.structs.replace(info, callback_id=callback.callback_id, result=callback.result, error=callback.error)
        if invoke is not None:
            return msgspec.structs.replace(info, result=invoke.result, error=invoke.error)
        return info


class _All(Mapping[str, OperationInfo]):
    """Every operation of an execution, as it is when it is looked at."""

    __slots__ = ("_info", "_journal")

    def __init__(self, journal: Journal, info: Callable[[Operation], OperationInfo]) -> None:
        self._journal = journal
        self._info = info

    def __getitem__(self, operation_id: str) -> OperationInfo:
        operation = self._journal.operations[operation_id]
        if operation.type == "EXECUTION":
            raise KeyError(operation_id)
        return self._info(operation)

    def __iter__(self) -> Iterator[str]:
        return (operation.id for operation in self._journal.operations.values() if operation.type != "EXECUTION")

    def __len__(self) -> int:
        return len(self._journal.operations) - 1


def _instant(ms: float) -> datetime:
    return datetime.fromtimestamp(ms / 1000, UTC)
