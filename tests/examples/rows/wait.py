"""Rows of examples/wait."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

from examples.wait import basic, extended_duration, named, until

from tests.examples.row import row

ROWS = [
    row(
        basic.trial,
        "ada",
        result="the trial of ada ends tomorrow",
        operations=["Step open_trial", "Wait", "Step remind"],
        took=timedelta(days=13),
    ),
    row(
        named.bake,
        "rye bread",
        result="rye bread is ready",
        operations=["Wait dough rises", "Wait in the oven", "Wait cools down"],
        took=timedelta(hours=13, minutes=5),
    ),
    row(
        extended_duration.guarantee,
        "roof",
        result=["first inspection of the roof", "last inspection of the roof"],
        operations=["Wait it settles", "Step inspect", "Wait a winter and a summer", "Step inspect"],
        took=timedelta(days=362),
    ),
    row(
        until.collect,
        until.Invoice("31", datetime(2026, 3, 7, 18, 0, tzinfo=UTC)),
        case="due on a Saturday",
        result=["reminder for 31", "Monday 08:00"],
        operations=["Wait due", "Wait monday morning", "Step send_reminder"],
        took=timedelta(days=6, hours=23),
    ),
    row(
        until.collect,
        until.Invoice("32", datetime(2026, 3, 3, 12, 0, tzinfo=UTC)),
        case="due on a Tuesday",
        result=["reminder for 32", "Tuesday 12:00"],
        operations=["Wait due", "Step send_reminder"],
        took=timedelta(days=1, hours=3),
    ),
    row(
        until.collect,
        until.Invoice("33", datetime(2026, 1, 1, 12, 0, tzinfo=UTC)),
        case="due long ago",
        result=["reminder for 33", "Monday 09:00"],
        operations=["Step send_reminder"],
    ),
]
