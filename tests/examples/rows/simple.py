"""Rows of examples/simple."""

from __future__ import annotations

from datetime import timedelta

from examples.simple import hello_world, multiple_waits, workflow

from tests.examples.row import row

ROWS = [
    row(hello_world.greet, "world", result="Hello, world!", operations=[]),
    row(
        workflow.book,
        workflow.Booking("pottery", 2, "4242"),
        result=workflow.Ticket("pottery", 2, "70 EUR from 4242"),
        operations=["Step check-seats", "Step charge-card", "Wait time-to-change-your-mind", "Step issue-ticket"],
        took=timedelta(hours=1),
    ),
    row(
        workflow.book,
        workflow.Booking("pottery", 0, "4242"),
        case="nothing to book",
        failure=("ValueError", "0 seats for pottery can't be booked"),
        operations=["Step check-seats"],
    ),
    row(
        multiple_waits.onboard,
        "ada",
        result=["Welcome -> ada", "Three things to try -> ada", "Invite your team -> ada", "How was it? -> ada"],
        operations=["Step mail", "Wait", "Step mail", "Wait", "Step mail", "Wait", "Step mail"],
        took=timedelta(days=14),
    ),
]
