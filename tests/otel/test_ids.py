"""Ids of spans and traces, and X-Ray's header."""

from __future__ import annotations

from datetime import UTC, datetime

import pytest
from hypothesis import given
from hypothesis import strategies as st

from everstep.otel.ids import TraceHeader, read_header, span_id, trace_id, write_header

NOON = datetime(2026, 1, 1, 12, tzinfo=UTC)
IDS = st.integers(1, 2**64 - 1)


@given(st.integers(1, 2**128 - 1), IDS, st.booleans())
def test_a_header_that_was_written_is_read_back(trace: int, parent: int, sampled: bool) -> None:
    assert read_header(write_header(trace, parent, is_sampled=sampled)) == TraceHeader(trace, parent, sampled)


def test_a_header_of_lambda_is_read() -> None:
    header = read_header("Root=1-5759e988-bd862e3fe1be46a994272793;Parent=53995c3f42cd8ad8;Sampled=1;Lineage=a87bd80c:1|68fd508a:5")

    assert header == TraceHeader(0x5759E988BD862E3FE1BE46A994272793, 0x53995C3F42CD8AD8, True)


@pytest.mark.parametrize(
    "text", [None, "", "nonsense", "Root=1-2-3;Parent=x;Sampled=?", "Root=1-00000000-000000000000000000000000;Parent=0000000000000000"]
)
def test_what_cannot_be_read_of_a_header_is_nothing(text: str | None) -> None:
    assert read_header(text) == TraceHeader()


@given(st.text())
def test_any_text_is_a_header_to_be_read(text: str) -> None:
    read_header(text)


def test_ids_are_the_same_everywhere_and_differ_by_every_part() -> None:
    assert (span_id("a", "b"), trace_id(NOON, "arn")) == (0xFFC151170352BAA3, 0x695661C0BFB9B1039D7B9718BCD7F0BD)
    assert len({span_id("a", "b"), span_id("ab"), span_id("a", "b", ""), span_id("b", "a")}) == 4
    assert trace_id(NOON, "arn") >> 96 == int(NOON.timestamp())
    assert trace_id(NOON, "arn") != trace_id(NOON, "other")
