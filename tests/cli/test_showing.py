"""How times are written on a terminal."""

from __future__ import annotations

from datetime import timedelta

import pytest

from everstep.cli.showing import span


@pytest.mark.parametrize(
    ("length", "written"),
    [
        (0, "0s"),
        (0.0, "0s"),
        (0.0132, "13ms"),
        (timedelta(milliseconds=395), "395ms"),
        (2.24, "2.2s"),
        (9.96, "10s"),
        (timedelta(hours=1, minutes=2, seconds=3), "1h 2m"),
        (2 * 86_400, "2d"),
    ],
)
def test_a_length_of_time_is_as_exact_as_it_says_something(length: float | timedelta, written: str) -> None:
    assert span(length) == written
