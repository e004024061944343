"""The timers of operations: ends of waits, delays of retries, timeouts of callbacks, outcomes that were kept aside.

Rule: nothing fires early, and nothing beside a running invocation: its checkpoints fire what is due, or its end does,
so that an invocation's events stay together.
"""

from __future__ import annotations

from everstep.service.machine import callback, invoke, step, wait
from everstep.service.machine.change import Change


def fire_due(change: Change) -> None:
    """Move every operation on whose timer is due, earliest first; all of them share one timestamp."""
    due = change.due()
    if not due:
        return
    change.set_stamp(completes=min(record.order for record in due))
    for record in due:
        match record.operation.type:
            case "WAIT":
                wait.elapsed(change, record)
            case "STEP":
                step.ready(change, record)
            case "CALLBACK":
                callback.timed_out(change, record)
            case "CHAINED_INVOKE":
                invoke.due(change, record)
            case "EXECUTION" | "CONTEXT":
                raise AssertionError("no timer is ever set for it")
