"""The plugin that turns what it is told into traces and metrics.

Rule: the first view given is where user code stands: its span is current in handler code and in the bodies of steps, and it
travels with chained invokes.
"""

from __future__ import annotations

import os
from collections.abc import Sequence
from contextvars import Token
from dataclasses import dataclass, field
from weakref import WeakValueDictionary

from opentelemetry import context, trace
from opentelemetry.context import Context
from opentelemetry.metrics import MeterProvider
from opentelemetry.trace import NonRecordingSpan, SpanContext

from everstep.errors import UsageError
from everstep.otel.ids import write_header
from everstep.otel.metrics import Instruments
from everstep.otel.spans import Tracing
from everstep.otel.views import VIEWS, TraceView, View
from everstep.plugins.api import (
    AttemptEndInfo,
    AttemptStartInfo,
    CheckpointInfo,
    InvocationEndInfo,
    InvocationStartInfo,
    OperationInfo,
    Plugin,
    PropagationInput,
    PropagationMetadata,
    UserFunctionEndInfo,
    UserFunctionStartInfo,
)


class _Moving(NonRecordingSpan):
    """The span that code stands in, wherever that is by now: code that was suspended goes on in another invocation."""

    def __init__(self, now: SpanContext, standing: _Standing) -> None:
        super().__init__(now)
        self.now = now
        self.standing = standing  # lives as long as any code that stands in it

    def get_span_context(self) -> SpanContext:
        return self.now


class _Standing:
    """Where the code of one execution stands, while it is in memory: the handler (None), and functions by operation."""

    def __init__(self) -> None:
        self.spans: WeakValueDictionary[str | None, _Moving] = WeakValueDictionary()
        self.tokens: dict[str, Token[Context]] = {}
        self.targets: dict[str, str] = {}
        """What chained invokes under way call: it is not in their records."""

    def at(self, place: str | None, now: SpanContext) -> _Moving:
        span = self.spans[place] = _Moving(now, self)
        return span

    def move(self, place: str | None, now: SpanContext) -> None:
        span = self.spans.get(place)
        if span is not None:
            span.now = now


@dataclass(slots=True)
class _Run:
    """An invocation under way. token: of what was current before it."""

    views: Sequence[TraceView]
    standing: _Standing
    token: Token[Context]
    attempts: dict[str, Token[Context]] = field(default_factory=dict[str, "Token[Context]"])

    @property
    def first(self) -> TraceView:
        return self.views[0]

    def links(self, view: TraceView, operation_id: str | None) -> list[SpanContext]:
        """To where the other view shows the same."""
        return [other.context_of(operation_id) if operation_id else other.own for other in self.views if other is not view]


class OpenTelemetry(Plugin):
    """Traces and metrics by OpenTelemetry's API. Give it to `@durable(plugins=…)` or `everstep.configure(plugins=…)`."""

    def __init__(
        self,
        *,
        views: Sequence[View] = ("execution",),
        tracer_provider: trace.TracerProvider | None = None,
        meter_provider: MeterProvider | None = None,
        flush_s: float | None = None,
    ) -> None:
        """views: "execution" is one trace over all invocations, "invocation" a trace of each; the first is where user code stands.

        tracer_provider, meter_provider: default: the global ones. flush_s: how long to wait at the end of each invocation for
        everything to be exported, 0 for not at all; default: 2 s on AWS Lambda, which stands still between invocations.
        Raises UsageError if a view is none of the two, or none is given.
        """
        unknown = [view for view in views if view not in VIEWS]
        if unknown or not views or isinstance(views, str):
            raise UsageError(f'views is {views!r}; it must be a sequence of "execution" and "invocation"')
        self._views = tuple(dict.fromkeys(views))
        self._tracing = Tracing(tracer_provider)
        self._instruments = Instruments(meter_provider)
        self._flush_s = (2.0 if "AWS_LAMBDA_FUNCTION_NAME" in os.environ else 0.0) if flush_s is None else flush_s
        self._runs: dict[str, _Run] = {}
        self._standings: WeakValueDictionary[str, _Standing] = WeakValueDictionary()

    # -- invocations -----------------------------------------------------------

    def on_invocation_start(self, info: InvocationStartInfo) -> None:
        arn = info.execution_arn
        standing = (self._standings.get(arn) if info.is_continued else None) or _Standing()
        views = [VIEWS[view](self._tracing, info, standing.targets) for view in self._views]
        self._standings[arn] = standing
        standing.move(None, views[0].own)
        span = standing.spans.get(None) or standing.at(None, views[0].own)
        run = self._runs[arn] = _Run(views, standing, context.attach(trace.set_span_in_context(span)))
        for view in views:
            view.begin(run.links(view, None))
        span.now = run.first.own
        self._instruments.invocation_started(info)

    def on_invocation_end(self, info: InvocationEndInfo) -> None:
        self._instruments.invocation_ended(info)
        run = self._runs.pop(info.execution_arn, None)
        if run is None:
            return
        context.detach(run.token)
        for view in run.views:
            view.ended(info)
        if self._flush_s:
            self._tracing.flush(self._flush_s)

    # -- operations ------------------------------------------------------------

    def on_operation_start(self, info: OperationInfo) -> None:
        run = self._runs.get(info.execution_arn)
        if run is not None:
            if info.target_function is not None:
                run.standing.targets[info.operation_id] = info.target_function
            for view in run.views:
                view.operation_started(info, run.links(view, info.operation_id))
            run.standing.move(info.operation_id, run.first.context_of(info.operation_id))

    def on_operation_end(self, info: OperationInfo) -> None:
        self._instruments.operation_ended(info)
        run = self._runs.get(info.execution_arn)
        if run is not None:
            for view in run.views:
                view.operation_ended(info, run.links(view, None))
            run.standing.targets.pop(info.operation_id, None)

    def provide_propagation_metadata(self, info: PropagationInput) -> PropagationMetadata | None:
        run = self._runs.get(info.execution_arn)
        if run is None:
            return None
        span = run.first.context_of(info.operation_id)
        header = write_header(span.trace_id, span.span_id, is_sampled=span.trace_flags.sampled)
        return PropagationMetadata(x_amzn_trace_id=header)

    # -- code ------------------------------------------------------------------

    def on_attempt_start(self, info: AttemptStartInfo) -> None:
        run = self._runs.get(info.execution_arn)
        if run is not None:
            first, *_ = [view.attempt_started(info) for view in run.views]
            run.attempts[info.operation_id] = context.attach(trace.set_span_in_context(first))

    def on_attempt_end(self, info: AttemptEndInfo) -> None:
        self._instruments.attempt_ended(info)
        run = self._runs.get(info.execution_arn)
        if run is not None:
            token = run.attempts.pop(info.operation_id, None)
            if token is not None:
                context.detach(token)
            for view in run.views:
                view.attempt_ended(info)

    def on_user_function_start(self, info: UserFunctionStartInfo) -> None:
        run = self._runs.get(info.execution_arn)
        if run is not None:
            span = run.standing.at(info.operation_id, run.first.context_of(info.operation_id))
            run.standing.tokens[info.operation_id] = context.attach(trace.set_span_in_context(span))

    def on_user_function_end(self, info: UserFunctionEndInfo) -> None:
        run = self._runs.get(info.execution_arn)
        token = None if run is None else run.standing.tokens.pop(info.operation_id, None)
        if token is not None:
            context.detach(token)

    def on_checkpoint(self, info: CheckpointInfo) -> None:
        self._instruments.checkpointed(info)
