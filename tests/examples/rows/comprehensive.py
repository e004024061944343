"""Rows of examples/comprehensive."""

from __future__ import annotations

from datetime import timedelta

from examples.comprehensive.order_workflow import Delivery, Order, cater
from examples.run import Answer

from tests.examples.row import asked, row

PARTY = Order("Ada", {"soup": 20, "pie": 30}, "4242")

ROWS = [
    row(
        cater,
        Order("Ben", {"soup": 2}, "4242"),
        case="small",
        result=Delivery(["soup cooked and boxed"], 24, "van to Ben"),
        operations=[
            "Step validate",
            "RunInChildContext payment",
            "Step check_card",
            "Step charge",
            "RunInChildContext kitchen",
            "Map prepare",
            "MapIteration map-item-0",
            "Step cook",
            "Step box",
            "Wait bell",
            "Step find_van",
        ],
        took=timedelta(seconds=2),
    ),
    row(
        cater,
        PARTY,
        case="large",
        result=Delivery(["soup cooked and boxed", "pie cooked and boxed"], 600, "van to Ada"),
        answers={"chef": Answer(after=timedelta(hours=5))},
        operations=[
            "Step validate",
            *asked("approval"),
            "RunInChildContext payment",
            "Step check_card",
            "Step charge",
            "RunInChildContext kitchen",
            "Map prepare",
            "MapIteration map-item-0 to 1",
            "2 x Step cook",
            "2 x Step box",
            "Wait bell",
            "Step find_van",
        ],
        took=timedelta(hours=5, seconds=2),
    ),
    row(
        cater,
        PARTY,
        case="not approved",
        failure=("ValueError", "the chef did not take the order of Ada"),
        operations=["Step validate", *asked("approval")],
        took=timedelta(days=1),
    ),
    row(cater, Order("Cy", {}, "4242"), case="empty", failure=("ValueError", "Cy ordered nothing"), operations=["Step validate"]),
]
