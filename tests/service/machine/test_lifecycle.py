"""The table of moves says the same as the tables of the specification."""

from __future__ import annotations

from typing import get_args

from everstep.protocol.lifecycle import ACTIONS, MOVES, SERVICE_MOVES
from everstep.protocol.shapes import TERMINAL, OperationAction, OperationType


def test_which_actions_a_type_knows() -> None:
    known = {kind: {action for of, action in ACTIONS if of == kind} for kind in get_args(OperationType)}

    assert known == {
        "EXECUTION": {"SUCCEED", "FAIL"},
        "CONTEXT": {"START", "SUCCEED", "FAIL"},
        "STEP": {"START", "SUCCEED", "FAIL", "RETRY"},
        "WAIT": {"START", "CANCEL"},
        "CALLBACK": {"START"},
        "CHAINED_INVOKE": {"START"},
    }
    assert {action for _, action in ACTIONS} == set(get_args(OperationAction))


def test_nothing_leaves_a_final_status() -> None:
    assert not {before for _, before, _ in MOVES} & TERMINAL
    assert not {before for _, before in SERVICE_MOVES} & TERMINAL


def test_every_status_leads_somewhere_or_is_final() -> None:
    reached = {(kind, after) for (kind, _, _), after in MOVES.items()} | {
        (kind, after) for (kind, _), statuses in SERVICE_MOVES.items() for after in statuses
    }
    left = {(kind, before) for kind, before, _ in MOVES} | set(SERVICE_MOVES)

    assert {(kind, status) for kind, status in reached if status not in TERMINAL} <= left
