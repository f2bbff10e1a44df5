"""
What OpenTelemetry is told; the only room of the house, beside tests and commands, that imports it (the API
alone).
"""

from __future__ import annotations

from opentelemetry.metrics import MeterProvider
from opentelemetry.trace import TracerProvider

from .logs import JobContextFilter, job_extra, logger
from .names import Count
from .spans import Activation, AttemptSpan, Enqueue
from .stored_context import TraceNote, current_request_id, request_id
from .telemetry import Telemetry
from .trace_position import TraceMode

__all__ = [
    "Activation",
    "AttemptSpan",
    "Count",
    "Enqueue",
    "JobContextFilter",
    "MeterProvider",
    "Telemetry",
    "TraceMode",
    "TraceNote",
    "TracerProvider",
    "current_request_id",
    "job_extra",
    "logger",
    "request_id",
]
