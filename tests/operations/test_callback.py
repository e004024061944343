from __future__ import annotations

import math
from collections.abc import Mapping
from datetime import timedelta

import pytest

from everstep.durations import Duration
from everstep.errors import CallbackError, CallbackFailed, CallbackSubmitterError, CallbackTimeout, StepError, UsageError
from everstep.failures import describe, restore
from everstep.operations.callback import callback_error_kind, callback_failure, callback_options, submitter_failure
from everstep.protocol.shapes import CallbackDetails, CallbackOptions, ErrorObject, Operation, OperationStatus


def ended(status: OperationStatus, error: ErrorObject | None) -> Operation:
    return Operation(id="1", type="CALLBACK", status=status, callback_details=CallbackDetails(callback_id="c", error=error))


def test_without_timeouts_there_are_no_options() -> None:
    assert callback_options(None, None) is None


@pytest.mark.parametrize(
    ("timeout", "heartbeat", "options"),
    [
        (60, None, CallbackOptions(timeout_seconds=60)),
        (None, 1.5, CallbackOptions(heartbeat_timeout_seconds=2)),
        (timedelta(days=3), timedelta(minutes=1), CallbackOptions(timeout_seconds=259_200, heartbeat_timeout_seconds=60)),
        (99_999_999, 99_999_999, CallbackOptions(timeout_seconds=99_999_999, heartbeat_timeout_seconds=99_999_999)),
    ],
)
def test_timeouts_are_whole_seconds(timeout: Duration | None, heartbeat: Duration | None, options: CallbackOptions) -> None:
    assert callback_options(timeout, heartbeat) == options


@pytest.mark.parametrize(
    "given",
    [{"timeout": 0}, {"timeout": -1}, {"timeout": 100_000_000}, {"heartbeat_timeout": 0}, {"heartbeat_timeout": math.inf}],
    ids=repr,
)
def test_a_timeout_out_of_range_is_refused_by_name(given: Mapping[str, Duration]) -> None:
    [(name, value)] = given.items()

    with pytest.raises(UsageError, match=rf"^{name} is {value}; "):
        callback_options(given.get("timeout"), given.get("heartbeat_timeout"))


def test_what_the_outside_reported_is_raised_as_callback_failed() -> None:
    failure = callback_failure(
        ended("FAILED", ErrorObject(error_type="Denied", error_message="no", error_data="42", stack_trace=["at desk"]))
    )

    assert type(failure) is CallbackFailed
    assert (failure.message, failure.error_type, failure.data, failure.stack_trace) == ("no", "Denied", "42", ("at desk",))


def test_an_outside_system_can_name_a_python_class() -> None:
    failure = callback_failure(ended("FAILED", ErrorObject(error_type="PermissionError", error_message="no")))

    assert isinstance(failure, CallbackFailed)
    assert isinstance(failure, PermissionError)


@pytest.mark.parametrize("kind", ["Callback.Timeout", "Callback.Heartbeat", None])
def test_a_callback_that_nobody_completed_timed_out(kind: str | None) -> None:
    failure = callback_failure(ended("TIMED_OUT", None if kind is None else ErrorObject(error_type=kind)))

    assert type(failure) is CallbackTimeout
    assert failure.error_type == kind


@pytest.mark.parametrize(
    ("recorded", "kind"),
    [
        (ErrorObject(error_type="Callback.Timeout"), CallbackTimeout),
        (ErrorObject(error_type="Callback.Heartbeat"), CallbackTimeout),
        (ErrorObject(error_type="everstep.errors.CallbackSubmitterError"), CallbackSubmitterError),
        (ErrorObject(error_type="ValueError"), CallbackFailed),
        (ErrorObject(), CallbackFailed),
        (None, CallbackFailed),
    ],
)
def test_a_recorded_failure_of_wait_for_callback_says_how_it_failed(recorded: ErrorObject | None, kind: type[CallbackError]) -> None:
    assert callback_error_kind(recorded) is kind


def test_a_submitters_failure_survives_its_record() -> None:
    step = restore(ErrorObject(error_type="ConnectionError", error_message="refused", stack_trace=["line 1"]), StepError)

    recorded = describe(submitter_failure(step))
    failure = restore(recorded, callback_error_kind(recorded))

    assert type(failure) is CallbackSubmitterError
    assert (failure.message, failure.data, failure.stack_trace) == ("refused", "ConnectionError", ("line 1",))
