"""The service as a dictionary: the least that answers a handler, so that what is measured is the SDK.

It applies updates without any check, completes waits when asked, and answers at once or after a given latency.
"""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from typing import Never

from everstep.client.api import Checkpointed, StatePage
from everstep.client.function import DurableFunction, Invocation
from everstep.protocol.shapes import (
    ContextDetails,
    ExecutionDetails,
    InvocationOutput,
    Operation,
    OperationStatus,
    OperationUpdate,
    StepDetails,
    WaitDetails,
)

ARN = "arn:aws:lambda:us-east-1:123456789012:function:bench:1/durable-execution/bench/exec-0"
_ENDS: dict[str, OperationStatus] = {"SUCCEED": "SUCCEEDED", "FAIL": "FAILED", "CANCEL": "CANCELLED"}


class InMemory:
    """One execution. calls, updates: how many were made and sent."""

    def __init__(self, text: str = "{}", *, latency_s: float = 0) -> None:
        self.latency_s = latency_s
        self.calls = 0
        self.updates = 0
        self.now = 1_700_000_000_000
        details = ExecutionDetails(input_payload=text)
        execution = Operation(id="exec-0", type="EXECUTION", status="STARTED", start_timestamp=self.now, execution_details=details)
        self.operations = {execution.id: execution}

    async def checkpoint(self, arn: str, token: str, updates: Sequence[OperationUpdate], client_token: str) -> Checkpointed:
        del arn, client_token
        assert token == f"t{self.calls}", "a stale token"
        if self.latency_s:
            await asyncio.sleep(self.latency_s)
        self.calls += 1
        self.updates += len(updates)
        self.now += 1
        changed: dict[str, Operation] = {}
        for update in updates:
            changed[update.id] = self._apply(update)
        return Checkpointed(token=f"t{self.calls}", operations=list(changed.values()))

    async def get_state(self, arn: str, token: str, marker: str, max_items: int = 1000) -> StatePage:
        raise NotImplementedError

    async def run(self, handler: DurableFunction[Never, object], *, warm: bool = True) -> tuple[InvocationOutput, int]:
        """Invoke until the execution ends; the last output and the number of invocations."""
        invocations = 0
        while True:
            invocation = Invocation(arn=ARN, checkpoint_token=f"t{self.calls}", request_id="r", operations=self.operations)
            output = await handler.invoke(invocation, self)
            invocations += 1
            if not warm:
                handler.drop_parked()
            if output.status != "PENDING":
                return output, invocations
            self._end_waits()

    def _end_waits(self) -> None:
        for operation in list(self.operations.values()):
            if operation.type == "WAIT" and operation.status == "STARTED":
                self.now += 1
                self.operations[operation.id] = self._operation(operation, None, "SUCCEEDED", wait_details=operation.wait_details)

    def _apply(self, update: OperationUpdate) -> Operation:
        known = self.operations.get(update.id)
        status: OperationStatus = _ENDS.get(update.action, "STARTED")
        if update.type == "STEP":
            operation = self._operation(
                known, update, status, step_details=StepDetails(attempt=int(status != "STARTED"), result=update.payload, error=update.error)
            )
        elif update.type == "CONTEXT":
            operation = self._operation(known, update, status, context_details=ContextDetails(result=update.payload, error=update.error))
        else:
            operation = self._operation(known, update, status, wait_details=WaitDetails(scheduled_end_timestamp=self.now + 1000))
        self.operations[update.id] = operation
        return operation

    def _operation(
        self,
        known: Operation | None,
        update: OperationUpdate | None,
        status: OperationStatus,
        *,
        step_details: StepDetails | None = None,
        context_details: ContextDetails | None = None,
        wait_details: WaitDetails | None = None,
    ) -> Operation:
        origin = known or update
        assert origin is not None
        return Operation(
            id=origin.id,
            type=origin.type,
            status=status,
            start_timestamp=known.start_timestamp if known else self.now,
            end_timestamp=None if status == "STARTED" else self.now,
            parent_id=origin.parent_id,
            name=origin.name,
            sub_type=origin.sub_type,
            step_details=step_details,
            context_details=context_details,
            wait_details=wait_details,
        )
