"""Rows of examples/saga."""

from __future__ import annotations

from examples.saga import cleanup, trip

from tests.examples.row import row

ROWS = [
    row(
        trip.plan_trip,
        ["train", "museum", "hotel on the moon"],
        case="undone",
        result=["stay at home: no hotel on the moon"],
        operations=["Step book train", "Step book museum", "Step book hotel on the moon", "Step cancel museum", "Step cancel train"],
    ),
    row(
        trip.plan_trip,
        ["train", "museum"],
        case="done",
        result=["booking of the train", "booking of the museum"],
        operations=["Step book train", "Step book museum"],
    ),
    row(
        cleanup.build_set,
        ["wall", "tower"],
        case="undone in part",
        result=["because the tower fell over", "the wall can't be taken down"],
        operations=["Step rent", "2 x Step build", "Step take_down", "Step give_back"],
    ),
    row(cleanup.build_set, ["wall"], case="done", result=["wall built"], operations=["Step rent", "Step build", "Step give_back"]),
]
