"""A crash anywhere never changes the result."""

from __future__ import annotations

import json
from collections.abc import Sequence
from typing import Final

from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from everstep import DurableContext
from everstep.handler import DurableHandler
from everstep.protocol.shapes import ErrorObject, Operation
from everstep.service.machine.model import Outcome
from everstep.testing.virtual import run_virtually
from tests.support.handlers import JsonValue
from tests.support.loopback import Fault, Faults, Loopback, Run
from tests.support.programs import Ledger, Program, Runner, programs, without_order

FAULTS: Sequence[Fault] = ("lost request", "lost answer")
ANY_PACE: Final = (HealthCheck.data_too_large, HealthCheck.filter_too_much, HealthCheck.large_base_example, HealthCheck.too_slow)


def outside(callback: Operation) -> tuple[float, Outcome]:
    """What completes a callback of a program: its name says when and how."""
    seconds, how = (callback.name or "").removesuffix(" create callback id").split("-")
    if how == "ok":
        return float(seconds), Outcome(status="SUCCEEDED", result=f'"after {seconds}"')
    return float(seconds), Outcome(status="FAILED", error=ErrorObject(error_type="Outside", error_message="said no"))


async def execute(program: Program, *, faults: Faults | None = None, warm: bool) -> tuple[Run, Ledger]:
    ledger = Ledger()

    async def handler(event: object, ctx: DurableContext) -> object:
        return await Runner(ledger).apart(ctx, program)

    loopback = Loopback(DurableHandler(handler), faults=faults, warm=warm)
    loopback.answer = outside
    run = await loopback.run()
    if run.status == "SUCCEEDED":
        replayed = await loopback.replay()
        assert replayed.status == "SUCCEEDED", replayed.error
        assert json.loads(replayed.result or "") == json.loads(run.result or ""), "a cold replay came to something else"
    return run, ledger


def value(run: Run) -> JsonValue:
    return without_order(json.loads(run.result or ""))


def check_bodies(run: Run, ledger: Ledger, *, crashed: bool) -> None:
    """Nothing ran again once it was recorded; at-most-once bodies ran at most once per attempt."""
    for (operation_id, attempt), times in ledger.began.items():
        record = run.state.records.get(operation_id)
        if not crashed:
            assert times == 1, f"attempt {attempt} of {record} ran {times} times without a crash"
    assert all(times <= 1 for key, times in ledger.began.items() if key[0] in ledger.at_most_once)
    for operation_id, record in run.state.records.items():
        if record.operation.status == "SUCCEEDED" and record.operation.type == "STEP":
            details = record.operation.step_details
            assert details is not None
            assert ledger.ended[operation_id, details.attempt or 0] >= 1


def ids(run: Run) -> list[tuple[str, str | None, str | None]]:
    return sorted((r.operation.id, r.operation.parent_id, r.operation.name) for r in run.state.records.values())


@settings(max_examples=60, deadline=None, suppress_health_check=ANY_PACE)
@given(programs(), st.data())
def test_a_crash_anywhere_never_changes_the_result(program: Program, data: st.DataObject) -> None:
    calm, ledger = run_virtually(execute(program, warm=True))
    check_bodies(calm, ledger, crashed=False)
    assert calm.status == "SUCCEEDED", calm.error

    cold, ledger = run_virtually(execute(program, warm=False))
    check_bodies(cold, ledger, crashed=False)
    assert (value(cold), ids(cold)) == (value(calm), ids(calm))

    points = data.draw(st.lists(st.integers(1, calm.calls + 2), min_size=1, max_size=4, unique=True), label="crashes at calls")
    outputs = data.draw(st.lists(st.integers(1, len(calm.outputs)), max_size=2, unique=True), label="lost outputs")
    for fault in FAULTS:
        for warm in (True, False):
            faults: dict[int, Fault] = {-number: "lost output" for number in outputs}
            faults.update(dict.fromkeys(points, fault))
            check_the_same(calm, program, faults, warm=warm)


@settings(max_examples=15, deadline=None, suppress_health_check=ANY_PACE)
@given(programs())
def test_no_single_checkpoint_is_a_bad_moment_to_crash(program: Program) -> None:
    calm, _ = run_virtually(execute(program, warm=True))

    for point in range(1, calm.calls + 1):
        for fault in FAULTS:
            check_the_same(calm, program, {point: fault}, warm=True)


def check_the_same(calm: Run, program: Program, faults: Faults, *, warm: bool) -> None:
    crashed, ledger = run_virtually(execute(program, faults=faults, warm=warm))
    check_bodies(crashed, ledger, crashed=True)
    assert value(crashed) == value(calm)
    assert set(ids(calm)) <= set(ids(crashed))
