"""Histories as trees of operations with their spans, and what many of them say together."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from everstep.console.api import Found
from everstep.console.figures import Pace, figures, pace, percentile
from everstep.console.timeline import Timeline, timeline
from everstep.console.values import ago, clock_time, duration, json_problem, percent, pretty


def event(kind: str, at: float, key: str = "", parent: str = "", **details: object) -> dict[str, object]:
    return {"EventType": kind, "EventTimestamp": at, "Id": key, "ParentId": parent, "Name": key, f"{kind}Details": details}


def spans(told: Timeline, key: str) -> list[tuple[str, float, float | None]]:
    (operation,) = [one for one in told.operations if one.id == key]
    return [(span.kind, span.starts_at, span.ends_at) for span in operation.spans]


def test_a_step_that_is_tried_again_has_a_span_for_each_attempt_and_each_delay() -> None:
    told = timeline(
        [
            event("StepStarted", 1, "pay"),
            event("StepFailed", 2, "pay", RetryDetails={"CurrentAttempt": 1, "NextAttemptDelaySeconds": 3}),
            event("StepStarted", 5, "pay"),
            event("StepSucceeded", 6, "pay", RetryDetails={"CurrentAttempt": 2}),
        ]
    )

    assert spans(told, "pay") == [("failed-attempt", 1, 2), ("delay", 2, 5), ("attempt", 5, 6)]
    assert (told.operations[0].status, told.operations[0].attempts) == ("SUCCEEDED", 2)


def test_what_an_execution_stands_at_is_the_innermost_that_is_open() -> None:
    told = timeline([event("ContextStarted", 1, "map"), event("WaitStarted", 2, "rest", "map", ScheduledEndTimestamp=9.0)])

    assert [one.id for one in told.waits_for()] == ["rest"]
    assert (told.operations[1].due_at, told.operations[1].depth) == (9.0, 1)


def test_nothing_is_open_when_the_execution_has_ended() -> None:
    told = timeline([event("WaitStarted", 2, "rest"), event("ExecutionStopped", 3)])

    assert told.operations[0].status == "CANCELLED"
    assert not told.waits_for()


KINDS = [f"{kind}{what}" for kind in ("Step", "Wait", "Callback", "Context") for what in ("Started", "Succeeded", "Failed", "TimedOut")]
histories = st.lists(
    st.tuples(st.sampled_from([*KINDS, "Unheard", "InvocationCompleted"]), st.sampled_from("abcdef"), st.sampled_from(["", "a", "b", "x"]))
)


@given(histories)
def test_every_operation_of_a_history_without_cycles_is_shown_once(history: list[tuple[str, str, str]]) -> None:
    events = [event(kind, at, key, parent if parent < key else "") for at, (kind, key, parent) in enumerate(history)]

    told = timeline(events)

    named = {key for kind, key, _ in history if kind in KINDS}
    assert sorted(one.id for one in told.operations) == sorted(named)
    assert all(span.ends_at is None or span.ends_at >= span.starts_at for one in told.operations for span in one.spans)


def test_figures_tell_operations_apart_by_name() -> None:
    told = timeline(
        [
            event("StepStarted", 1, "pay"),
            event("StepFailed", 3, "pay"),
            event("ChainedInvokeStarted", 3, "ask"),
            event("StepStarted", 3, "work"),
        ]
    )

    rows: dict[str, Any] = {row.title: row for row in figures([told, told])}

    assert (rows["pay"].count, rows["pay"].failures, rows["pay"].p50_s, rows["pay"].stuck) == (2, 2, 2, 0)
    assert (rows["ask"].p50_s, rows["ask"].stuck, rows["ask"].searched) == (None, 2, {"waiting": "ask", "kind": "CHAINED_INVOKE"})
    assert (rows["work"].stuck, rows["work"].searched) == (2, None)


def test_the_iterations_of_a_map_count_as_one_operation() -> None:
    iterations = [{**event("ContextStarted", 1, f"map-item-{number}"), "SubType": "MapIteration"} for number in range(3)]

    assert [(row.title, row.count) for row in figures([timeline(iterations)])] == [("map-item", 3)]


def found(status: str, started: float, ended: float | None) -> Found:
    return Found("arn", "name", "arn", status, started, ended)


def test_the_pace_of_executions_is_how_many_start_and_fail_and_how_long_they_take() -> None:
    executions = [found("RUNNING", 3_600, None), found("SUCCEEDED", 1_800, 1_803), found("FAILED", 0, 1)]

    assert pace(executions, 7_200) == Pace(count=3, per_hour=1.5, failed=0.5, p50_s=1, p99_s=3)
    assert pace([], 7_200) is None


@pytest.mark.parametrize(("share", "text"), [(0, "0%"), (0.0001, "< 0.1%"), (0.125, "12.5%"), (1, "100%")])
def test_shares_are_written_as_percentages(share: float, text: str) -> None:
    assert percent(share) == text


@given(st.lists(st.floats(0, 1e6), min_size=1), st.integers(1, 100))
def test_a_percentile_is_a_value_that_occurred(values: list[float], percent: int) -> None:
    found = percentile(values, percent)

    assert found in values
    assert sum(value <= found for value in values) * 100 >= percent * len(values)


@pytest.mark.parametrize(
    ("seconds", "text"),
    [
        (0.0142, "14 ms"),
        (1.254, "1.25 s"),
        (59.9, "59.9 s"),
        (60, "1 min"),
        (200, "3 min 20 s"),
        (7200, "2 h"),
        (100_000, "1 d 3 h"),
        (-1, "0 ms"),
    ],
)
def test_durations_are_written_in_the_units_that_matter(seconds: float, text: str) -> None:
    assert duration(seconds) == text


def test_times_are_written_as_shortly_as_they_are_clear() -> None:
    noon = 1_795_521_600.0

    assert clock_time(noon, noon + 60) == "12:00:00"
    assert clock_time(noon - 86_400 * 2, noon) == "22 Nov 12:00"
    assert ago(noon - 3, noon) == "3 s ago"
    assert ago(noon + 60, noon) == "in 1 min"


@given(st.text())
def test_any_text_can_be_shown_as_a_payload(text: str) -> None:
    assert pretty(text) is not None
    assert json_problem(text) is None or pretty(text) == text
