"""Rows of examples/concurrency."""

from __future__ import annotations

from datetime import timedelta

from examples.concurrency import (
    as_completed,
    concurrent_callback_submitter,
    concurrent_callback_wait,
    concurrent_operations,
    concurrent_wait,
    first_completed,
    hand_over,
    task_group,
    time_limit,
)
from examples.run import Answer

from tests.examples.row import asked, row

HOUR, DAY = timedelta(hours=1), timedelta(days=1)

ROWS = [
    row(
        concurrent_operations.morning_brief,
        "Graz",
        result="sun in Graz, 3 trains late, market in Graz",
        operations=["Step weather", "Step trains", "Step events"],
    ),
    row(
        concurrent_wait.dry,
        ["table", "chairs"],
        result="table and chairs are dry",
        operations=["Wait paint", "Wait glue", "Wait timer"],
        took=timedelta(days=2),
    ),
    row(
        concurrent_callback_wait.prepare_site,
        2000,
        case="the wait is longer",
        result=["permit 11", "2000 bricks"],
        answers={"building office": Answer("permit 11", after=3 * DAY)},
        operations=["Callback permit", "Step send_plans", "Step order_bricks", "Wait foundation sets"],
        took=timedelta(days=5),
    ),
    row(
        concurrent_callback_wait.prepare_site,
        2000,
        case="the answer is later",
        result=["permit 11", "2000 bricks"],
        answers={"building office": Answer("permit 11", after=90 * DAY)},
        operations=["Callback permit", "Step send_plans", "Step order_bricks", "Wait foundation sets"],
        took=timedelta(days=90),
    ),
    row(
        concurrent_callback_submitter.ballot,
        ["Ada", "Ben", "Cy"],
        result={"Ada": "yes", "Ben": "abstains", "Cy": "no"},
        answers={"Ada": Answer("yes", after=2 * DAY), "Cy": Answer("no", after=HOUR)},
        operations=[
            "WaitForCallback Ada",
            "WaitForCallback Ben",
            "WaitForCallback Cy",
            "Callback Ada create callback id",
            "Callback Ben create callback id",
            "Callback Cy create callback id",
            "Step Ada submitter",
            "Step Ben submitter",
            "Step Cy submitter",
        ],
        took=timedelta(days=7),
    ),
    row(
        task_group.plan_concert,
        "Friday",
        case="both",
        result=["hall on Friday", "posters for Friday"],
        operations=["Step book_hall", "Wait proofs", "Step print_posters"],
        took=timedelta(days=2),
    ),
    row(task_group.plan_concert, "Saturday", case="one fails", result=["no concert"], operations=["Step book_hall", "Wait proofs"]),
    row(
        time_limit.let,
        ["Ada", "Ben"],
        case="in time",
        result="let to Ben",
        answers={"Ada": Answer(False, after=6 * DAY), "Ben": Answer(True, after=3 * DAY)},
        operations=["WaitForCallback Ada", "Wait timer", "Callback Ada create callback id", "Step Ada submitter", *asked("Ben")],
        took=timedelta(days=9),
    ),
    row(
        time_limit.let,
        ["Ada", "Ben", "Cy"],
        case="too late",
        result="given to an agent, after Ada and Ben were asked",
        answers={"Ada": Answer(False, after=6 * DAY), "Ben": Answer(True, after=5 * DAY)},
        operations=["WaitForCallback Ada", "Wait timer", "Callback Ada create callback id", "Step Ada submitter", *asked("Ben")],
        took=timedelta(days=10),
    ),
    row(
        time_limit.let,
        ["Ada"],
        case="refused",
        result="nobody wants it",
        answers={"Ada": Answer(False)},
        operations=["WaitForCallback Ada", "Wait timer", "Callback Ada create callback id", "Step Ada submitter"],
    ),
    row(
        as_completed.marathon,
        {"Ada": 190, "Ben": 171, "Cy": 215},
        result=["1. Ben", "2. Ada", "3. Cy"],
        operations=["Wait Ada is on the way", "Wait Ben is on the way", "Wait Cy is on the way", "3 x Step cross_line"],
        took=timedelta(hours=3, minutes=35),
    ),
    row(
        first_completed.find_spare_part,
        {"north": 5, "south": 2, "west": 3},
        result=["south has it in 2 days", "west has it in 3 days", "1 did not answer"],
        operations=["Wait north", "Wait south", "Wait west", "Step answer", "Wait timer", "Step answer"],
        took=timedelta(hours=4),
    ),
    row(
        hand_over.fulfil,
        ["lamp", "book", "vase"],
        result=["lamp picked, packed", "book picked, packed", "vase picked, packed"],
        operations=[
            "Step pick lamp",
            "Step pick book",
            "Wait folding a box",
            "Step pick vase",
            "Step pack",
            "Wait folding a box",
            "Step pack",
            "Wait folding a box",
            "Step pack",
        ],
        took=timedelta(minutes=12),
    ),
]
