"""The two ways to look at an execution: as one trace over all of its invocations, or as a trace of each invocation.

Rule: a view is made for one invocation and holds what runs in it; what is a fact of the execution (its own span, those of
operations) is worked out from what is recorded, and exported once, by the invocation that learns of its end.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Sequence
from typing import Literal, TypeAlias

from opentelemetry import trace
from opentelemetry.trace import Span, SpanContext, SpanKind
from opentelemetry.util.types import AttributeValue

from everstep.otel import attributes, ids
from everstep.otel.spans import NOT_SAMPLED, SAMPLED, Tracing, end
from everstep.plugins.api import AttemptEndInfo, AttemptStartInfo, InvocationEndInfo, InvocationStartInfo, OperationIdentity, OperationInfo

View: TypeAlias = Literal["execution", "invocation"]


class TraceView(ABC):
    """One invocation in one view. own: the span of the whole that it shows."""

    own: SpanContext

    def __init__(self, tracing: Tracing, info: InvocationStartInfo, targets: dict[str, str]) -> None:
        """targets: what chained invokes under way call, by operation, as far as this process has seen them begin."""
        self._tracing = tracing
        self._info = info
        self._targets = targets
        self._attempts: dict[str, Span] = {}
        self._run = info.request_id or info.start_time.isoformat()
        """What tells this invocation from the others of its execution."""

    @abstractmethod
    def begin(self, links: Sequence[SpanContext]) -> None:
        """Start the spans of the invocation. links: to the other view."""

    @abstractmethod
    def context_of(self, operation_id: str | None) -> SpanContext:
        """The span of an operation; of the whole, if it is none."""

    @abstractmethod
    def operation_started(self, info: OperationInfo, links: Sequence[SpanContext]) -> None: ...

    @abstractmethod
    def operation_ended(self, info: OperationInfo, links: Sequence[SpanContext]) -> None: ...

    @abstractmethod
    def ended(self, info: InvocationEndInfo) -> None: ...

    def attempt_started(self, info: AttemptStartInfo) -> Span:
        parent = self.context_of(info.operation_id)
        name = f"{attributes.span_name(info)} attempt {info.attempt}"
        span_id = self._span_id("attempt", info.operation_id, str(info.attempt), self._run)
        said = attributes.of_operation(info) | {"durable.attempt.number": info.attempt}
        span = self._tracing.start(name, _like(parent, span_id), parent, start_time=info.start_time, attributes=said)
        self._attempts[info.operation_id] = span
        return span

    def attempt_ended(self, info: AttemptEndInfo) -> None:
        span = self._attempts.pop(info.operation_id, None)
        if span is not None:
            span.set_attribute("durable.attempt.outcome", info.outcome)
            end(span, info.end_time, is_error=info.outcome == "FAILED", error=info.error)

    def _said(self, info: OperationInfo) -> dict[str, AttributeValue]:
        said = attributes.of_operation(info) | attributes.of_state(info)
        target = self._targets.get(info.operation_id)
        return said if target is None else said | {"faas.invoked_name": target}

    def _span_id(self, *parts: str) -> int:
        return ids.span_id(type(self).__name__, self._info.execution_arn, *parts)


class ExecutionView(TraceView):
    """One trace over all invocations: the execution, its operations and their attempts, and the invocations beside them."""

    def __init__(self, tracing: Tracing, info: InvocationStartInfo, targets: dict[str, str]) -> None:
        super().__init__(tracing, info, targets)
        header = ids.read_header(info.trace_header)
        span_id = self._span_id("execution")
        self._parent: SpanContext | None = None
        if header.trace_id and header.parent_id and header.is_sampled:
            self._parent = SpanContext(header.trace_id, header.parent_id, is_remote=True, trace_flags=SAMPLED)
            self.own = _like(self._parent, span_id)
        else:
            trace_id = ids.trace_id(info.execution_start_time, info.execution_arn)
            flags = SAMPLED if tracing.would_sample(trace_id, self._name) else NOT_SAMPLED
            self.own = SpanContext(trace_id, span_id, is_remote=True, trace_flags=flags)
        self._invocation: Span = trace.INVALID_SPAN

    @property
    def _name(self) -> str:
        return f"execution {self._info.function_name}"

    def begin(self, links: Sequence[SpanContext]) -> None:
        info = self._info
        self._invocation = self._tracing.start(
            f"invocation {info.function_name}",
            _like(self.own, self._span_id("invocation", self._run)),
            self.own,
            start_time=info.start_time,
            kind=SpanKind.SERVER,
            attributes=attributes.of_invocation(info),
            links=links,
        )

    def context_of(self, operation_id: str | None) -> SpanContext:
        return self.own if operation_id is None else _like(self.own, self._span_id("operation", operation_id))

    def operation_started(self, info: OperationInfo, links: Sequence[SpanContext]) -> None:
        """Nothing: its span is made when its end is known."""

    def operation_ended(self, info: OperationInfo, links: Sequence[SpanContext]) -> None:
        own = self.context_of(info.operation_id)
        if not self._tracing.is_new(own):
            return
        span = self._tracing.start(
            attributes.span_name(info),
            own,
            self.context_of(info.parent_id),
            start_time=info.start_time,
            kind=attributes.KINDS.get(info.operation_type, SpanKind.INTERNAL),
            attributes=self._said(info),
            links=[self._invocation.get_span_context(), *links],
        )
        end(span, info.end_time or info.start_time, is_error=info.status in attributes.FAILED, error=info.error)

    def ended(self, info: InvocationEndInfo) -> None:
        self._invocation.set_attribute("durable.invocation.status", info.status)
        end(self._invocation, info.end_time, is_error=info.status in ("FAILED", "RETRY"), error=info.error)
        if info.status in ("SUCCEEDED", "FAILED") and self._tracing.is_new(self.own):
            span = self._tracing.start(
                self._name,
                self.own,
                self._parent,
                start_time=info.execution_start_time,
                kind=SpanKind.SERVER,
                attributes=attributes.of_execution(info) | {"durable.execution.status": info.status},
            )
            end(span, info.end_time, is_error=info.status == "FAILED", error=info.error)


class InvocationView(TraceView):
    """A trace of each invocation, below whatever span is current when it begins: what was under way in it, and its attempts."""

    def __init__(self, tracing: Tracing, info: InvocationStartInfo, targets: dict[str, str]) -> None:
        super().__init__(tracing, info, targets)
        span_id = self._span_id("invocation", self._run)
        around = trace.get_current_span().get_span_context()
        header = ids.read_header(info.trace_header)
        self._parent: SpanContext | None = None
        if around.is_valid:
            self._parent = around
        elif header.trace_id and header.parent_id and header.is_sampled:
            self._parent = SpanContext(header.trace_id, header.parent_id, is_remote=True, trace_flags=SAMPLED)
        if self._parent is not None:
            self.own = _like(self._parent, span_id)
        else:
            self.own = SpanContext(
                ids.trace_id(info.start_time, info.execution_arn, self._run), span_id, is_remote=False, trace_flags=SAMPLED
            )
        self._invocation: Span = trace.INVALID_SPAN
        self._under_way: dict[str, Span] = {}

    def begin(self, links: Sequence[SpanContext]) -> None:
        info = self._info
        self._invocation = self._tracing.start(
            f"invocation {info.function_name}",
            self.own,
            self._parent,
            start_time=info.start_time,
            kind=SpanKind.SERVER,
            attributes=attributes.of_invocation(info),
            links=links,
        )
        self.own = self._invocation.get_span_context()  # as it was sampled

    def context_of(self, operation_id: str | None) -> SpanContext:
        return self._under_way.get(operation_id or "", self._invocation).get_span_context()

    def operation_started(self, info: OperationInfo, links: Sequence[SpanContext]) -> None:
        parent = self.context_of(info.parent_id)
        said = self._said(info) | {"durable.operation.replayed": info.is_replayed}
        self._under_way[info.operation_id] = self._tracing.start(
            attributes.span_name(info),
            _like(parent, self._span_id("operation", info.operation_id, self._run)),
            parent,
            start_time=self._info.start_time if info.is_replayed else info.start_time,
            kind=attributes.KINDS.get(info.operation_type, SpanKind.INTERNAL),
            attributes=said,
            links=links,
        )

    def operation_ended(self, info: OperationInfo, links: Sequence[SpanContext]) -> None:
        span = self._under_way.pop(info.operation_id, None)
        if span is None:  # it ended before this invocation
            self._invocation.add_event("operation ended", _event(info))
            return
        for name, value in attributes.of_state(info).items():
            span.set_attribute(name, value)
        end(span, info.end_time or info.start_time, is_error=info.status in attributes.FAILED, error=info.error)

    def ended(self, info: InvocationEndInfo) -> None:
        for span in reversed(self._under_way.values()):
            end(span, info.end_time, is_error=False, error=None)
        self._under_way.clear()
        self._invocation.set_attribute("durable.invocation.status", info.status)
        end(self._invocation, info.end_time, is_error=info.status in ("FAILED", "RETRY"), error=info.error)


VIEWS: dict[View, type[ExecutionView | InvocationView]] = {"execution": ExecutionView, "invocation": InvocationView}


def _like(context: SpanContext, span_id: int) -> SpanContext:
    """Another span of the same trace."""
    return SpanContext(context.trace_id, span_id, is_remote=context.is_remote, trace_flags=context.trace_flags)


def _event(info: OperationIdentity) -> dict[str, str]:
    said = {"durable.operation.id": info.operation_id, "durable.operation.type": info.operation_type}
    return said | ({"durable.operation.name": info.name} if info.name else {})
