"""How far a replay has come.

Rule: code is replayed as long as something recorded is ahead of it: an operation to be called, or an end to be delivered.
Once live work has begun, everything is new.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping

from everstep.protocol.shapes import Operation
from everstep.replay.journal import visible_ids


class Progress:
    """What of the recorded operations the handler has come past."""

    __slots__ = ("_ahead", "_operations", "_passed", "is_live", "pass_by")

    def __init__(self, operations: Mapping[str, Operation]) -> None:
        self._operations = operations
        self._passed: set[str] = set()
        self._ahead: set[str] | None = None
        self.is_live = False
        self.pass_by: Callable[[str], None] = self._passed.add
        """To be called with the id of a record that the handler has come past."""

    @property
    def is_replaying(self) -> bool:
        if self.is_live:
            return False
        if self._ahead is None:  # worked out when it is first asked for: it looks at every record
            self._ahead = visible_ids(self._operations) - self._passed
            self.pass_by = self._ahead.discard
        return bool(self._ahead)
