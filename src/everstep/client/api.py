"""The two calls that a running handler makes, whatever carries them.

Rule: a transport retries what is safe to retry (the same client token makes a repeated checkpoint harmless) and then
raises ServiceError, saying whether trying the whole invocation again can help.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Protocol, runtime_checkable

from msgspec import Struct

from everstep.protocol.shapes import Operation, OperationUpdate


class Checkpointed(Struct, frozen=True, kw_only=True):
    """The answer to a checkpoint.

    token: for the next call. None: the execution is closed or pausing, and this invocation must end.
    operations: everything that changed since this invocation last saw state, in the order in which it began.
    next_marker: not empty if `get_state` has more of the change.
    """

    token: str | None
    operations: Sequence[Operation]
    next_marker: str | None = None


class StatePage(Struct, frozen=True, kw_only=True):
    """A page of the execution's operations, in the order in which they began."""

    operations: Sequence[Operation]
    next_marker: str | None = None


@runtime_checkable
class DurableClient(Protocol):
    """What the SDK needs of the service. Raises everstep.errors.ServiceError."""

    async def checkpoint(self, arn: str, token: str, updates: Sequence[OperationUpdate], client_token: str) -> Checkpointed:
        """Record `updates`, in order, all or none. No updates: ask only what changed (due timers are fired first)."""
        ...

    async def get_state(self, arn: str, token: str, marker: str, max_items: int = 1000) -> StatePage:
        """The page of operations that `marker` names."""
        ...
