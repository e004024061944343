"""Runs a map or parallel: branches as tasks of their own, a limit on how many are under way, an end as soon as it is decided.

Rule: branch i has its id before anything runs, branches start in order, and their ends are looked at one at a time in
recorded order; so every replay starts the same branches and decides at the same one. What is still running then is
cancelled: it is in the result as STARTED, and nothing it asks for afterwards is recorded.
Source: the parallel handler that this project began with, with the corrections of its inventory.
"""

from __future__ import annotations

import asyncio
from collections import deque
from collections.abc import Sequence
from functools import partial
from typing import cast

import msgspec

from everstep.errors import ChildContextError, OperationError
from everstep.failures import describe, restore
from everstep.operations.batch import (
    BatchItem,
    BatchKind,
    BatchResult,
    ItemStatus,
    RecordedItem,
    TupleResult,
    batch_text,
    read_batch,
    read_summary,
    summary_text,
)
from everstep.operations.completion import Completion, CompletionReason, Progress
from everstep.protocol.ids import branch_id
from everstep.protocol.limits import REPLAY_CHILDREN_ABOVE
from everstep.protocol.shapes import TERMINAL, ContextDetails, ErrorObject, Operation
from everstep.runtime.child import Body, ContextCall, context_value, replays_children, run_child, run_virtual
from everstep.runtime.engine import Engine
from everstep.runtime.loop import DurableTask
from everstep.runtime.scope import Node, Scope, home_scope
from everstep.runtime.texts import plain_batch
from everstep.serdes import Serdes

_SUB_TYPES: dict[BatchKind, str] = {"Map": "MapIteration", "Parallel": "ParallelBranch"}


class BranchCall(msgspec.Struct, frozen=True):
    """A branch as it was given."""

    name: str | None
    body: Body
    serdes: Serdes[object]


class Batch:
    """One map or parallel that is being run."""

    def __init__(
        self,
        engine: Engine,
        kind: BatchKind,
        call: ContextCall,
        node: Node,
        branches: Sequence[BranchCall],
        *,
        max_concurrency: int | None,
        completion: Completion,
        is_flat: bool,
        has_own_serdes: bool,
    ) -> None:
        """is_flat: branches have no contexts of their own in the record; their operations stand directly under the batch.

        has_own_serdes: the call's serdes writes and reads the whole result.
        """
        self._engine = engine
        self._kind: BatchKind = kind
        self._call = call
        self._node = Node(call.operation_id, call.operation_id, node)
        self._is_flat = is_flat
        self._has_own_serdes = has_own_serdes
        self._branches = branches
        self._limit = max_concurrency or len(branches)
        self._completion = completion
        self._tasks: list[DurableTask[object]] = []
        self._nodes: list[Node] = []
        self._ended: deque[int] = deque()
        self._wake: asyncio.Future[object] | None = None

    async def run(self) -> BatchResult[object]:
        """The result, equal on the first run and on every replay. Raises ChildContextError if it is recorded as failed."""
        engine, call = self._engine, self._call
        engine.unawaited.pop(call.operation_id, None)
        recorded = engine.journal.operations.get(call.operation_id)
        if recorded is not None and recorded.status in TERMINAL:
            return await self._replayed(await engine.outcome(call.operation_id, None))
        if recorded is None:
            engine.send(call.update("START"), urgent=False)
        try:
            reason = await self._run_branches()
        finally:
            for task, node in zip(self._tasks, self._nodes, strict=True):
                if not task.done():
                    node.state = "cancelled"
                    task.cancel()
                elif not task.cancelled():
                    task.exception()  # looked at, so that asyncio does not report it
        items = [self._item(index, task) for index, task in enumerate(self._tasks)]
        result = self._result(items, reason)
        texts = self._recorded_items(items)
        text = call.serdes.serialize(result) if self._has_own_serdes else batch_text(texts, reason)
        large = (len(text) if text.isascii() else len(text.encode())) > REPLAY_CHILDREN_ABOVE
        success = call.update("SUCCEED", payload=summary_text(self._kind, texts, reason) if large else text, replay_children=large)
        await engine.outcome(call.operation_id, lambda: engine.send(success, urgent=True))
        return self._read(text) if self._has_own_serdes and not large else result

    def _result(self, items: Sequence[BatchItem[object]], reason: CompletionReason) -> BatchResult[object]:
        if self._kind == "Parallel":
            typed: TupleResult[*tuple[object, ...]] = TupleResult(items, reason)
            return typed
        return BatchResult(items, reason)

    # -- running ---------------------------------------------------------------

    async def _run_branches(self) -> CompletionReason:
        succeeded = failed = 0
        total = len(self._branches)
        statuses: list[ItemStatus] = []
        while True:
            reason = self._completion.reason(Progress(succeeded, failed, total, statuses))
            if reason is not None:
                return reason
            while len(self._tasks) < total and len(self._tasks) - succeeded - failed < self._limit:
                statuses.append("STARTED")
                self._start(len(self._tasks))
            if not self._ended:
                self._wake = self._engine.loop.create_future()
                await self._wake
            index = self._ended.popleft()
            error = self._tasks[index].exception()
            if error is None:
                succeeded += 1
                statuses[index] = "SUCCEEDED"
            elif isinstance(error, OperationError):
                failed += 1
                statuses[index] = "FAILED"
            else:
                raise error

    def _start(self, index: int) -> None:
        child = self._child(index)
        scope = home_scope(child.operation_id, self._node, is_virtual=self._is_flat)
        self._nodes.append(scope.node)
        if not self._is_flat:
            self._engine.recorded(
                child.operation_id,
                operation_type="CONTEXT",
                sub_type=child.sub_type,
                name=child.name,
                parent_id=child.parent_id,
                name_is_inferred=False,
            )
        task = self._engine.loop.new_task(self._branch(index, child, scope), scope, name=child.name)
        task.add_done_callback(partial(self._branch_ended, index))
        self._tasks.append(task)

    async def _branch(self, index: int, child: ContextCall, scope: Scope) -> object:
        """A branch's value. Raises OperationError if it failed."""
        branch = self._branches[index]
        if not self._is_flat:
            return await run_child(self._engine, child, scope, branch.body)
        try:
            return await run_virtual(self._engine, scope, branch.body, branch.serdes)
        except Exception as error:
            if self._engine.failure is not None:
                raise
            raise restore(describe(error), ChildContextError) from None

    def _branch_ended(self, index: int, _: object) -> None:
        if self._tasks[index].cancelled():
            if self._wake is not None and not self._wake.done():
                self._wake.cancel()
            return
        self._ended.append(index)
        if self._wake is not None and not self._wake.done():
            self._wake.set_result(None)

    def _child(self, index: int) -> ContextCall:
        branch = self._branches[index]
        return ContextCall(
            operation_id=branch_id(self._call.operation_id, index),
            parent_id=self._call.operation_id,
            name=branch.name,
            sub_type=_SUB_TYPES[self._kind],
            serdes=branch.serdes,
        )

    def _item(self, index: int, task: DurableTask[object]) -> BatchItem[object]:
        if not task.done() or task.cancelled():
            return BatchItem(index, "STARTED")
        error = task.exception()
        if error is None:
            return BatchItem(index, "SUCCEEDED", task.result())
        return BatchItem(index, "FAILED", None, cast("OperationError", error))

    # -- recording -------------------------------------------------------------

    def _recorded_items(self, items: Sequence[BatchItem[object]]) -> list[RecordedItem]:
        texts: list[RecordedItem] = []
        for item in items:
            recorded = self._engine.journal.operations.get(branch_id(self._call.operation_id, item.index))
            details = recorded.context_details if recorded is not None else None
            result: msgspec.Raw | msgspec.UnsetType = msgspec.UNSET
            if item.status == "SUCCEEDED":
                text = details.result if details is not None and details.result else None
                if text is None:  # too large to be recorded in the branch: this one is too large as well
                    own_id = branch_id(self._call.operation_id, item.index)
                    text = self._engine.texts.write(self._branches[item.index].serdes.serialize(item.result), own_id)
                result = msgspec.Raw(text.encode())
            texts.append(
                RecordedItem(
                    index=item.index,
                    status=item.status,
                    result=result,
                    error=_recorded_error(item, details),
                )
            )
        return texts

    async def _replayed(self, recorded: Operation) -> BatchResult[object]:
        details = recorded.context_details
        if recorded.status == "SUCCEEDED" and details is not None and details.result:
            if replays_children(recorded):
                return await self._from_summary(details.result)
            return self._read(details.result)
        context_value(self._engine, recorded, self._call)  # raises what is recorded
        raise restore(ErrorObject(error_message="the batch is recorded as succeeded, but without a result"), ChildContextError)

    def _read(self, text: str) -> BatchResult[object]:
        if self._has_own_serdes:
            return cast("BatchResult[object]", self._call.serdes.deserialize(text))
        read = read_batch(plain_batch(text), self._read_item)
        return self._result(read.all, read.completion_reason)

    def _read_item(self, index: int, text: str) -> object:
        own_id = branch_id(self._call.operation_id, index)
        return self._branches[index].serdes.deserialize(self._engine.texts.read(text, own_id))

    async def _from_summary(self, text: str) -> BatchResult[object]:
        """The result, gathered from the branches' own records."""
        summary = read_summary(text)
        still_started = set(summary.started_indexes or ())
        items: list[BatchItem[object]] = []
        for index in range(summary.total_count):
            if index in still_started:
                items.append(BatchItem(index, "STARTED"))
                continue
            status: ItemStatus = "SUCCEEDED"
            value: object = None
            error: OperationError | None = None
            try:
                child = self._child(index)
                value = await self._branch(index, child, home_scope(child.operation_id, self._node, is_virtual=self._is_flat))
            except OperationError as failure:
                status, error = "FAILED", failure
            items.append(BatchItem(index, status, value, error))
        return self._result(items, summary.completion_reason)


def _recorded_error(item: BatchItem[object], details: ContextDetails | None) -> ErrorObject | None:
    if item.status != "FAILED":
        return None
    if details is not None:
        return details.error or ErrorObject()
    return describe(item.error or OperationError())
