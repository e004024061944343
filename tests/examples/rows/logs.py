"""Rows of examples/logs."""

from __future__ import annotations

from datetime import timedelta

from examples.logs import custom_logger

from tests.examples.row import row

ROWS = [
    row(
        custom_logger.develop_film,
        "film 36",
        result="film 36 developed",
        operations=["Step develop", "Wait drying"],
        took=timedelta(hours=3),
    )
]
