"""What every store does. A new store joins by being added to `conftest.opening`."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import pytest
from msgspec.structs import replace
from tests.service.stores.conftest import Opening
from tests.service.stores.rows import NOON, execution, hashed, step, step_events, step_write

from everstep.protocol.shapes import (
    CallbackDetails,
    ChainedInvokeDetails,
    ContextDetails,
    ErrorObject,
    ExecutionDetails,
    ExecutionStatus,
    Operation,
    OperationStatus,
    OperationType,
    WaitDetails,
)
from everstep.service.machine.model import Event, Execution, Invocation, Record
from everstep.service.machine.waiting import Waiting
from everstep.service.stores.api import Due, Filter, Position, Write


async def test_what_was_committed_is_loaded(opening: Opening) -> None:
    new = execution(input_payload='{"total": 3}', due_at=NOON + 5)
    records = [step(1, result='"paid"'), step(2)]

    async with opening() as store:
        taken = await store.commit([Write(execution=new, records=records, events=step_events(1))])
        snapshot = await store.load(new.id)

    assert taken == [True]
    assert snapshot is not None
    assert snapshot.execution == new
    assert snapshot.records == records


async def test_an_unknown_execution_is_none(opening: Opening) -> None:
    async with opening() as store:
        assert await store.load("nobody") is None
        assert await store.find("order", "nobody") is None
        assert await store.events("nobody", limit=10) == []
        assert await store.due(limit=10) == []
        assert await store.to_recover() == []


async def test_everything_is_there_when_the_store_is_opened_again(opening: Opening) -> None:
    async with opening() as store:
        await store.commit([Write(execution=execution(due_at=NOON), records=[step(1)], events=step_events(1))])
        before = (await store.load("e-1"), await store.events("e-1", limit=10), await store.due(limit=9))
    async with opening() as store:
        after = (await store.load("e-1"), await store.events("e-1", limit=10), await store.due(limit=9))
        taken = await store.commit([step_write("e-1", 2)])

    assert after == before
    assert taken == [True]


async def test_records_of_every_type_come_back_as_they_were(opening: Opening) -> None:
    error = ErrorObject(error_type="ValueError", error_message="no", error_data="{}", stack_trace=["a", "b"])
    operations = [
        Operation(id="e-1", type="EXECUTION", status="STARTED", start_timestamp=1, execution_details=ExecutionDetails(input_payload="[1]")),
        Operation(id=hashed("1"), type="CONTEXT", status="FAILED", context_details=ContextDetails(error=error, replay_children=True)),
        Operation(
            id="by-hand", type="WAIT", status="STARTED", wait_details=WaitDetails(scheduled_end_timestamp=NOON), parent_id=hashed("1")
        ),
        Operation(id="x" * 32, type="CALLBACK", status="STARTED", callback_details=CallbackDetails(callback_id="c", result="é")),
        Operation(id=hashed("5").upper(), type="CHAINED_INVOKE", status="STOPPED", chained_invoke_details=ChainedInvokeDetails(result="1")),
        Operation(id="0" * 64, type="STEP", status="READY", parent_id="y" * 32),
    ]
    records = [Record(operation=operation, order=order, revision=1, due_at=NOON + order) for order, operation in enumerate(operations)]

    async with opening() as store:
        await store.commit([Write(execution=execution(input_payload="[1]"), records=records)])
        snapshot = await store.load("e-1")

    assert snapshot is not None
    assert snapshot.records == records


async def test_a_record_written_again_is_replaced(opening: Opening) -> None:
    async with opening() as store:
        await store.commit([Write(execution=execution(), records=[step(1), step(2)])])
        await store.commit([Write(execution=execution(revision=2), records=[step(1, revision=2, result="1")])])
        snapshot = await store.load("e-1")

    assert snapshot is not None
    assert snapshot.records == [step(1, revision=2, result="1"), step(2)]


async def test_the_input_stays_and_the_result_comes_with_the_end(opening: Opening) -> None:
    ended = execution(revision=3, input_payload="{}", status="SUCCEEDED", result="[1, 2]")

    async with opening() as store:
        await store.commit([Write(execution=execution(input_payload="{}"))])
        await store.commit([Write(execution=execution(revision=2, input_payload="{}"))])
        running = await store.load("e-1")
        await store.commit([Write(execution=ended)])
        closed = await store.load("e-1")

    assert running is not None
    assert running.execution == execution(revision=2, input_payload="{}")
    assert closed is not None
    assert closed.execution == ended


@pytest.mark.parametrize("payload", [None, "", "null", "\x00", "é" * 100_000])
async def test_payloads_come_back_to_the_letter(opening: Opening, payload: str | None) -> None:
    async with opening() as store:
        await store.commit([Write(execution=execution(input_payload=payload), records=[step(1, result=payload)])])
        snapshot = await store.load("e-1")

    assert snapshot is not None
    assert snapshot.execution.input == payload
    assert snapshot.records == [step(1, result=payload)]


# Refusals


@pytest.mark.parametrize("revision", [1, 2, 4, 9])
async def test_a_write_that_does_not_follow_the_stored_revision_is_refused(opening: Opening, revision: int) -> None:
    async with opening() as store:
        await store.commit([step_write("e-1", 1), step_write("e-1", 2)])
        before = await store.load("e-1")
        taken = await store.commit([step_write("e-1", revision, result="other")])
        after = await store.load("e-1")

    assert taken == [False]
    assert after == before


async def test_a_write_to_an_execution_that_is_not_there_is_refused(opening: Opening) -> None:
    async with opening() as store:
        assert await store.commit([step_write("e-1", 2)]) == [False]
        assert await store.load("e-1") is None
        assert await store.events("e-1", limit=10) == []


async def test_a_taken_name_is_refused_for_the_same_function_only(opening: Opening) -> None:
    async with opening() as store:
        taken = await store.commit(
            [
                Write(execution=execution("e-1", name="order-17")),
                Write(execution=execution("e-2", name="order-17"), events=step_events(1)),
                Write(execution=execution("e-3", name="order-17", function="invoice")),
            ]
        )
        again = await store.commit([Write(execution=execution("e-4", name="order-17"))])
        holder = await store.find("order", "order-17")
        loser = await store.load("e-2")

    assert taken == [True, False, True]
    assert again == [False]
    assert holder == execution("e-1", name="order-17")
    assert loser is None


async def test_a_refusal_leaves_the_rest_of_its_group_alone(opening: Opening) -> None:
    async with opening() as store:
        taken = await store.commit(
            [step_write("e-1", 1), step_write("e-2", 7), step_write("e-1", 2), step_write("e-1", 2, result="late"), step_write("e-3", 1)]
        )
        first, second, third = await store.load("e-1"), await store.load("e-2"), await store.load("e-3")
        events = await store.events("e-1", limit=10)

    assert taken == [True, False, True, False, True]
    assert first is not None
    assert first.execution.revision == 2
    assert first.records[-1] == step(2, revision=2, result="{}")
    assert [event.event_id for event in events] == [2, 3, 4, 5]
    assert second is None
    assert third is not None


async def test_what_rests_on_a_refused_write_is_refused_with_it(opening: Opening) -> None:
    async with opening() as store:
        await store.commit([step_write("e-1", 1), step_write("e-1", 2)])

        assert await store.commit([step_write("e-1", 2), step_write("e-1", 3), step_write("e-1", 4)]) == [False, False, False]
        assert await store.commit([step_write("e-1", 3), step_write("e-1", 4)]) == [True, True]


async def test_a_write_that_no_store_can_hold_raises_and_nothing_is_written(opening: Opening) -> None:
    half_a_character = "\ud800"
    async with opening() as store:
        try:
            await store.commit([step_write("e-1", 1), Write(execution=execution("e-2", input_payload=half_a_character))])
        except UnicodeEncodeError:
            assert await store.load("e-1") is None
        assert await store.commit([step_write("e-3", 1)]) == [True]


async def test_many_writes_in_one_group(opening: Opening) -> None:
    identities = [f"e-{number}" for number in range(150)]

    async with opening() as store:
        created = await store.commit([step_write(identity, 1) for identity in identities])
        taken = await store.commit([step_write(identity, revision) for revision in (2, 3) for identity in identities])
        snapshots = [await store.load(identity) for identity in identities]
        events = [await store.events(identity, limit=100) for identity in identities]

    assert all(created)
    assert all(taken)
    assert [snapshot and (snapshot.execution.revision, len(snapshot.records)) for snapshot in snapshots] == [(3, 3)] * 150
    assert {len(one) for one in events} == {6}


async def test_an_empty_group_is_nothing(opening: Opening) -> None:
    async with opening() as store:
        assert await store.commit([]) == []


# Events


async def test_events_are_read_in_pages_either_way(opening: Opening) -> None:
    events = [Event(event_id=number, type="StepStarted", timestamp=NOON, order=1) for number in range(1, 6)]

    async with opening() as store:
        await store.commit([Write(execution=execution(), events=events)])

        assert await store.events("e-1", limit=2) == events[:2]
        assert await store.events("e-1", limit=2, after=2) == events[2:4]
        assert await store.events("e-1", limit=9, after=4) == events[4:]
        assert await store.events("e-1", limit=9, after=5) == []
        assert await store.events("e-1", limit=2, newest_first=True) == [events[4], events[3]]
        assert await store.events("e-1", limit=9, newest_first=True, after=3) == [events[1], events[0]]


async def test_event_details_are_kept(opening: Opening) -> None:
    details = {"Error": {"Payload": {"ErrorMessage": "no"}, "Truncated": False}, "RetryDetails": {"CurrentAttempt": 1}}
    event = Event(event_id=1, type="StepFailed", timestamp=NOON, details=details)

    async with opening() as store:
        await store.commit([Write(execution=execution(), events=[event])])

        assert await store.events("e-1", limit=10) == [event]


# Listing


def fleet() -> Sequence[Execution]:
    """Four executions in the order of their starts; b and c start together."""
    return [
        execution("a", started_at=1, status="SUCCEEDED"),
        execution("b", started_at=2, status="FAILED", function="invoice"),
        execution("c", started_at=2, version="7"),
        execution("d", started_at=3, status="PAUSED", error=ErrorObject(error_type="X")),
    ]


@pytest.mark.parametrize(
    ("where", "expected"),
    [
        (Filter(), "dcba"),
        (Filter(function="order"), "dca"),
        (Filter(function="nobody"), ""),
        (Filter(version="7"), "c"),
        (Filter(name="name-of-b"), "b"),
        (Filter(statuses=["FAILED", "PAUSED"]), "db"),
        (Filter(started_after=1), "dcb"),
        (Filter(started_before=3, started_after=1), "cb"),
        (Filter(function="order", version="$LATEST", statuses=["SUCCEEDED"], started_before=2), "a"),
    ],
)
async def test_executions_are_listed_newest_first(opening: Opening, where: Filter, expected: str) -> None:
    async with opening() as store:
        await store.commit([Write(execution=one) for one in fleet()])
        newest_first = await store.executions(where, limit=10)
        oldest_first = await store.executions(where, limit=10, oldest_first=True)

    assert "".join(one.id for one in newest_first) == expected
    assert oldest_first == newest_first[::-1]


@pytest.mark.parametrize("oldest_first", [False, True])
async def test_listing_goes_on_after_the_last_one_seen(opening: Opening, oldest_first: bool) -> None:
    async with opening() as store:
        await store.commit([Write(execution=one) for one in fleet()])
        seen: list[str] = []
        after = None
        while page := await store.executions(Filter(), limit=1, oldest_first=oldest_first, after=after):
            seen.append(page[0].id)
            after = Position(page[0].started_at, page[0].id)

    assert "".join(seen) == ("abcd" if oldest_first else "dcba")


async def test_listings_leave_input_and_result_out_and_keep_the_error(opening: Opening) -> None:
    error = ErrorObject(error_type="X", error_message="y")

    async with opening() as store:
        await store.commit([Write(execution=execution(input_payload="1", result="2", error=error))])

        assert await store.executions(Filter(), limit=1) == [execution(error=error)]


async def test_a_listed_execution_shows_its_newest_state(opening: Opening) -> None:
    async with opening() as store:
        await store.commit([Write(execution=execution())])
        await store.commit([Write(execution=execution(revision=2, status="PAUSED"))])

        assert await store.executions(Filter(statuses=["RUNNING"]), limit=9) == []
        assert await store.executions(Filter(statuses=["PAUSED"]), limit=9) == [execution(revision=2, status="PAUSED")]


# Waiting


def waits(identity: str, *operations: Operation) -> Write:
    return Write(
        execution=execution(identity),
        records=[Record(operation=operation, order=order, revision=1, due_at=NOON) for order, operation in enumerate(operations, start=1)],
    )


def operation(identity: str, kind: OperationType, status: OperationStatus, name: str | None = None, parent: str | None = None) -> Operation:
    return Operation(id=hashed(identity), type=kind, status=status, name=name, parent_id=None if parent is None else hashed(parent))


async def test_executions_are_found_by_what_they_wait_for(opening: Opening) -> None:
    approval = operation("1", "CONTEXT", "STARTED", "approval"), operation("2", "CALLBACK", "STARTED", None, "1")
    writes = [
        waits("callback", operation("0", "STEP", "SUCCEEDED", "approval"), *approval),
        waits("wait", operation("0", "STEP", "STARTED", "approval"), operation("1", "WAIT", "STARTED", "cool down")),
        waits("retry", operation("0", "WAIT", "SUCCEEDED", "approval"), operation("1", "STEP", "PENDING", "approval")),
        waits("answered", replace(approval[0], status="SUCCEEDED"), replace(approval[1], status="TIMED_OUT")),
        waits("left behind", replace(approval[0], status="SUCCEEDED"), approval[1]),
        waits("invoke", operation("1", "CHAINED_INVOKE", "STARTED", "é" * 100)),
    ]
    everything = [write.execution.id for write in writes]

    async with opening() as store:
        await store.commit(writes)

        async def found(**what: Any) -> dict[str, str]:
            records = await store.waiting([*everything, "unknown"], Waiting(**what))
            return {identity: record.operation.id for identity, record in records.items()}

        assert await found() == {"callback": hashed("2"), "wait": hashed("1"), "retry": hashed("1"), "invoke": hashed("1")}
        assert await found(name="approval") == {"callback": hashed("2"), "retry": hashed("1")}
        assert await found(name="approval", type="STEP") == {"retry": hashed("1")}
        assert await found(type="WAIT") == {"wait": hashed("1")}
        assert await found(name="é" * 100) == {"invoke": hashed("1")}
        assert await found(name="appr") == {}
        assert await store.waiting(["wait"], Waiting()) == {"wait": writes[1].records[1]}
        assert await store.waiting([], Waiting()) == {}


# Due times


async def test_due_executions_come_earliest_first(opening: Opening) -> None:
    async with opening() as store:
        await store.commit(
            [
                Write(execution=execution(identity, due_at=due_at))
                for identity, due_at in (("a", 30), ("b", 10), ("c", None), ("d", 10), ("e", 20))
            ]
        )

        everything = await store.due(limit=9)

        assert [(due.at, due.id) for due in everything] == [(10, "b"), (10, "d"), (20, "e"), (30, "a")]
        assert await store.due(limit=2) == everything[:2]
        assert await store.due(after=everything[0], limit=2) == everything[1:3]
        assert await store.due(after=everything[3], limit=2) == []
        assert await store.due(after=Due(10, 2**62, ""), limit=9) == everything[2:]


async def test_a_due_time_moves_with_its_execution(opening: Opening) -> None:
    async with opening() as store:
        for revision, due_at in enumerate([10, 30, 10, 20], start=1):
            await store.commit([Write(execution=execution(revision=revision, due_at=due_at))])
        moved = await store.due(limit=9)
        await store.commit([Write(execution=execution(revision=5, due_at=None))])
        cleared = await store.due(limit=9)

    assert [(due.at, due.id) for due in moved] == [(20, "e-1")]
    assert cleared == []


async def test_executions_need_recovery_while_a_process_works_for_them(opening: Opening) -> None:
    invocation = Invocation(number=1, request_id="r", secret=b"s", started_at=NOON, seen_before=0)
    busy = [
        replace(execution("a"), invocation=invocation),
        replace(execution("b"), calls=1),
        execution("c"),
        replace(execution("d", status="SUCCEEDED"), calls=1),
    ]

    async with opening() as store:
        await store.commit([Write(execution=one) for one in busy])
        before = await store.to_recover()
        await store.commit([Write(execution=execution("a", revision=2)), Write(execution=replace(execution("c", revision=2), calls=2))])
        after = await store.to_recover()

    assert before == ["a", "b"]
    assert after == ["b", "c"]


# Deleting


async def test_a_deleted_execution_leaves_nothing_and_frees_its_name(opening: Opening) -> None:
    first = Write(execution=execution("e-1", name="order-17", due_at=NOON, input_payload="1"), records=[step(1)], events=step_events(1))
    second = Write(execution=execution("e-2", name="order-17"))

    async with opening() as store:
        await store.commit([first, step_write("e-3", 1)])
        await store.delete(["e-1", "nobody"])
        gone = (
            await store.load("e-1"),
            await store.events("e-1", limit=9),
            await store.find("order", "order-17"),
            await store.due(limit=9),
        )
        late = await store.commit([step_write("e-1", 2)])
        reused = await store.commit([second])
        snapshot = await store.load("e-2")
        other = await store.load("e-3")

    assert gone == (None, [], None, [])
    assert late == [False]
    assert reused == [True]
    assert snapshot is not None
    assert snapshot.execution == second.execution
    assert snapshot.records == []
    assert other is not None


async def test_executions_are_tallied_by_function_and_status(opening: Opening) -> None:
    rows: list[tuple[str, str, ExecutionStatus]] = [
        ("a", "order", "RUNNING"),
        ("b", "order", "RUNNING"),
        ("c", "order", "FAILED"),
        ("d", "mail", "RUNNING"),
    ]
    async with opening() as store:
        assert await store.tally() == []
        await store.commit([Write(execution=execution(one, function=function, status=status)) for one, function, status in rows])

        assert sorted(await store.tally()) == [("mail", "RUNNING", 1), ("order", "FAILED", 1), ("order", "RUNNING", 2)]
