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


def owed_at(known: Execution) -> int | None:
    """From when the execution waits for somebody to invoke it."""
    return known.invoke_at if known.status == "RUNNING" and known.invocation is None else None


def needs_owner(known: Execution) -> bool:
    """Whether one instance has to be at work for it, or about to be: for an invocation that runs or is owed, for calls, for its removal."""
    return owed_at(known) is not None or known.owes_parent or known.deletion_requested_at is not None or needs_recovery(known)


def recover(state: State, now: int) -> Transition:
    """Take over from an instance that is gone: its invocation is lost, its calls are made again."""
    change = Change(state, now)
    if change.execution.invocation is not None:
        lose(change, change.execution.invocation)
    _call_again(change)
    return change.finish()


def call_again(state: State, now: int) -> Transition:
    """Name the calls that have not ended, and write nothing."""
    change = Change(state, now)
    _call_again(change)
    return change.finish()


def _call_again(change: Change) -> None:
    state = change.state
    if change.is_open and change.calls:
        for operation_id, record in state.records.items():
            call = record.kept
            is_waiting = operation_id not in change.records and record.operation.status == "STARTED"
            if is_waiting and isinstance(call, ChainedCall):
                change.effects.append(dispatch(state.execution.id, operation_id, call))
