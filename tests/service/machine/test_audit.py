"""What the audit finds. (That it finds nothing in what the machine made is checked by World, on every transition.)"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Final, TypeAlias

import pytest
from msgspec.structs import replace
from tests.service.machine.updates import callback, context, invoke, step, wait
from tests.service.machine.world import World

from everstep.protocol.shapes import CallbackDetails, ErrorObject, Operation
from everstep.service.machine.audit import Finding, audit
from everstep.service.machine.model import Event, Execution, Record, Terms

Stored: TypeAlias = tuple[Execution, list[Record], list[Event]]
DAY_MS: Final = 86_400_000


def waiting() -> Stored:
    """An execution that has done, and waits for, a bit of everything. By order: 1 context, 2 step, 3 to 7 as they are called."""
    world = World(Terms(timeout_s=3600, retention_days=1))
    world.begin()
    world.send(context("c0"), step("START", "s0", parent_id="c0"))
    world.send(step("SUCCEED", "s0", payload="1"))
    world.send(wait("w0", 60), callback("k0", timeout_s=50), invoke("plain", "i0"), step("START", "s1"), step("START", "s2"))
    world.send(step("RETRY", "s1", delay_s=9), step("SUCCEED", "s2", payload="2"))
    world.suspend()
    return stored(world)


def ended() -> Stored:
    world = World(Terms(timeout_s=3600, retention_days=1))
    world.begin()
    world.send(step("START", "s0"))
    world.send(step("SUCCEED", "s0", payload="1"))
    world.succeed()
    return stored(world)


def stored(world: World) -> Stored:
    return world.execution, list(world.state.records.values()), world.history


def found(one: Stored, now: int | None = None) -> Sequence[Finding]:
    execution, records, events = one
    return audit(execution, records, events, execution.clock_ms if now is None else now)


def with_execution(one: Stored, **changes: object) -> Stored:
    return replace(one[0], **changes), one[1], one[2]


def with_record(one: Stored, order: int, **changes: object) -> Stored:
    execution, records, events = one
    return execution, [replace(record, **changes) if record.order == order else record for record in records], events


def with_operation(one: Stored, order: int, **changes: object) -> Stored:
    operation: Operation = replace(one[1][order].operation, **changes)
    return with_record(one, order, operation=operation)


def without_record(one: Stored, order: int) -> Stored:
    return one[0], [record for record in one[1] if record.order != order], one[2]


def with_event(one: Stored, kind: str, **changes: object) -> Stored:
    at = next(place for place, event in enumerate(one[2]) if event.type == kind)
    return one[0], one[1], [*one[2][:at], replace(one[2][at], **changes), *one[2][at + 1 :]]


def without_event(one: Stored, kind: str) -> Stored:
    """And as many events as the execution says."""
    events = [event for event in one[2] if event.type != kind]
    events = [replace(event, event_id=number) for number, event in enumerate(events, start=1)]
    return replace(one[0], events=len(events)), one[1], events


def test_nothing_is_wrong_with_what_the_machine_made() -> None:
    assert found(waiting()) == found(ended()) == []


@pytest.mark.parametrize(
    ("spoilt", "rule", "text"),
    [
        (lambda: (*waiting()[:2], waiting()[2][:-1]), "events", "of 12 events these are missing: 12"),
        (lambda: with_execution(waiting(), events=2), "events", "beyond the last one, 2: 3, 4, 5"),
        (lambda: with_event(waiting(), "WaitStarted", timestamp=1), "events", "is dated before event"),
        (lambda: with_event(ended(), "ExecutionStarted", type="StepStarted"), "events", "the first event is StepStarted"),
        (lambda: with_event(waiting(), "WaitStarted", order=77), "events", "about an operation that does not exist, 77"),
        (lambda: with_event(waiting(), "WaitStarted", order=4), "events", "WaitStarted, is about operation 4 (CALLBACK"),
        (lambda: with_event(waiting(), "WaitStarted", order=None), "events", "WaitStarted, is about no operation"),
        (lambda: without_event(waiting(), "WaitStarted"), "events", "operation 3 (WAIT, id w0) began 0 times"),
        (lambda: without_event(ended(), "StepSucceeded"), "events", "is SUCCEEDED and has no end in the history"),
        (lambda: with_event(ended(), "StepSucceeded", type="StepFailed"), "events", "is SUCCEEDED, and the history says StepFailed"),
        (lambda: without_record(waiting(), 2), "operations", "of 8 operations these are missing, by order: 2"),
        (lambda: with_execution(waiting(), operations=3), "operations", "beyond the last one, 2: 3, 4, 5, 6, 7"),
        (lambda: with_operation(waiting(), 3, id="k0"), "operations", "2 operations have the id k0"),
        (lambda: with_operation(waiting(), 0, id="x"), "operations", "is in the wrong place"),
        (lambda: with_operation(waiting(), 3, status="PENDING"), "operations", "is PENDING, which its type never is"),
        (lambda: with_operation(waiting(), 2, end_timestamp=None), "operations", "is SUCCEEDED and has no end"),
        (lambda: with_operation(waiting(), 2, callback_details=CallbackDetails()), "operations", "callback_details of another type"),
        (lambda: with_record(waiting(), 2, revision=99), "operations", "changed at revision 99"),
        (lambda: with_operation(waiting(), 2, parent_id="nobody"), "parents", "a parent that does not exist, nobody"),
        (lambda: with_operation(waiting(), 2, parent_id="w0"), "parents", "a parent that cannot be one, operation 3 (WAIT"),
        (lambda: with_execution(ended(), status="RUNNING"), "end", "the execution is RUNNING, its own operation SUCCEEDED"),
        (lambda: with_execution(ended(), status="FAILED"), "end", "the execution is FAILED, its own operation SUCCEEDED"),
        (lambda: without_event(ended(), "ExecutionSucceeded"), "end", "is SUCCEEDED and has no closing event"),
        (lambda: with_event(ended(), "ExecutionSucceeded", type="ExecutionFailed"), "end", "the history ends with ExecutionFailed"),
        (lambda: with_event(waiting(), "WaitStarted", type="ExecutionStopped"), "end", "is RUNNING and has ExecutionStopped"),
        (lambda: with_execution(ended(), status="DELETING"), "end", "is DELETING, and its deletion was never asked for"),
        (lambda: with_execution(waiting(), result="1"), "end", "is RUNNING and has a result"),
        (lambda: with_execution(ended(), error=ErrorObject()), "result", "the outcome does not fit it"),
        (lambda: with_record(waiting(), 3, due_at=None), "timers", "operation 3 (WAIT, id w0) is STARTED, and no timer"),
        (lambda: with_record(waiting(), 6, due_at=None), "timers", "is PENDING, and no timer"),
        (lambda: with_record(waiting(), 4, due_at=None), "timers", "operation 4 (CALLBACK, id k0) is STARTED, and no timer"),
        (lambda: with_record(waiting(), 2, due_at=5), "timers", "is SUCCEEDED, and has a timer"),
        (lambda: with_execution(waiting(), calls=0), "timers", "waits for 1 chained invokes, and counts 0"),
        (lambda: with_execution(waiting(), due_at=None), "timers", "is due never"),
        (lambda: with_execution(ended(), due_at=None), "timers", "an execution that has ended is removed at"),
    ],
)
def test_what_is_wrong_is_found(spoilt: Callable[[], Stored], rule: str, text: str) -> None:
    findings = found(spoilt())

    assert any(one.rule == rule and text in one.text and not one.is_warning for one in findings), findings


def test_an_execution_that_waits_for_nothing_is_found() -> None:
    world = World()
    world.begin()
    world.send(step("START", "s0"))
    world.suspend()
    execution, records, events = stored(world)

    [finding] = found(with_execution((execution, records, events), invoke_at=None, due_at=execution.times_out_at))

    assert "it waits for nothing" in finding.text


def test_what_is_late_or_without_a_result_is_a_warning() -> None:
    execution, records, events = ended()
    assert execution.ended_at is not None

    findings = found(with_execution((execution, records, events), result=None), execution.ended_at + 4 * DAY_MS)

    assert [(one.rule, one.is_warning) for one in findings] == [("result", True)]
    [late] = found((execution, records, events), execution.ended_at + 4 * DAY_MS)
    assert late.is_warning
    assert "3 days longer than its retention of 1 days" in late.text
