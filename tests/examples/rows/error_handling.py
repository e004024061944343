"""Rows of examples/error_handling."""

from __future__ import annotations

from datetime import timedelta

from examples.error_handling import own_classes, step_error

from tests.examples.row import row

ROWS = [
    row(
        step_error.transfer,
        step_error.Transfer("AT61", 80),
        case="a failure in the words of the business",
        failure=("examples.error_handling.step_error.TransferRejected", "80 EUR to AT61 were not sent (the clearing house is closed)"),
        operations=["Step validate", "Step send"],
        took=timedelta(minutes=2),
    ),
    row(
        step_error.transfer,
        step_error.Transfer("AT61", -1),
        case="an invalid input",
        failure=("ValueError", "-1 EUR can't be sent"),
        operations=["Step validate"],
    ),
    row(own_classes.dine, ("Friday", 21), case="free", result="a table at 21:00", operations=["Step reserve"]),
    row(
        own_classes.dine,
        ("Friday", 18),
        case="fully booked",
        result="a table at 20:00",
        operations=["Step reserve", "Wait think about it", "Step reserve"],
        took=timedelta(minutes=10),
    ),
    row(own_classes.dine, ("Monday", 18), case="closed", result="at home: the restaurant is closed on Monday", operations=["Step reserve"]),
]
