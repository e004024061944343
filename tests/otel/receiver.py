"""An OTLP receiver on the loopback interface, and providers that export to it: HTTP, protobuf, as a collector takes it."""

from __future__ import annotations

from collections.abc import Generator, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from threading import Thread

from opentelemetry.exporter.otlp.proto.http.metric_exporter import OTLPMetricExporter
from opentelemetry.exporter.otlp.proto.http.trace_exporter import OTLPSpanExporter
from opentelemetry.proto.collector.metrics.v1.metrics_service_pb2 import ExportMetricsServiceRequest
from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import ExportTraceServiceRequest
from opentelemetry.proto.common.v1.common_pb2 import AnyValue, KeyValue
from opentelemetry.proto.metrics.v1.metrics_pb2 import Metric
from opentelemetry.proto.trace.v1.trace_pb2 import Span as WireSpan
from opentelemetry.sdk.metrics import MeterProvider
from opentelemetry.sdk.metrics.export import PeriodicExportingMetricReader
from opentelemetry.sdk.trace import TracerProvider
from opentelemetry.sdk.trace.export import BatchSpanProcessor
from opentelemetry.sdk.trace.sampling import Sampler


@dataclass
class Span:
    """A span as it arrived. parent: "" for none. links: (trace, span)."""

    name: str
    trace: str
    id: str
    parent: str
    kind: str
    start_ns: int
    end_ns: int
    is_error: bool
    attributes: dict[str, object]
    links: list[tuple[str, str]]
    events: list[tuple[str, dict[str, object]]]


@dataclass
class Point:
    """What was counted or measured under one set of attributes. total: of a counter; count and sum: of a histogram."""

    total: float = 0
    count: int = 0
    sum: float = 0


@dataclass
class Receiver:
    """What arrived."""

    url: str = ""
    spans: list[Span] = field(default_factory=list[Span])
    metrics: dict[str, dict[frozenset[tuple[str, object]], Point]] = field(
        default_factory=dict[str, dict[frozenset[tuple[str, object]], Point]]
    )
    requests: list[str] = field(default_factory=list[str])

    def of(self, name: str) -> list[Span]:
        return [span for span in self.spans if span.name == name]

    def one(self, name: str) -> Span:
        (span,) = self.of(name)
        return span

    def tree(self) -> dict[str, list[str]]:
        """By a span's name, those of its children, sorted; the roots under ""."""
        names = {span.id: span.name for span in self.spans}
        found: dict[str, list[str]] = {}
        for span in self.spans:
            found.setdefault(names.get(span.parent, ""), []).append(span.name)
        return {name: sorted(children) for name, children in found.items()}

    def point(self, metric: str, **attributes: object) -> Point:
        """The one of a metric that has these attributes (dots as underscores)."""
        wanted = set(attributes.items())
        points = self.metrics[metric]
        (found,) = [point for said, point in points.items() if wanted <= {(name.replace(".", "_"), value) for name, value in said}]
        return found

    def take(self, path: str, body: bytes) -> None:
        self.requests.append(path)
        if path == "/v1/traces":
            traces = ExportTraceServiceRequest.FromString(body)
            self.spans += [_span(span) for r in traces.resource_spans for scope in r.scope_spans for span in scope.spans]
        else:
            metrics = ExportMetricsServiceRequest.FromString(body)
            for metric in [metric for r in metrics.resource_metrics for scope in r.scope_metrics for metric in scope.metrics]:
                self.metrics[metric.name] = dict(_points(metric))


@contextmanager
def receiving() -> Generator[Receiver, None, None]:
    """A receiver that listens."""
    receiver = Receiver()

    class Handler(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            body = self.rfile.read(int(self.headers["Content-Length"]))
            if self.headers["Content-Encoding"] == "gzip":
                import gzip

                body = gzip.decompress(body)
            assert self.headers["Content-Type"] == "application/x-protobuf"
            receiver.take(self.path, body)
            self.send_response(200)
            self.send_header("Content-Type", "application/x-protobuf")
            self.send_header("Content-Length", "0")
            self.end_headers()

        def log_message(self, format: str, *args: object) -> None:  # noqa: A002  # its name there
            pass

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    receiver.url = f"http://127.0.0.1:{server.server_address[1]}"
    thread = Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01})
    thread.start()
    try:
        yield receiver
    finally:
        server.shutdown()
        thread.join()
        server.server_close()


def tracer_provider(url: str, sampler: Sampler | None = None) -> TracerProvider:
    provider = TracerProvider(sampler=sampler)
    provider.add_span_processor(BatchSpanProcessor(OTLPSpanExporter(f"{url}/v1/traces", timeout=5)))
    return provider


def meter_provider(url: str) -> MeterProvider:
    reader = PeriodicExportingMetricReader(OTLPMetricExporter(f"{url}/v1/metrics", timeout=5), export_interval_millis=3_600_000)
    return MeterProvider([reader])


def _value(value: AnyValue) -> object:
    kind = value.WhichOneof("value")
    return None if kind is None else getattr(value, kind)


def _attributes(pairs: list[KeyValue]) -> dict[str, object]:
    return {pair.key: _value(pair.value) for pair in pairs}


def _span(span: WireSpan) -> Span:
    return Span(
        span.name,
        span.trace_id.hex(),
        span.span_id.hex(),
        span.parent_span_id.hex(),
        WireSpan.SpanKind.Name(span.kind).removeprefix("SPAN_KIND_"),
        span.start_time_unix_nano,
        span.end_time_unix_nano,
        span.status.code == 2,
        _attributes(list(span.attributes)),
        [(link.trace_id.hex(), link.span_id.hex()) for link in span.links],
        [(event.name, _attributes(list(event.attributes))) for event in span.events],
    )


def _points(metric: Metric) -> Iterator[tuple[frozenset[tuple[str, object]], Point]]:
    for number in metric.sum.data_points:
        yield frozenset(_attributes(list(number.attributes)).items()), Point(total=number.as_int or number.as_double)
    for histogram in metric.histogram.data_points:
        yield frozenset(_attributes(list(histogram.attributes)).items()), Point(count=histogram.count, sum=histogram.sum)
