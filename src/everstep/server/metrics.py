"""/metrics for Prometheus: what this server has done since it started, and what it holds now.

Rule: a label's values are few and known beforehand: functions of the catalog, operations, statuses. Executions are never one.
Each server has a registry of its own.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from functools import partial
from typing import Final

from prometheus_client import CollectorRegistry, Gauge
from prometheus_client.core import GaugeMetricFamily
from prometheus_client.exposition import choose_encoder
from prometheus_client.registry import Collector

from everstep.protocol.shapes import OperationUpdate
from everstep.server.catalog import Catalog
from everstep.server.census import Counted
from everstep.server.code import Code
from everstep.server.figures import Counter, Histogram
from everstep.server.processes import Processes
from everstep.server.pulled import Pulled
from everstep.service.machine.model import Event, Transition
from everstep.service.machine.sizes import text_bytes

QUICK: Final = (0.0005, 0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 10)
"""Buckets for what a server does itself, in seconds."""
LONG: Final = (0.005, 0.025, 0.1, 0.25, 0.5, 1, 2.5, 5, 15, 60, 300, 900)
"""Buckets for what functions do."""
GROUPS: Final = (1, 2, 5, 10, 25, 50, 100, 250, 500, 1_000)

_ENDS: Final = {
    "ExecutionSucceeded": "SUCCEEDED",
    "ExecutionFailed": "FAILED",
    "ExecutionTimedOut": "TIMED_OUT",
    "ExecutionStopped": "STOPPED",
}
_CALLBACKS: Final = {"CallbackSucceeded": "SUCCEEDED", "CallbackFailed": "FAILED", "CallbackTimedOut": "TIMED_OUT"}


class Metrics:
    """A Meter for a service, and for the HTTP side."""

    def __init__(self) -> None:
        self.registry = CollectorRegistry()

        counter, histogram = partial(Counter, self.registry), partial(Histogram, self.registry)
        self._started = counter("executions_started", "Executions that were started here.", "function")
        self._ended = counter("executions_ended", "Executions whose end was recorded here.", "function", "status")
        self._invocations = counter("invocations", "Invocations that ended, by whether the function answered.", "function", "outcome")
        self._durations = histogram("invocation_seconds", "How long invocations took.", LONG, "function")
        self._delays = histogram("invocation_delay_seconds", "From when an invocation was owed until it began.", QUICK, "function")
        self._callbacks = counter("callbacks_ended", "Callbacks that were answered or timed out.", "status")
        self._requests = counter("http_requests", "HTTP requests.", "operation", "status")
        self._request_seconds = histogram("http_request_seconds", "How long HTTP requests took.", LONG, "operation")
        self._checkpoints = histogram("checkpoint_seconds", "How long checkpoints took, until they were durable.", QUICK)
        self._updates = counter("checkpoint_updates", "Updates in checkpoints.")
        self._bytes = counter("checkpoint_payload_bytes", "Bytes of payloads in checkpoints.")
        self._commits = histogram("store_commit_seconds", "How long the store took to make a group of writes durable.", QUICK)
        self._groups = histogram("store_commit_writes", "How many writes such a group had.", GROUPS)
        self._failures = counter("store_commit_failures", "Groups of writes that the store failed to record.")
        self._lateness = histogram("timer_delay_seconds", "From when an execution was due until it was moved on.", QUICK)
        self._delivered = counter("webhook_deliveries", "Events that a webhook took.", "webhook")
        self._undelivered = counter("webhook_failures", "Attempts at delivering an event that failed.", "webhook")
        self._given_up = counter("webhook_events_given_up", "Events that were not delivered in time.", "webhook")
        self._owed = Gauge("webhook_events_owed", "Events in the store for a webhook.", ["webhook"], "everstep", registry=self.registry)
        self._owed_since = Gauge(
            "webhook_oldest_event_timestamp_seconds", "When the oldest of them happened.", ["webhook"], "everstep", registry=self.registry
        )
        self._open = Gauge("executions_open", "Executions in the store that have not ended.", namespace="everstep", registry=self.registry)

    # -- as a Meter

    def recorded(self, transition: Transition) -> None:
        for event in transition.events:
            self._happened(transition.execution.function, event)

    def _happened(self, function: str, event: Event) -> None:
        kind = event.type
        if kind == "InvocationCompleted":
            details = event.details
            self._invocations.add(1, function, "failed" if details.get("Error") else "answered")
            began, ended = details.get("StartTimestamp"), details.get("EndTimestamp")
            if isinstance(began, int) and isinstance(ended, int):
                self._durations.observe((ended - began) / 1000, function)
        elif kind == "ExecutionStarted":
            self._started.add(1, function)
        elif kind in _ENDS:
            self._ended.add(1, function, _ENDS[kind])
        elif kind in _CALLBACKS:
            self._callbacks.add(1, _CALLBACKS[kind])

    def began(self, function: str, waited_s: float) -> None:
        self._delays.observe(waited_s, function)

    def timer_fired(self, late_s: float) -> None:
        self._lateness.observe(late_s)

    def checkpointed(self, took_s: float, updates: Sequence[OperationUpdate]) -> None:
        self._checkpoints.observe(took_s)
        self._updates.add(len(updates))
        self._bytes.add(sum(text_bytes(update.payload) for update in updates))

    def committed(self, took_s: float, writes: int) -> None:
        self._commits.observe(took_s)
        self._groups.observe(writes)

    def commit_failed(self) -> None:
        self._failures.add()

    def delivered(self, webhook: str) -> None:
        self._delivered.add(1, webhook)

    def delivery_failed(self, webhook: str) -> None:
        self._undelivered.add(1, webhook)

    def gave_up(self, webhook: str, count: int) -> None:
        self._given_up.add(count, webhook)

    # -- HTTP

    def answered(self, operation: str, status: int, took_s: float) -> None:
        self._requests.add(1, operation, str(status))
        self._request_seconds.observe(took_s, operation)

    # -- what is there now

    def watch(self, catalog: Catalog, running: Callable[[], int]) -> None:
        """Tell of the catalog's workers, and of the invocations that run."""
        self.registry.register(_Now(catalog, running))

    def exposition(self, accepted: str, counted: Counted | None) -> tuple[bytes, str]:
        """The text and its content type. accepted: as the client says. counted: None if it could not be."""
        self._open.set(float("nan") if counted is None else counted.open_executions)
        self._owed.clear()
        self._owed_since.clear()
        for webhook, backlog in counted.owed.items() if counted is not None else ():
            self._owed.labels(webhook).set(backlog.count)
            self._owed_since.labels(webhook).set(backlog.oldest_at / 1000)
        encode, content_type = choose_encoder(accepted)
        return encode(self.registry), content_type


class _Now(Collector):
    """Looked up when somebody asks."""

    def __init__(self, catalog: Catalog, running: Callable[[], int]) -> None:
        self._catalog, self._running = catalog, running

    def collect(self) -> Iterable[GaugeMetricFamily]:
        running = GaugeMetricFamily("everstep_invocations_running", "Invocations of durable functions that run now.")
        running.add_metric((), self._running())
        yield running
        asking = GaugeMetricFamily("everstep_workers_waiting", "Workers that wait for an invocation.", labels=["function"])
        waiting = GaugeMetricFamily("everstep_calls_waiting", "Calls that wait for a worker.", labels=["function"])
        for function in self._catalog:
            pulled = _pulled({id(version.code): version.code for version in function.versions.values()}.values())
            if pulled:
                asking.add_metric((function.name,), sum(one.asking for one in pulled))
                waiting.add_metric((function.name,), sum(one.waiting for one in pulled))
        yield from (asking, waiting)


def _pulled(codes: Iterable[Code]) -> list[Pulled]:
    return [code.pulled if isinstance(code, Processes) else code for code in codes if isinstance(code, (Processes, Pulled))]
