"""Rows of examples/sync_handlers."""

from __future__ import annotations

from datetime import timedelta

from examples.run import Answer
from examples.sync_handlers import fan_out, order, saga

from tests.examples.row import asked, row

ROWS = [
    row(
        order.serve,
        order.Meal("goulash", 7),
        result="goulash cooked, table 7 gave 5 EUR",
        answers={"waiter": Answer(5, after=timedelta(minutes=3))},
        operations=["Step cook", *asked("call_waiter"), "Wait they eat"],
        took=None,  # threads take real time
    ),
    row(
        fan_out.survey,
        None,
        result=[9, 5],
        operations=[
            "Parallel",
            "ParallelBranch greenhouse",
            "Map read",
            "ParallelBranch field",
            "RunInChildContext read",
            "MapIteration map-item-0",
            "2 x Wait settles",
            "2 x Step measure",
            "MapIteration map-item-1",
            "Wait settles",
            "Step measure",
        ],
        took=None,  # the same
    ),
    row(
        saga.plan_lecture,
        30,
        case="a small one",
        result=["foyer for 10", "hall for 30", "Ada Lovelace"],
        operations=["2 x Step reserve", "RunInChildContext brief", "RunInChildContext attempt-1", "Step print the programme"],
    ),
    row(
        saga.plan_lecture,
        60,
        case="a large one",
        result=["no lecture: hall is too small for 60"],
        operations=["2 x Step reserve", "Step release"],
    ),
]
