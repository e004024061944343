from __future__ import annotations

from datetime import UTC, datetime, timedelta, timezone

import pytest

from everstep.client.lenient import read_state

MOMENT = datetime(2026, 3, 1, 12, 30, 15, 123_000, tzinfo=UTC)


@pytest.mark.parametrize(
    "written",
    [
        MOMENT,
        MOMENT.astimezone(timezone(timedelta(hours=5, minutes=30))),
        MOMENT.astimezone().replace(tzinfo=None),
        MOMENT + timedelta(microseconds=400),
        MOMENT - timedelta(microseconds=400),
        MOMENT.timestamp(),
        MOMENT.isoformat(),
    ],
    ids=["utc", "zone", "naive", "rounded-down", "rounded-up", "seconds", "text"],
)
def test_a_timestamp_means_the_same_however_it_is_written(written: object) -> None:
    operation = {"Id": "a", "Type": "STEP", "Status": "STARTED", "StartTimestamp": written, "EndTimestamp": None}

    (read,) = read_state({"Operations": [operation]}, ms_per_unit=1000).operations

    assert (read.start_timestamp, read.end_timestamp) == (1_772_368_215_123, None)


def test_an_operation_without_a_beginning_is_read() -> None:
    operation = {"Id": "a", "Type": "STEP", "Status": "STARTED", "StartTimestamp": None}

    (read,) = read_state({"Operations": [operation]}, ms_per_unit=1000).operations

    assert read.start_timestamp == 0
