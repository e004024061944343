"""Rows of examples/replay_safe."""

from __future__ import annotations

from datetime import timedelta

from examples.replay_safe import time_and_chance, uuid_generation

from tests.examples.row import row

ROWS = [
    row(
        uuid_generation.pay, [30, 12], result="2 payments, 42 EUR", operations=["2 x Step book", "Step balance"], took=timedelta(seconds=10)
    ),
    row(
        time_and_chance.draw_lots,
        ["Ada", "Ben", "Cy", "Dee"],
        result="2 of 4 are fetching their prizes after 1 day",
        operations=["Step announce", "Wait objections"],
        took=timedelta(days=1),
    ),
]
