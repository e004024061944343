"""Rows of examples/combinators."""

from __future__ import annotations

from datetime import timedelta

from examples.combinators import (
    all,  # noqa: A004  # the example's name
    all_settled,
    all_with_wait,
    any,  # noqa: A004  # the same
    race,
    race_with_timeout,
    replay_behavior,
    select_first,
)
from examples.run import Answer

from tests.examples.row import row

HOUR = timedelta(hours=1)

ROWS = [
    row(
        all.book_page,
        "978-0",
        result="book -0, 18.50 EUR, 21 there",
        operations=[
            "All book",
            "Step find_name",
            "Step find_price",
            "All",
            "Step Graz",
            "Step Linz",
            "Step Wels",
            "Step Steyr",
            "Step Enns",
        ],
    ),
    row(
        all_settled.health,
        ["mail", "printer", "door"],
        result={"mail": "fine", "printer": "broken: out of paper", "door": "fine"},
        operations=["AllSettled", "Step mail", "Step printer", "Step door"],
    ),
    row(
        any.open_door,
        {"iron": 1, "brass": 5, "silver": 30},
        case="one does",
        result="cellar opened with the brass key",
        operations=["Any", "Wait fetch the iron key", "Wait fetch the brass key", "Wait fetch the silver key", "2 x Step try_key"],
        took=timedelta(minutes=5),
    ),
    row(
        any.open_door,
        {"iron": 2, "silver": 1},
        case="none does",
        result="locked: the iron key does not turn; the silver key does not turn",
        operations=["Any", "Wait fetch the iron key", "Wait fetch the silver key", "2 x Step try_key"],
        took=timedelta(minutes=2),
    ),
    row(
        race.find_driver,
        {"Ada": 40, "Ben": 15, "Cy": 25},
        result="Ben takes the ride",
        operations=[
            "Race drivers",
            "Wait Ada looks at the phone",
            "Wait Ben looks at the phone",
            "Wait Cy looks at the phone",
            "Step accept",
        ],
        took=timedelta(seconds=15),
    ),
    row(
        all_with_wait.open_gallery,
        "sculptures",
        result=["lights set up", "sculptures set up"],
        operations=["Wait paint dries", "All", "Wait customs", "Step set_up", "Wait cleaning", "Step set_up"],
        took=timedelta(days=1, hours=12),
    ),
    row(
        race_with_timeout.take_order,
        "soup?",
        case="an answer",
        result="soup",
        answers={"guest": Answer("soup", after=timedelta(minutes=4))},
        operations=[
            "Race",
            "WaitForCallback ask_guest",
            "Callback ask_guest create callback id",
            "Wait kitchen closes",
            "Step ask_guest submitter",
        ],
        took=timedelta(minutes=4),
    ),
    row(
        race_with_timeout.take_order,
        "soup?",
        case="too late",
        result="the dish of the day",
        answers={"guest": Answer("soup", after=HOUR)},
        operations=[
            "Race",
            "WaitForCallback ask_guest",
            "Callback ask_guest create callback id",
            "Wait kitchen closes",
            "Step ask_guest submitter",
        ],
        took=timedelta(minutes=30),
    ),
    row(
        select_first.checkout,
        "17",
        case="paid",
        result="17 paid by Ada",
        answers={"pay": Answer("Ada", after=HOUR), "cancel": Answer("Ada", after=2 * HOUR)},
        operations=[
            "Select",
            "WaitForCallback pay",
            "WaitForCallback cancel",
            "Callback pay create callback id",
            "Callback cancel create callback id",
            "Wait time to pay",
            "Step pay submitter",
            "Step cancel submitter",
        ],
        took=timedelta(hours=1),
    ),
    row(
        select_first.checkout,
        "17",
        case="cancelled",
        result="17 cancelled by Ada",
        answers={"cancel": Answer("Ada", after=2 * HOUR)},
        operations=[
            "Select",
            "WaitForCallback pay",
            "WaitForCallback cancel",
            "Callback pay create callback id",
            "Callback cancel create callback id",
            "Wait time to pay",
            "Step pay submitter",
            "Step cancel submitter",
        ],
        took=timedelta(hours=2),
    ),
    row(
        select_first.checkout,
        "17",
        case="expired",
        result="17 expired",
        operations=[
            "Select",
            "WaitForCallback pay",
            "WaitForCallback cancel",
            "Callback pay create callback id",
            "Callback cancel create callback id",
            "Wait time to pay",
            "Step pay submitter",
            "Step cancel submitter",
        ],
        took=timedelta(days=3),
    ),
    row(
        replay_behavior.tasting,
        {"Riesling": 20, "Zweigelt": 10, "Merlot": 30},
        result=[8, 8, 6, "Zweigelt"],
        operations=[
            "All",
            "3 x Step taste",
            "Race",
            "Wait Riesling breathes",
            "Wait Zweigelt breathes",
            "Wait Merlot breathes",
            "Wait bread and cheese",
        ],
        took=timedelta(hours=1, minutes=10),
    ),
]
