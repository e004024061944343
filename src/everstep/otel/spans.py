"""Starts spans whose ids are given.

Rule: OpenTelemetry's API lets nobody choose a span's id; its SDK asks a generator, which a tracer holds. Ours asks for the ids of
the span that is being started here, and no other tracer is touched.
"""

from __future__ import annotations

import logging
from collections import OrderedDict
from collections.abc import Mapping, Sequence
from contextvars import ContextVar
from datetime import datetime
from typing import Final, Protocol, cast

from opentelemetry import trace
from opentelemetry.context import Context
from opentelemetry.trace import Link, NonRecordingSpan, Span, SpanContext, SpanKind, Status, StatusCode, TraceFlags
from opentelemetry.util.types import AttributeValue

from everstep.protocol.shapes import ErrorObject

_logger: Final = logging.getLogger("everstep.otel")
SCOPE: Final = "everstep"
_REMEMBERED: Final = 10_000
SAMPLED: Final = TraceFlags(TraceFlags.SAMPLED)
NOT_SAMPLED: Final = TraceFlags(TraceFlags.DEFAULT)

_chosen: ContextVar[SpanContext | None] = ContextVar("everstep_span", default=None)


class _Ids(Protocol):
    """OpenTelemetry's IdGenerator."""

    def generate_span_id(self) -> int: ...
    def generate_trace_id(self) -> int: ...


class _ChosenIds:
    """An id generator that gives the ids of `_chosen`, and another's where nothing is chosen."""

    def __init__(self, others: _Ids) -> None:
        self._others = others

    def generate_span_id(self) -> int:
        chosen = _chosen.get()
        return self._others.generate_span_id() if chosen is None else chosen.span_id

    def generate_trace_id(self) -> int:
        chosen = _chosen.get()
        return self._others.generate_trace_id() if chosen is None else chosen.trace_id

    def is_trace_id_random(self) -> bool:
        return False


class _Sampler(Protocol):
    def should_sample(self, parent_context: Context | None, trace_id: int, name: str) -> object: ...


class _SdkTracer(Protocol):
    """What the SDK's tracer has besides the API's."""

    id_generator: _Ids
    sampler: _Sampler


class Tracing:
    """A tracer that takes ids."""

    def __init__(self, provider: trace.TracerProvider | None) -> None:
        """provider: None: the global one, as it is when it is needed."""
        self._provider = provider
        self._tracer: trace.Tracer | None = None
        self._has_warned = False
        self._facts: OrderedDict[int, None] = OrderedDict()

    def _current(self) -> trace.Tracer:
        if self._tracer is not None:
            return self._tracer
        from everstep import __version__

        provider = self._provider or trace.get_tracer_provider()
        tracer = provider.get_tracer(SCOPE, __version__)
        ids: _Ids | None = getattr(tracer, "id_generator", None)
        if ids is not None:
            if not isinstance(ids, _ChosenIds):
                cast("_SdkTracer", tracer).id_generator = _ChosenIds(ids)
            self._tracer = tracer
        elif not isinstance(tracer, trace.ProxyTracer | trace.NoOpTracer) and not self._has_warned:
            self._has_warned = True
            _logger.warning(
                "%s is no tracer of OpenTelemetry's SDK and takes no ids: the invocations of an execution will not form one trace",
                type(tracer).__name__,
            )
        return tracer

    def is_new(self, fact: SpanContext) -> bool:
        """Whether this is the first time that this process has that span to tell; it remembers the latest.

        An invocation that is tried again is told again what was told to the one before.
        """
        if fact.span_id in self._facts:
            return False
        self._facts[fact.span_id] = None
        if len(self._facts) > _REMEMBERED:
            self._facts.popitem(last=False)
        return True

    def would_sample(self, trace_id: int, name: str) -> bool:
        """Whether a trace of that id is kept, as the sampler says of its root."""
        sampler: _Sampler | None = getattr(self._current(), "sampler", None)
        if sampler is None:
            return True
        decision: object = getattr(sampler.should_sample(None, trace_id, name), "decision", None)
        is_sampled = getattr(decision, "is_sampled", None)
        return bool(is_sampled()) if callable(is_sampled) else True

    def start(
        self,
        name: str,
        own: SpanContext,
        parent: SpanContext | None,
        *,
        start_time: datetime,
        kind: SpanKind = SpanKind.INTERNAL,
        attributes: Mapping[str, AttributeValue] | None = None,
        links: Sequence[SpanContext] = (),
    ) -> Span:
        """A span with the ids of `own`."""
        context = Context() if parent is None else trace.set_span_in_context(NonRecordingSpan(parent), Context())
        token = _chosen.set(own)
        try:
            return self._current().start_span(
                name,
                context,
                kind=kind,
                attributes=attributes,
                links=[Link(link) for link in links if link.is_valid],
                start_time=nanoseconds(start_time),
                record_exception=False,
                set_status_on_exception=False,
            )
        finally:
            _chosen.reset(token)

    def flush(self, timeout_s: float) -> None:
        """Have everything exported that has ended, if the provider can."""
        flush = getattr(self._provider or trace.get_tracer_provider(), "force_flush", None)
        if flush is not None:
            flush(round(timeout_s * 1000))


def end(span: Span, end_time: datetime, *, is_error: bool, error: ErrorObject | None) -> None:
    """End it, with the recorded error on it."""
    if is_error:
        span.set_status(Status(StatusCode.ERROR, error.error_message if error is not None else None))
    if error is not None:
        kind = error.error_type or "Error"
        span.set_attribute("error.type", kind)
        event: dict[str, AttributeValue] = {"exception.type": kind, "exception.message": error.error_message or ""}
        if error.stack_trace:
            event["exception.stacktrace"] = "\n".join(error.stack_trace)
        span.add_event("exception", event, nanoseconds(end_time))
    span.end(nanoseconds(end_time))


def nanoseconds(when: datetime) -> int:
    """Since the epoch. Times are recorded in milliseconds; what a float of seconds would add is not in them."""
    return round(when.timestamp() * 1_000_000) * 1_000
