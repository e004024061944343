"""The service as a handler in the same process uses it: no transport, the same rules and the same refusals.

Rule: an answer is given only when everything it tells is durable.
"""

from __future__ import annotations

import time
from collections.abc import Sequence
from functools import partial
from typing import Final

from everstep.client.api import Checkpointed, StatePage
from everstep.errors import ServiceError
from everstep.protocol.ids import execution_id
from everstep.protocol.shapes import OperationUpdate
from everstep.service.committer import Handed
from everstep.service.executions import Command, Executions, UnknownExecution
from everstep.service.machine.checkpoint import checkpoint, readable_operations
from everstep.service.machine.invoke import Resolve
from everstep.service.machine.model import Transition
from everstep.service.machine.rejection import INVALID_TOKEN, Rejected, invalid
from everstep.service.machine.rules import Rules
from everstep.service.machine.state import State
from everstep.service.metering import Meter

STATUS_OF: Final = {
    "DurableExecutionAlreadyStartedException": 409,
    "ResourceConflictException": 409,
    "ResourceNotFoundException": 404,
}
"""The HTTP status of an error; of all others it is 400. Source: API model."""


def refusal(rejected: Rejected) -> ServiceError:
    """The machine's no as an error of the family that users know."""
    return ServiceError(
        rejected.message,
        code=rejected.code,
        status=STATUS_OF.get(rejected.code, 400),
        is_retryable=rejected.message.startswith(INVALID_TOKEN),
    )


class DirectClient:
    """A DurableClient on the executions of this process."""

    def __init__(self, executions: Executions, resolve: Resolve, rules: Rules, meter: Meter | None = None) -> None:
        self._executions, self._resolve, self._rules, self._meter = executions, resolve, rules, meter

    async def checkpoint(self, arn: str, token: str, updates: Sequence[OperationUpdate], client_token: str | None) -> Checkpointed:
        command = self._command(arn, token, updates, client_token)
        began_at = 0.0 if self._meter is None else time.perf_counter()
        with _refusing():
            transition = await self._executions.perform(execution_id(arn), command)
        if self._meter is not None:
            self._meter.checkpointed(time.perf_counter() - began_at, updates)
        return _answer(transition)

    def submit(
        self, arn: str, token: str, updates: Sequence[OperationUpdate], client_token: str | None
    ) -> tuple[Checkpointed, Handed] | None:
        """See Executions.submit: the answer, which is to be given once the write is taken. Raises as `checkpoint` does."""
        command = self._command(arn, token, updates, client_token)
        began_at = 0.0 if self._meter is None else time.perf_counter()
        with _refusing():
            submitted = self._executions.submit(execution_id(arn), command)
        if submitted is None:
            return None
        transition, write = submitted
        if self._meter is not None:
            write.then(partial(_measure, self._meter, began_at, updates, write))
        return _answer(transition), write

    def _command(self, arn: str, token: str, updates: Sequence[OperationUpdate], client_token: str | None) -> Command:
        def command(state: State, now: int) -> Transition:
            _check_arn(state, arn)
            transition, _ = checkpoint(state, token, updates, client_token, now, resolve=self._resolve, rules=self._rules)
            return transition

        return command

    async def get_state(self, arn: str, token: str, marker: str, max_items: int = 1000) -> StatePage:
        """The marker is the number of operations before the page; it is good as long as the token is."""
        with _refusing():
            state = await self._executions.state(execution_id(arn))
            _check_arn(state, arn)
            operations = readable_operations(state, token)
        if not (marker.isdecimal() or not marker) or not 0 < max_items <= 1000:
            raise refusal(invalid("Invalid Marker"))
        first = int(marker or 0)
        end = first + max_items
        return StatePage(operations=operations[first:end], next_marker=str(end) if end < len(operations) else None)


class _refusing:  # noqa: N801 - it is used as a verb
    """What is raised in the block leaves as errors that users know."""

    def __enter__(self) -> None:
        pass

    def __exit__(self, kind: object, error: BaseException | None, traceback: object) -> None:
        if isinstance(error, UnknownExecution):
            raise refusal(invalid(INVALID_TOKEN)) from None
        if isinstance(error, Rejected):
            raise refusal(error) from None
        if isinstance(error, UnicodeError):
            raise ServiceError(f"an update cannot be recorded: {error}", code="InvalidParameterValueException", status=400) from error


def _answer(transition: Transition) -> Checkpointed:
    assert transition.reply is not None
    return Checkpointed(token=transition.reply.token, operations=transition.reply.operations)


def _measure(meter: Meter, began_at: float, updates: Sequence[OperationUpdate], write: Handed) -> None:
    if write.was_taken:
        meter.checkpointed(time.perf_counter() - began_at, updates)


def _check_arn(state: State, arn: str) -> None:
    if state.execution.arn != arn:
        raise invalid(INVALID_TOKEN)
