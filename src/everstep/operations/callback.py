"""A callback: an outside system completes it, by its id.

Source: timeouts 0..99,999,999 s, 0 is none (Lambda API model); error types `Callback.Timeout` and `Callback.Heartbeat`.
"""

from __future__ import annotations

from everstep.durations import Duration, whole_seconds
from everstep.errors import CallbackError, CallbackFailed, CallbackSubmitterError, CallbackTimeout, StepError
from everstep.failures import restore, type_name
from everstep.protocol.limits import MAX_CALLBACK_TIMEOUT_S
from everstep.protocol.shapes import CallbackOptions, ErrorObject, Operation


def callback_options(timeout: Duration | None, heartbeat_timeout: Duration | None) -> CallbackOptions | None:
    """What START carries; None if there is no timeout at all. Raises UsageError on lengths out of range."""
    if timeout is None and heartbeat_timeout is None:
        return None
    return CallbackOptions(
        timeout_seconds=None if timeout is None else _seconds("timeout", timeout),
        heartbeat_timeout_seconds=None if heartbeat_timeout is None else _seconds("heartbeat_timeout", heartbeat_timeout),
    )


def callback_failure(recorded: Operation) -> CallbackError:
    """The error of a callback that ended without a result."""
    error = recorded.callback_details.error if recorded.callback_details else None
    return restore(error, CallbackTimeout if recorded.status == "TIMED_OUT" else CallbackFailed)


def submitter_failure(error: StepError) -> CallbackSubmitterError:
    """The error of a `wait_for_callback` whose submitter failed for good. data: the recorded type of what it raised."""
    return CallbackSubmitterError(error.message, type_name(CallbackSubmitterError), error.error_type, error.stack_trace)


def callback_error_kind(error: ErrorObject | None) -> type[CallbackError]:
    """The class that a recorded failure of a `wait_for_callback` is raised as."""
    match error.error_type if error else None:
        case "Callback.Timeout" | "Callback.Heartbeat":
            return CallbackTimeout
        case recorded if recorded == type_name(CallbackSubmitterError):
            return CallbackSubmitterError
        case _:
            return CallbackFailed


def _seconds(what: str, duration: Duration) -> int:
    return whole_seconds(what, duration, least=1, most=MAX_CALLBACK_TIMEOUT_S)
