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
from dataclasses import dataclass
from functools import partial
from typing import cast

import msgspec

from everstep.errors import ChildContextError, OperationError
from everstep.failures import restore
from everstep.operations.batch import (
    BatchItem,
    BatchKind,
    BatchResult,
    ItemStatus,
    RecordedItem,
    batch_text,
    read_batch,
    read_summary,
    summary_text,
)
from everstep.operations.completion import Completion, CompletionReason
from everstep.protocol.ids import branch_id
from everstep.protocol.limits import REPLAY_CHILDREN_ABOVE
from everstep.protocol.shapes import TERMINAL, ErrorObject, Operation
from everstep.runtime.child import Body, ContextCall, context_value, replays_children, run_child
from everstep.runtime.engine import Engine
from everstep.runtime.loop import DurableTask
from everstep.runtime.scope import Node, home_scope
from everstep.serdes import Serdes

_SUB_TYPES: dict[BatchKind, str] = {"Map": "MapIteration", "Parallel": "ParallelBranch"}


@dataclass(frozen=True, slots=True)
class BranchCall:
    """A branch as it was given."""

    name: str
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
    ) -> None:
        self._engine = engine
        self._kind: BatchKind = kind
        self._call = call
        self._node = Node(call.operation_id, node)
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
        result = BatchResult(items, reason)
        texts = self._recorded_items(items)
        text = batch_text(texts, reason)
        large = (len(text) if text.isascii() else len(text.encode())) > REPLAY_CHILDREN_ABOVE
        success = call.update("SUCCEED", payload=summary_text(self._kind, texts, reason) if large else text, replay_children=large)
        await engine.outcome(call.operation_id, lambda: engine.send(success, urgent=True))
        return result

    # -- running ---------------------------------------------------------------

    async def _run_branches(self) -> CompletionReason:
        succeeded = failed = 0
        total = len(self._branches)
        while True:
            reason = self._completion.reason(succeeded=succeeded, failed=failed, total=total)
            if reason is not None:
                return reason
            while len(self._tasks) < total and len(self._tasks) - succeeded - failed < self._limit:
                self._start(len(self._tasks))
            if not self._ended:
                self._wake = self._engine.loop.create_future()
                await self._wake
            task = self._tasks[self._ended.popleft()]
            error = task.exception()
            if error is None:
                succeeded += 1
            elif isinstance(error, OperationError):
                failed += 1
            else:
                raise error

    def _start(self, index: int) -> None:
        branch = self._branches[index]
        child = self._child(index)
        engine = self._engine
        engine.recorded(
            child.operation_id,
            operation_type="CONTEXT",
            sub_type=child.sub_type,
            name=child.name,
            parent_id=child.parent_id,
            name_is_inferred=False,
        )
        scope = home_scope(child.operation_id, self._node)
        self._nodes.append(scope.node)
        task = engine.loop.new_task(run_child(engine, child, scope, branch.body), scope, name=branch.name)
        task.add_done_callback(partial(self._branch_ended, index))
        self._tasks.append(task)

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
                    text = self._branches[item.index].serdes.serialize(item.result)
                result = msgspec.Raw(text.encode())
            texts.append(
                RecordedItem(
                    index=item.index,
                    status=item.status,
                    result=result,
                    error=details.error or ErrorObject() if item.status == "FAILED" and details is not None else None,
                )
            )
        return texts

    async def _replayed(self, recorded: Operation) -> BatchResult[object]:
        details = recorded.context_details
        if recorded.status == "SUCCEEDED" and details is not None and details.result:
            if replays_children(recorded):
                return await self._from_summary(details.result)
            return read_batch(details.result, self._read_item)
        context_value(recorded, self._call)  # raises what is recorded
        raise restore(ErrorObject(error_message="the batch is recorded as succeeded, but without a result"), ChildContextError)

    def _read_item(self, index: int, text: str) -> object:
        return self._branches[index].serdes.deserialize(text)

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
                value = await run_child(self._engine, child, home_scope(child.operation_id, self._node), self._branches[index].body)
            except OperationError as failure:
                status, error = "FAILED", failure
            items.append(BatchItem(index, status, value, error))
        return BatchResult(items, summary.completion_reason)
