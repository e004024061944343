"""What a service tells whoever measures it, at its edges: the machine itself is pure, and what it does stands in its transitions.

Rule: it is told only what has happened, and nothing waits for it. A service without a meter asks for no time.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Protocol

from everstep.protocol.shapes import OperationUpdate
from everstep.service.machine.model import Transition


class Meter(Protocol):
    """Times are in seconds."""

    def recorded(self, transition: Transition) -> None:
        """A change that this service made is durable."""
        ...

    def began(self, function: str, waited_s: float) -> None:
        """An invocation begins, so long after it was owed."""
        ...

    def timer_fired(self, late_s: float) -> None:
        """An execution was moved on, so long after it was due."""
        ...

    def checkpointed(self, took_s: float, updates: Sequence[OperationUpdate]) -> None:
        """A checkpoint was answered."""
        ...

    def committed(self, took_s: float, writes: int) -> None:
        """A group of writes is durable."""
        ...

    def commit_failed(self) -> None: ...

    def delivered(self, webhook: str) -> None:
        """A webhook has taken an event."""
        ...

    def delivery_failed(self, webhook: str) -> None: ...

    def gave_up(self, webhook: str, count: int) -> None:
        """So many events will not be delivered any more."""
        ...
