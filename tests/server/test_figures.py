"""Counters and histograms, as prometheus_client's own write them."""

from __future__ import annotations

import re
from collections.abc import Sequence

import prometheus_client
from hypothesis import given
from hypothesis import strategies as st
from prometheus_client import CollectorRegistry, generate_latest

from everstep.server.figures import Counter, Histogram

BOUNDS = (0.5, 1, 2.5)
LABELS = st.sampled_from(["a", 'b"\\\n', "ü"])


def samples(registry: CollectorRegistry) -> set[str]:
    """Lines, without those that say when something was first counted."""
    return {line for line in generate_latest(registry).decode().splitlines() if not re.search(r"_created\b", line)}


@given(st.lists(st.tuples(LABELS, st.sampled_from([0.1, 0.5, 0.75, 1.0, 2.0, 2.5, 3.0]))))
def test_they_read_as_the_librarys_own(observed: Sequence[tuple[str, float]]) -> None:
    ours, theirs = CollectorRegistry(), CollectorRegistry()
    their_counter = prometheus_client.Counter("seen", "Those seen.", ["kind"], namespace="everstep", registry=theirs)
    their_total = prometheus_client.Counter("all", "All.", namespace="everstep", registry=theirs)
    their_sizes = prometheus_client.Histogram("size", "How large.", ["kind"], namespace="everstep", registry=theirs, buckets=BOUNDS)
    their_time = prometheus_client.Histogram("time", "How long.", namespace="everstep", registry=theirs, buckets=BOUNDS)
    counter, total = Counter(ours, "seen", "Those seen.", "kind"), Counter(ours, "all", "All.")
    sizes, time = Histogram(ours, "size", "How large.", BOUNDS, "kind"), Histogram(ours, "time", "How long.", BOUNDS)
    for kind, value in observed:
        their_counter.labels(kind).inc(2)
        their_total.inc()
        their_sizes.labels(kind).observe(value)
        their_time.observe(value)
        counter.add(2, kind)
        total.add()
        sizes.observe(value, kind)
        time.observe(value)

    assert samples(ours) == samples(theirs)
