"""What the service does for an execution by itself: when something is due, and when another instance takes it over."""

from __future__ import annotations

from everstep.service.machine import execution
from everstep.service.machine.change import DAY_MS, Change
from everstep.service.machine.invocation import lose
from everstep.service.machine.invoke import dispatch
from everstep.service.machine.model import OPEN, ChainedCall, Execution, Transition
from everstep.service.machine.state import State
from everstep.service.machine.timers import fire_due


def fire_timers(state: State, now: int) -> Transition:
    """Do what is due. Asked again before its effects were performed, it names the same effects and writes nothing."""
    change = Change(state, now)
    known = change.execution
    if known.ended_at is not None:
        execution.notify_parent(change)
        is_kept = known.owes_parent or now < known.ended_at + known.terms.retention_days * DAY_MS
        if known.status == "DELETING" or not is_kept:
            execution.begin_deletion(change)
    elif known.times_out_at is not None and known.times_out_at <= now:
        execution.time_out(change)
    elif known.invocation is None:
        fire_due(change)
    elif known.invocation.expires_at is not None and known.invocation.expires_at <= now:
        lose(change, known.invocation)
    return change.finish()


def needs_recovery(known: Execution) -> bool:
    """Whether work for it may have been lost with the instance that held it: an invocation, or calls to functions."""
    return known.invocation is not None or (known.calls > 0 and known.status in OPEN)


def recover(state: State, now: int) -> Transition:
    """Take over from an instance that is gone: its invocation is lost, its calls are made again."""
    change = Change(state, now)
    if change.execution.invocation is not None:
        lose(change, change.execution.invocation)
    if change.is_open and change.calls:
        for operation_id, record in state.records.items():
            call = record.kept
            is_waiting = operation_id not in change.records and record.operation.status == "STARTED"
            if is_waiting and isinstance(call, ChainedCall):
                change.effects.append(dispatch(state.execution.id, operation_id, call))
    return change.finish()
