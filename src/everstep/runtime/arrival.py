"""What an invocation brings, and whether a parked execution can go on from it.

Rule: an execution is continued only if everything that changed since it was parked is what the service changes by itself;
else another handler has gone on meanwhile, and it is replayed.
"""

from __future__ import annotations

import os
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Protocol

from msgspec import Struct

from everstep.client.api import DurableClient
from everstep.protocol.shapes import TERMINAL, Operation

if TYPE_CHECKING:
    from everstep.runtime.engine import Engine


class State(Protocol):
    """The recorded state that an invocation brings. Operations are in the order in which they began."""

    @property
    def updated_operation_ids(self) -> Sequence[str]:
        """What the service changed since the previous invocation."""
        ...

    def count(self) -> int | None:
        """How many operations there are; None if that can't be told without reading them all."""
        ...

    def get(self, operation_id: str, place: int) -> Operation | None:
        """One operation. place: where it was in the order when last seen."""
        ...

    async def all(self, client: DurableClient) -> Mapping[str, Operation]:
        """Everything, fetching further pages; a mapping of the caller's own."""
        ...


class MappingState:
    """State in the memory of this process, as an embedded service keeps it."""

    def __init__(self, operations: Mapping[str, Operation], updated_operation_ids: Sequence[str]) -> None:
        self._operations = operations
        self.updated_operation_ids = updated_operation_ids

    def count(self) -> int:
        return len(self._operations)

    def get(self, operation_id: str, place: int) -> Operation | None:
        del place
        return self._operations.get(operation_id)

    async def all(self, client: DurableClient) -> Mapping[str, Operation]:
        del client
        return dict(self._operations)


class Arrival(Struct, frozen=True):
    """One invocation, whoever brings it. lambda_context: what the runtime hands over, on AWS Lambda and in workers; None in other homes.

    is_alone: nothing but this execution runs on the host's loop, as on AWS Lambda.
    """

    arn: str
    token: str
    state: State
    request_id: str | None = None
    trace_header: str | None = None
    lambda_context: object = None
    is_alone: bool = False


def by_runtime(arn: str, token: str, state: State, lambda_context: object, *, is_alone: bool) -> Arrival:
    """An invocation by a runtime. Lambda's puts the trace header into the environment, our worker into the context."""
    request_id: object = getattr(lambda_context, "aws_request_id", None)
    trace_header: object = getattr(lambda_context, "trace_header", None)
    if is_alone and lambda_context is not None:
        trace_header = os.environ.get("_X_AMZN_TRACE_ID")
    return Arrival(
        arn,
        token,
        state,
        request_id=str(request_id) if request_id else None,
        trace_header=str(trace_header) if trace_header else None,
        lambda_context=lambda_context,
        is_alone=is_alone,
    )


def news_for(engine: Engine, state: State) -> list[Operation] | None:
    """What changed since the engine was parked; None if it can't be continued: something else than the service went on meanwhile."""
    journal = engine.journal
    if state.count() != len(journal.operations):
        return None
    news: list[Operation] = []
    for operation_id in engine.open:
        known = journal.operations[operation_id]
        current = state.get(operation_id, journal.place(operation_id))
        if current is None:
            return None
        if current is known or current.status == known.status:
            continue
        if not is_made_by_service(known, current):
            return None
        news.append(current)
    news.sort(key=lambda operation: journal.place(operation.id))
    return news


def is_made_by_service(known: Operation, current: Operation) -> bool:
    """Whether a change can have come about without any handler running."""
    match known.type:
        case "WAIT" | "CALLBACK" | "CHAINED_INVOKE":
            return current.status in TERMINAL
        case "STEP":
            return known.status == "PENDING" and current.status == "READY"
        case "EXECUTION" | "CONTEXT":
            return False
