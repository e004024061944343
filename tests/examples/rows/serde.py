"""Rows of examples/serde."""

from __future__ import annotations

from datetime import timedelta

from examples.serde import custom_serialization, pydantic_event, recorded_types, stages

from tests.examples.row import row

ROWS = [
    row(
        custom_serialization.keep_minutes,
        "Monday",
        result="5000 lines, the last is 'Monday: applause'",
        operations=["Step record", "Wait"],
        took=timedelta(days=1),
    ),
    row(
        recorded_types.value_car,
        "W-123",
        case="found",
        result="7000.50 EUR, 2019, 3 extras",
        operations=["Step look_up", "Wait"],
        took=timedelta(hours=1),
    ),
    row(
        recorded_types.value_car,
        "none",
        case="not found",
        result="no such car",
        operations=["Step look_up", "Wait"],
        took=timedelta(hours=1),
    ),
    row(
        pydantic_event.subscribe,
        pydantic_event.Subscription(email="Ada@example.com", months=2),
        result=pydantic_event.Receipt(email="ada@example.com", total=9.8),
        operations=["Step charge", "Wait subscribed"],
        took=timedelta(days=60),
    ),
    row(stages.treat, "Ada", result="Ada had a broken leg", operations=["Step examine", "Wait plaster"], took=timedelta(days=42)),
]
