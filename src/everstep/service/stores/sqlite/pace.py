"""Whether the disk is quick enough to be waited for on the event loop's own thread. See ADR 17.

Rule: only what has just been measured counts. One commit that takes longer, and others make the wait for a while.
"""

from __future__ import annotations

from typing import Final

BRIEF_S: Final = 0.001
"""What the loop may be held up by the disk: less than a collection of garbage may take."""
WRITE_S: Final = 0.0001
"""What a write may take besides, in Python and SQLite. Wherever it is made, the loop goes without the interpreter's lock meanwhile."""
PROOF: Final = 16
"""How many commits in a row must have been brief."""


class Pace:
    """What the last commits took."""

    def __init__(self) -> None:
        self._brief_in_a_row = 0

    def note(self, seconds: float, writes: int = 1) -> None:
        self._brief_in_a_row = self._brief_in_a_row + 1 if seconds < BRIEF_S + writes * WRITE_S else 0

    @property
    def is_brief(self) -> bool:
        return self._brief_in_a_row >= PROOF
