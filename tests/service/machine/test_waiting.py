"""Which operation an execution waits in, as whoever searches for it means it."""

from __future__ import annotations

import pytest

from everstep.protocol.shapes import Operation, OperationStatus, OperationType
from everstep.service.machine.model import Record
from everstep.service.machine.waiting import Waiting, longest_waiting


def record(order: int, kind: OperationType, status: OperationStatus, name: str | None = None, parent: int | None = None) -> Record:
    operation = Operation(id=str(order), type=kind, status=status, name=name, parent_id=None if parent is None else str(parent))
    return Record(operation=operation, order=order, revision=1)


RECORDS = [
    record(1, "CONTEXT", "SUCCEEDED", "race"),
    record(2, "WAIT", "STARTED", "left behind", parent=1),
    record(3, "CONTEXT", "STARTED", "ship"),
    record(4, "CONTEXT", "STARTED", "label", parent=3),
    record(5, "STEP", "STARTED", "print", parent=4),
    record(6, "STEP", "PENDING", "print", parent=4),
    record(7, "WAIT", "SUCCEEDED", "cool down"),
    record(8, "WAIT", "STARTED", "cool down"),
    record(9, "CALLBACK", "STARTED", "cool down"),
    record(10, "STEP", "READY", "due"),
]


@pytest.mark.parametrize(
    ("what", "expected"),
    [
        (Waiting(), 6),
        (Waiting(name="print"), 6),
        (Waiting(name="label"), 6),
        (Waiting(name="ship", type="STEP"), 6),
        (Waiting(name="ship", type="WAIT"), None),
        (Waiting(name="cool down"), 8),
        (Waiting(name="cool down", type="CALLBACK"), 9),
        (Waiting(name="race"), None),
        (Waiting(name="left behind"), None),
        (Waiting(name="due"), None),
        (Waiting(type="CHAINED_INVOKE"), None),
    ],
)
def test_the_operation_that_began_first_is_found_by_its_name_or_that_of_a_context_around_it(what: Waiting, expected: int | None) -> None:
    found = longest_waiting(RECORDS, what)

    assert (found and found.order) == expected
