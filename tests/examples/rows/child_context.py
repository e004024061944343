"""Rows of examples/child_context."""

from __future__ import annotations

from datetime import timedelta

from examples.child_context import basic, checkpoint_size_limit, large_data, nested, virtual, with_failing_step

from tests.examples.row import row

ROWS = [
    row(
        basic.travel,
        "Lisbon",
        result=["flight to Lisbon, seat 14A", "hotel in Lisbon"],
        operations=["RunInChildContext fly", "Step find_flight", "Step hold_seat", "Step book_hotel"],
    ),
    row(
        nested.take_stock,
        ["hall 1", "hall 2"],
        result={"hall 1": 42, "hall 2": 7},
        operations=[
            "RunInChildContext stock-taking",
            "RunInChildContext hall 1",
            "Step count shelf A",
            "Step count shelf B",
            "RunInChildContext hall 2",
            "Step count shelf C",
        ],
    ),
    row(
        with_failing_step.order,
        "kettle",
        result="kettle on back order: no stock figure for kettle",
        operations=["RunInChildContext reserve", "Step ask_warehouse", "Step put_on_back_order"],
        took=timedelta(seconds=30),
    ),
    row(
        large_data.update_shop,
        6,
        result="6000 products, the last is number 5999",
        operations=["RunInChildContext fetch_catalogue", "Step page 0 to 5", "Wait until the shop closes"],
        took=timedelta(hours=14),
    ),
    row(
        checkpoint_size_limit.archive,
        [-1, 0, 1],
        result=[262_141, 262_142, 262_143],
        operations=[
            "RunInChildContext limit -1",
            "Step scan",
            "RunInChildContext limit +0",
            "Step scan",
            "RunInChildContext limit +1",
            "Step scan",
            "Wait",
        ],
        took=timedelta(minutes=1),
    ),
    row(virtual.total, {"EUR": 40, "USD": 100}, result=130.0, operations=["Step convert EUR", "Step convert USD"]),
]
