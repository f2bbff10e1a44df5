"""Records spans in memory with the OpenTelemetry SDK, if it is installed."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

from opentelemetry.trace import Tracer, TracerProvider, get_tracer

if TYPE_CHECKING:
    from opentelemetry.sdk.trace import ReadableSpan
    from opentelemetry.sdk.trace.export.in_memory_span_exporter import InMemorySpanExporter

ADVICE = "To see the trace as well, install otelq's extra `otlp` (README, Install)"


class SpanRecorder:
    """
    Records the spans of one run.

    It has a provider of its own: the global one may drop spans, and a sampler set in the environment would.
    """

    def __init__(self) -> None:
        self.provider: TracerProvider | None = None
        """The provider for ``connect``; None without an SDK."""
        self._exporter: InMemorySpanExporter | None = None
        try:
            from opentelemetry.sdk.trace import TracerProvider as SdkProvider
            from opentelemetry.sdk.trace.export import SimpleSpanProcessor
            from opentelemetry.sdk.trace.export.in_memory_span_exporter import InMemorySpanExporter
            from opentelemetry.sdk.trace.sampling import ALWAYS_ON
        except ImportError:
            return
        self._exporter = InMemorySpanExporter()
        self.provider = provider = SdkProvider(sampler=ALWAYS_ON, shutdown_on_exit=False)
        provider.add_span_processor(SimpleSpanProcessor(self._exporter))

    @property
    def spans(self) -> Sequence[ReadableSpan]:
        """Return the spans that have ended; none without an SDK."""
        return self._exporter.get_finished_spans() if self._exporter else ()

    def tracer(self, name: str) -> Tracer:
        """Return a tracer whose spans are recorded; one that does nothing without an SDK."""
        return get_tracer(name, tracer_provider=self.provider)
