from __future__ import annotations

import pytest

from everstep.protocol.lifecycle import ACTIONS, MOVES, SERVICE_MOVES
from everstep.protocol.shapes import OPERATION_TYPES, TERMINAL


def test_nothing_leads_out_of_a_final_status() -> None:
    left = {before for _, before, _ in MOVES if before is not None} | {before for _, before in SERVICE_MOVES}

    assert not left & TERMINAL


@pytest.mark.parametrize("kind", OPERATION_TYPES)
def test_every_operation_can_reach_a_final_status(kind: str) -> None:
    steps = {(before, after) for (of, before, _), after in MOVES.items() if of == kind}
    steps |= {(before, after) for (of, before), afters in SERVICE_MOVES.items() for after in afters if of == kind}
    reached: set[str | None] = {None, "STARTED"} if kind == "EXECUTION" else {None}
    while more := {after for before, after in steps if before in reached} - reached:
        reached |= more

    assert reached & TERMINAL
    assert {before for before, _ in steps} <= reached, "a row nobody can come to"


def test_only_waits_can_be_cancelled() -> None:
    assert {kind for kind, action in ACTIONS if action == "CANCEL"} == {"WAIT"}


def test_a_step_that_failed_goes_through_pending_and_ready_to_its_next_attempt() -> None:
    assert MOVES["STEP", "STARTED", "RETRY"] == "PENDING"
    assert SERVICE_MOVES["STEP", "PENDING"] == {"READY"}
    assert MOVES["STEP", "READY", "START"] == "STARTED"


def test_only_what_is_ready_begins_again() -> None:
    assert {(kind, before) for kind, before, action in MOVES if action == "START" and before is not None} == {("STEP", "READY")}
