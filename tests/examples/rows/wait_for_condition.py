"""Rows of examples/wait_for_condition."""

from __future__ import annotations

from datetime import timedelta

from examples.wait_for_condition import basic, own_strategy, with_limit

from tests.examples.row import row

ROWS = [
    row(basic.track, "JD-1", result=basic.Parcel("JD-1", "delivered", 4), operations=["WaitForCondition look"], took=timedelta(hours=3)),
    row(
        own_strategy.export,
        1_000,
        result="1000 rows, after 10:20",
        operations=["WaitForCondition progress"],
        took=timedelta(hours=1, minutes=20),
    ),
    row(
        with_limit.restock,
        "lamps",
        result="lamps are ordered elsewhere: the condition was not met within 172800 s",
        operations=["WaitForCondition stock"],
        took=timedelta(days=2),
    ),
]
