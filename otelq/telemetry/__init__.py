"""The spans, metrics and logs of otelq; besides the commands the only package that imports the OpenTelemetry API."""

from __future__ import annotations

from opentelemetry.metrics import MeterProvider
from opentelemetry.trace import TracerProvider

from .logs import JobContextFilter, job_extra, logger
from .names import CounterName
from .spans import Activation, AttemptSpan, Enqueue
from .stored_context import StoredContext, current_request_id, request_id
from .telemetry import Telemetry, installed_version
from .trace_position import TraceMode

__all__ = [
    "Activation",
    "AttemptSpan",
    "CounterName",
    "Enqueue",
    "JobContextFilter",
    "MeterProvider",
    "StoredContext",
    "Telemetry",
    "TraceMode",
    "TracerProvider",
    "current_request_id",
    "installed_version",
    "job_extra",
    "logger",
    "request_id",
]
