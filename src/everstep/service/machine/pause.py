"""Pausing and resuming. While paused no invocation starts; everything else goes on and is recorded."""

from __future__ import annotations

from msgspec.structs import replace

from everstep.service.machine.change import Change
from everstep.service.machine.execution import MAX_LIFETIME_MS
from everstep.service.machine.model import Pause, Resume, Transition
from everstep.service.machine.rejection import conflict
from everstep.service.machine.rules import IDEMPOTENCY_WINDOW_MS
from everstep.service.machine.state import State
from everstep.service.machine.validation import check_pause


def pause_execution(
    state: State,
    now: int,
    *,
    reason: str | None = None,
    stops_timeout: bool = True,
    client_token: str | None = None,
) -> Transition:
    """Let no further invocation start; a running one ends at its next checkpoint. Raises Rejected."""
    check_pause(reason, client_token)
    change = Change(state, now)
    last = change.execution.pause
    if last is not None and _is_repeated(last, client_token, now) and (last.reason, last.stops_timeout) == (reason, stops_timeout):
        return change.finish()
    if change.execution.status != "RUNNING":
        raise conflict("The durable execution is already paused." if change.is_open else "The durable execution is closed.")
    asked = Pause(requested_at=change.stamp, stops_timeout=stops_timeout, reason=reason, client_token=client_token)
    change.execution = replace(change.execution, status="PAUSING", pause=asked)
    if change.execution.invocation is None:
        stand_still(change)
    return change.finish()


def stand_still(change: Change) -> None:
    """Turn PAUSING into PAUSED: the invocation that was waited for has ended or can do nothing more."""
    execution = change.execution
    asked = execution.pause
    assert asked is not None
    assert execution.times_out_at is not None
    times_out_at = execution.started_at + MAX_LIFETIME_MS if asked.stops_timeout else execution.times_out_at
    change.execution = replace(
        execution,
        status="PAUSED",
        times_out_at=times_out_at,
        pause=replace(asked, began_at=change.stamp, held=execution.times_out_at if asked.stops_timeout else None),
    )
    details: dict[str, object] = {"PauseRequestTimestamp": asked.requested_at, "ExecutionTimeoutPaused": asked.stops_timeout}
    if asked.reason is not None:
        details["Reason"] = {"Payload": asked.reason}
    change.emit("ExecutionPaused", 0, details)


def resume_execution(state: State, now: int, *, reason: str | None = None, client_token: str | None = None) -> Transition:
    """Go on: at once, if the pause held an invocation back. Raises Rejected."""
    check_pause(reason, client_token)
    change = Change(state, now)
    last = change.execution.resume
    if last is not None and _is_repeated(last, client_token, now) and last.reason == reason:
        return change.finish()
    if change.execution.status not in ("PAUSING", "PAUSED"):
        raise conflict("The durable execution is not paused." if change.is_open else "The durable execution is closed.")
    was_paused = change.execution.status == "PAUSED"
    asked = Resume(requested_at=change.stamp, reason=reason, client_token=client_token)
    change.execution = replace(change.execution, status="RUNNING", resume=asked, times_out_at=_timeout_after_pause(change))
    if was_paused:  # a pause that never began leaves no trace
        details: dict[str, object] = {"ResumeRequestTimestamp": asked.requested_at}
        if reason is not None:
            details["Reason"] = {"Payload": reason}
        change.emit("ExecutionResumed", 0, details)
    return change.finish()


def _timeout_after_pause(change: Change) -> int | None:
    pause = change.execution.pause
    if pause is None or pause.held is None or pause.began_at is None:
        return change.execution.times_out_at
    return min(pause.held + change.stamp - pause.began_at, change.execution.started_at + MAX_LIFETIME_MS)


def _is_repeated(last: Pause | Resume, client_token: str | None, now: int) -> bool:
    return client_token is not None and last.client_token == client_token and now - last.requested_at < IDEMPOTENCY_WINDOW_MS
