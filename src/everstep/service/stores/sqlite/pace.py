"""Whether the disk is quick enough to be waited for on the event loop's own thread. See ADR 17.

Rule: commits are tried on the loop again and again, and the seldomer the more of these tries took long.

What a commit takes in the writer thread says little against the disk: beside a busy loop, most of it is waiting for the interpreter's
lock. So a long one there proves nothing; a brief one does.
"""

from __future__ import annotations

from typing import Final

BRIEF_S: Final = 0.001
"""What the loop may be held up by the disk: less than a collection of garbage may take."""
WRITE_S: Final = 0.0001
"""What a write may take besides, in Python and SQLite. Wherever it is made, the loop goes without the interpreter's lock meanwhile."""
PROOF: Final = 16
"""How many commits are made in the thread at first, and after a long one; and how many brief ones on the loop make up for that."""
LONGEST_PAUSE: Final = 1_024


class Pace:
    """What the last commits took."""

    def __init__(self) -> None:
        self._brief_in_a_row = 0
        self._pause = PROOF  # after the next long one
        self._remaining = PROOF  # in the thread, before the next on the loop

    def took_on_loop(self, seconds: float, writes: int = 1) -> None:
        if _is_brief(seconds, writes):
            self._brief_in_a_row += 1
            if self._brief_in_a_row == PROOF:
                self._pause = PROOF
        else:
            self._brief_in_a_row = 0
            self._remaining = self._pause
            self._pause = min(2 * self._pause, LONGEST_PAUSE)

    def took_in_thread(self, seconds: float, writes: int = 1) -> None:
        """The last one before a try on the loop must have been brief."""
        if self._remaining > 1 or (self._remaining and _is_brief(seconds, writes)):
            self._remaining -= 1

    @property
    def is_brief(self) -> bool:
        """Whether the next commit may be made on the loop."""
        return not self._remaining


def _is_brief(seconds: float, writes: int) -> bool:
    return seconds < BRIEF_S + writes * WRITE_S
