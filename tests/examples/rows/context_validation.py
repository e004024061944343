"""Rows of examples/context_validation."""

from __future__ import annotations

from datetime import timedelta

from examples.context_validation import parent_in_child, parent_in_step, parent_in_wait_condition

from tests.examples.row import row

OTHER = "refused: an operation was called on another context than the one the code runs in"
OUTSIDE = "refused: an operation was called outside the handler's own code"

ROWS = [
    row(
        parent_in_child.water_garden,
        "fern",
        result=[OTHER, "fern watered"],
        operations=["RunInChildContext wrong", "RunInChildContext right", "Step water"],
    ),
    row(
        parent_in_step.bake,
        "bread",
        result=["wood oven lit", OUTSIDE, "bread in the oven"],
        operations=["Step light", "Step wrong", "RunInChildContext right", "Step put_in"],
    ),
    row(
        parent_in_wait_condition.make_tea,
        15,
        result=[OTHER, "105 degrees"],
        operations=["RunInChildContext wrong", "RunInChildContext right", "WaitForCondition temperature"],
        took=timedelta(minutes=2),
    ),
]
