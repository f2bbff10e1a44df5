"""Records spans in memory with the OpenTelemetry SDK, where that is installed."""

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
    The spans of one run.

    Its provider is its own, so that neither the global one nor a sampler of the environment has a say.
    """

    def __init__(self) -> None:
        self.provider: TracerProvider | None = None
        """For ``connect``; None where there is no SDK."""
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
        """What has ended so far; empty where there is no SDK."""
        return self._exporter.get_finished_spans() if self._exporter else ()

    def tracer(self, name: str) -> Tracer:
        """A tracer whose spans are recorded; one that does nothing where there is no SDK."""
        return get_tracer(name, tracer_provider=self.provider)
