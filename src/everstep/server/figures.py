"""Counters and histograms that one thread changes, written out by prometheus_client.

Rule: to count takes next to nothing. prometheus_client's own take a lock for each number and check each value again: a twelfth of what
a server did for a step.
"""

from __future__ import annotations

from bisect import bisect_left
from collections.abc import Iterable, Sequence
from itertools import accumulate
from typing import Final

from prometheus_client.core import CounterMetricFamily, HistogramMetricFamily
from prometheus_client.registry import Collector, CollectorRegistry

_NAMESPACE: Final = "everstep"


class Counter(Collector):
    """A number for each combination of values of the labels that has been counted; without labels it begins at 0."""

    def __init__(self, registry: CollectorRegistry, name: str, text: str, *labels: str) -> None:
        self._name, self._text, self._labels = f"{_NAMESPACE}_{name}", text, labels
        self._totals: dict[tuple[str, ...], int] = {} if labels else {(): 0}
        registry.register(self)

    def add(self, count: int = 1, *labels: str) -> None:
        totals = self._totals
        totals[labels] = totals.get(labels, 0) + count

    def collect(self) -> Iterable[CounterMetricFamily]:
        family = CounterMetricFamily(self._name, self._text, labels=self._labels)
        for labels, total in self._totals.items():
            family.add_metric(labels, total)
        yield family


class _Spread:
    """Of one combination of labels: how many values each bucket got, the last one being for what is above all bounds, and their sum."""

    __slots__ = ("counts", "sum")

    def __init__(self, bounds: int) -> None:
        self.counts = [0] * (bounds + 1)
        self.sum = 0.0


class Histogram(Collector):
    """As Counter, of values by size. bounds: each the largest value of its bucket, ascending."""

    def __init__(self, registry: CollectorRegistry, name: str, text: str, bounds: Sequence[float], *labels: str) -> None:
        self._name, self._text, self._labels, self._bounds = f"{_NAMESPACE}_{name}", text, labels, bounds
        self._spreads: dict[tuple[str, ...], _Spread] = {} if labels else {(): _Spread(len(bounds))}
        registry.register(self)

    def observe(self, value: float, *labels: str) -> None:
        spread = self._spreads.get(labels)
        if spread is None:
            spread = self._spreads[labels] = _Spread(len(self._bounds))
        spread.counts[bisect_left(self._bounds, value)] += 1
        spread.sum += value

    def collect(self) -> Iterable[HistogramMetricFamily]:
        family = HistogramMetricFamily(self._name, self._text, labels=self._labels)
        upper = [*(str(float(bound)) for bound in self._bounds), "+Inf"]
        for labels, spread in self._spreads.items():
            family.add_metric(labels, list(zip(upper, accumulate(spread.counts), strict=True)), spread.sum)
        yield family
