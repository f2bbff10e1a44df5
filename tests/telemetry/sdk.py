"""An SDK in memory, and the values that telemetry is told of."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from typing import Any

from opentelemetry.sdk.metrics import MeterProvider
from opentelemetry.sdk.metrics.export import InMemoryMetricReader, Metric
from opentelemetry.sdk.trace import ReadableSpan, TracerProvider
from opentelemetry.sdk.trace.export import SimpleSpanProcessor
from opentelemetry.sdk.trace.export.in_memory_span_exporter import InMemorySpanExporter
from opentelemetry.sdk.trace.sampling import Decision, ParentBased, Sampler, SamplingResult
from opentelemetry.trace import SpanContext

from otelq.model import Claimed, Lease, Status, Transition, Verb
from otelq.telemetry import Telemetry

NOW = datetime(2026, 1, 2, 3, 4, 5, tzinfo=UTC)
CHAIN = "0198c0de-0000-7000-8000-000000000001"


class Recording(Sampler):
    """Samples as told, and remembers what it was shown."""

    def __init__(self) -> None:
        self.sample = True
        self.seen: list[tuple[str, dict[str, Any]]] = []

    def should_sample(self, parent_context: Any, trace_id: int, name: str, *rest: Any, **more: Any) -> SamplingResult:
        attributes = rest[1] if len(rest) > 1 else more.get("attributes")
        self.seen.append((name, dict(attributes or {})))
        return SamplingResult(Decision.RECORD_AND_SAMPLE if self.sample else Decision.DROP, attributes)

    def get_description(self) -> str:
        return "recording"


@dataclass
class Sdk:
    """A tracer provider and a meter provider that keep everything."""

    sampler: Recording = field(default_factory=Recording)
    exporter: InMemorySpanExporter = field(default_factory=InMemorySpanExporter)
    reader: InMemoryMetricReader = field(default_factory=InMemoryMetricReader)

    def __post_init__(self) -> None:
        self.tracers = TracerProvider(sampler=ParentBased(self.sampler))
        self.tracers.add_span_processor(SimpleSpanProcessor(self.exporter))
        self.meters = MeterProvider(metric_readers=[self.reader])
        self.tracer = self.tracers.get_tracer("the application")

    def telemetry(self, **options: Any) -> Telemetry:
        return Telemetry(tracer_provider=self.tracers, meter_provider=self.meters, **options)

    def shutdown(self) -> None:
        self.tracers.shutdown()
        self.meters.shutdown()

    @property
    def spans(self) -> Sequence[ReadableSpan]:
        return self.exporter.get_finished_spans()

    def named(self, name: str) -> list[ReadableSpan]:
        return [span for span in self.spans if span.name == name]

    def one(self, name: str) -> ReadableSpan:
        [span] = self.named(name)
        return span

    def metrics(self) -> dict[str, Metric]:
        data = self.reader.get_metrics_data()
        if data is None:
            return {}
        return {
            metric.name: metric
            for resource in data.resource_metrics
            for scope in resource.scope_metrics
            for metric in scope.metrics
        }

    def points(self, name: str) -> list[Any]:
        metric = self.metrics().get(name)
        return [] if metric is None else list(metric.data.data_points)

    def total(self, name: str, /, **labels: str) -> int:
        """The sum of a counter, or the count of a histogram, over the points whose attributes end so."""
        return sum(
            int(point.value if hasattr(point, "value") else point.count)
            for point in self.points(name)
            if all(_ends(point.attributes, key, value) for key, value in labels.items())
        )


def _ends(attributes: Mapping[str, Any], key: str, value: str) -> bool:
    return any(name.split(".")[-1] == key and found == value for name, found in attributes.items())


def span_context(span: ReadableSpan) -> SpanContext:
    context = span.get_span_context()
    assert isinstance(context, SpanContext)
    return context


def parent_id(span: ReadableSpan) -> int | None:
    return None if span.parent is None else span.parent.span_id


def linked_ids(span: ReadableSpan) -> list[int]:
    return [link.context.span_id for link in span.links]


def reasons(span: ReadableSpan) -> list[str]:
    return [str((link.attributes or {})["otelq.link.reason"]) for link in span.links]


def claimed(trace: str | None = None, *, waited: float = 0.0, **changes: Any) -> Claimed:
    """A job as a claim returns it; due ``waited`` seconds after it was created."""
    values: dict[str, Any] = {
        "lease": Lease(CHAIN, changes.pop("position", 0), 7),
        "type": "ship",
        "queue": "default",
        "chain_type": "ship",
        "input": "{}",
        "attempt": 1,
        "crashes": 0,
        "priority": 0,
        "due_at": NOW + timedelta(seconds=waited),
        "created_at": NOW,
        "chain_created_at": NOW,
        "claimed_at": NOW + timedelta(seconds=waited),
        "leased_until": NOW + timedelta(seconds=waited + 30),
        "trace": trace,
    }
    return Claimed(**(values | changes))


def moved(verb: Verb, source: Status | None, target: Status | None, **changes: Any) -> Transition:
    """A transition as an adapter returns it."""
    values: dict[str, Any] = {
        "verb": verb,
        "chain_id": CHAIN,
        "position": 0,
        "type": "ship",
        "queue": "default",
        "chain_type": "ship",
        "source": source,
        "target": target,
        "at": NOW + timedelta(seconds=3),
        "attempt": 1,
        "created_at": NOW,
        "chain_created_at": NOW,
        "due_at": NOW + timedelta(seconds=1),
    }
    return Transition(**(values | changes))


CREATED = moved(Verb.CREATE, None, Status.READY)
CLAIMED = moved(Verb.CLAIM, Status.READY, Status.RUNNING)
COMPLETED = moved(Verb.COMPLETE, Status.RUNNING, Status.COMPLETED)
RETRIED = moved(Verb.RETRY, Status.RUNNING, Status.SCHEDULED, error_type="ValueError")
REAPED = moved(Verb.REAP, Status.RUNNING, Status.READY, worker="w-1")
