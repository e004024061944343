"""The way between a handler and the service under test, and what goes wrong on it.

Rule: a fault comes before the checkpoint arrives or after it is recorded, never in between: the service records all or nothing.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING, Final, TypeAlias

from everstep.client.api import Checkpointed, StatePage
from everstep.errors import ServiceError
from everstep.protocol.ids import execution_id
from everstep.protocol.shapes import OperationUpdate
from everstep.service.direct import refusal
from everstep.service.machine.checkpoint import checkpoint, readable_operations
from everstep.service.machine.invoke import Resolve
from everstep.service.machine.model import Transition
from everstep.service.machine.rejection import Rejected
from everstep.service.machine.rules import Rules
from everstep.service.machine.state import State
from everstep.testing.faults import Crash, Doubled, Fault, Interrupted, LostAnswer, Slow, Throttled

if TYPE_CHECKING:
    from everstep.testing.world import Place

Command: TypeAlias = Callable[[State, int], Transition]
_OUTCOMES: Final = ("SUCCEED", "FAIL", "RETRY")


class Crashed(BaseException):
    """The process of the handler dies. No Exception, so that no code of the handler's can catch it by mistake."""


class Client:
    """The service as one invocation's handler calls it, with what goes wrong on the way."""

    def __init__(self, apply: Callable[[Command], None], place: Place, resolve: Resolve, rules: Rules) -> None:
        """apply: changes the execution. Raises Rejected."""
        self._apply, self._place, self._resolve, self._rules = apply, place, resolve, rules

    async def checkpoint(self, arn: str, token: str, updates: Sequence[OperationUpdate], client_token: str) -> Checkpointed:
        """See DurableClient."""
        place = self._place
        place.sent.append(updates)
        number = len(place.sent)
        for fault in place.faults:
            await _happen_before(fault, number, updates, place.outcomes)
        answer = self._record(arn, token, updates, client_token)
        for fault in place.faults:
            match fault:
                case Crash(at=at, when="after") if at == number:
                    raise Crashed
                case LostAnswer(at=at) | Doubled(at=at) if at == number:
                    answer = self._record(arn, token, updates, client_token)
                case _:
                    pass
        return answer

    def _record(self, arn: str, token: str, updates: Sequence[OperationUpdate], client_token: str) -> Checkpointed:
        assert arn == self._place.state.execution.arn
        reply: list[Checkpointed] = []

        def command(state: State, now: int) -> Transition:
            transition, answer = checkpoint(state, token, updates, client_token, now, resolve=self._resolve, rules=self._rules)
            reply.append(Checkpointed(token=answer.token, operations=answer.operations))
            return transition

        try:
            self._apply(command)
        except Rejected as rejected:
            raise refusal(rejected) from None
        return reply[0]

    async def get_state(self, arn: str, token: str, marker: str, max_items: int = 1000) -> StatePage:
        """See DurableClient. There is one page."""
        assert execution_id(arn) == self._place.state.execution.id
        return StatePage(operations=readable_operations(self._place.state, token))


async def _happen_before(fault: Fault, number: int, updates: Sequence[OperationUpdate], outcomes: dict[str, int]) -> None:
    """What goes wrong before the checkpoint arrives. Raises Crashed, or ServiceError."""
    match fault:
        case Crash(at=at, when="before") if at == number:
            raise Crashed
        case Interrupted(step=step, attempt=attempt):
            for update in updates:
                if update.type == "STEP" and update.name == step and update.action in _OUTCOMES:
                    outcomes[step] = outcomes.get(step, 0) + 1
                    if outcomes[step] == attempt:
                        raise Crashed
        case Throttled(at=at, times=times) if at <= number < at + times:
            raise ServiceError("Rate exceeded", code="TooManyRequestsException", status=429, is_retryable=True)
        case Slow(seconds=seconds, at=at) if at in (None, number):
            await asyncio.sleep(seconds)
        case _:
            pass
