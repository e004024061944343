"""Whether the disk is quick enough to be waited for on the event loop's own thread. See ADR 17.

Rule: only what has just been measured counts. One commit that takes longer, and others make the wait for a while.
"""

from __future__ import annotations

from typing import Final

BRIEF_S: Final = 0.001
"""What the loop may be held up by a commit: less than a collection of garbage may take."""
PROOF: Final = 16
"""How many commits in a row must have been brief."""


class Pace:
    """What the last small commits took."""

    def __init__(self) -> None:
        self._brief_in_a_row = 0

    def note(self, seconds: float) -> None:
        self._brief_in_a_row = self._brief_in_a_row + 1 if seconds < BRIEF_S else 0

    @property
    def is_brief(self) -> bool:
        return self._brief_in_a_row >= PROOF
