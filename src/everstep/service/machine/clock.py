"""The timestamps of one execution: never going back, and telling by themselves what came first.

Rule: operations (but for the execution's own), sorted by (end timestamp, order), stand in the sequence in which their
ends were committed, except that ends of one commit may share a timestamp. A replay delivers completions in that
sequence, so it must be the one in which the handler learnt of them. Therefore a change that completes an operation with
a smaller order than one completed earlier in the same millisecond takes the next millisecond, even if the wall clock is
not there yet. The beginning of a callback counts too: its id is something the handler waits for.
"""

from __future__ import annotations


def next_stamp(now: int, last: int, last_order: int, completes: int | None) -> int:
    """The timestamp of a change.

    last: the last timestamp given. last_order: the largest order completed at it. completes: the smallest order that
    the change completes, None if it completes nothing.
    """
    if now > last:
        return now
    if completes is not None and completes < last_order:
        return last + 1
    return last
