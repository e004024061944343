"""Traces and metrics of executions, by OpenTelemetry. Needs `everstep[otel]`; see docs/telemetry.md."""

from importlib.util import find_spec

from everstep.errors import UsageError

if find_spec("opentelemetry") is None:
    raise UsageError("everstep.otel needs OpenTelemetry's API, which is not installed: pip install 'everstep[otel]'")

from everstep.otel.plugin import OpenTelemetry
from everstep.otel.views import View

__all__ = ["OpenTelemetry", "View"]
