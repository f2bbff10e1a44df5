"""Over the wire: what a collector would receive."""

from __future__ import annotations

from collections.abc import Iterator

import pytest
import requests
from opentelemetry.exporter.otlp.proto.grpc.metric_exporter import OTLPMetricExporter as GrpcMetrics
from opentelemetry.exporter.otlp.proto.grpc.trace_exporter import OTLPSpanExporter as GrpcSpans
from opentelemetry.exporter.otlp.proto.http import Compression
from opentelemetry.exporter.otlp.proto.http.metric_exporter import OTLPMetricExporter as HttpMetrics
from opentelemetry.exporter.otlp.proto.http.trace_exporter import OTLPSpanExporter as HttpSpans
from opentelemetry.sdk.metrics import MeterProvider
from opentelemetry.sdk.metrics.export import MetricExporter, PeriodicExportingMetricReader
from opentelemetry.sdk.trace import TracerProvider
from opentelemetry.sdk.trace.export import SimpleSpanProcessor, SpanExporter

from otelq.telemetry import Telemetry, names
from otelq.testing.otlp import OtlpReceiver, attributes_of

from .sdk import CHAIN, CLAIMED, CREATED, claimed


@pytest.fixture
def receiver() -> Iterator[OtlpReceiver]:
    """A receiver for gRPC and HTTP."""
    with OtlpReceiver() as receiver:
        yield receiver


@pytest.mark.parametrize("protocol", ["grpc", "http"])
def test_spans_and_metrics_arrive(receiver: OtlpReceiver, protocol: str) -> None:
    tracers, meters = providers(receiver, protocol)
    telemetry = Telemetry(tracer_provider=tracers, meter_provider=meters)
    enqueue = telemetry.enqueue(type="ship", chain_id=CHAIN, position=0)
    enqueue.end()
    telemetry.attempt(claimed(enqueue.stored_context), worker="w").end("completed")
    telemetry.record_transitions([CREATED, CLAIMED])
    meters.shutdown()
    tracers.shutdown()
    receiver.wait_until(lambda: len(receiver.spans()) == 2 and "otelq.job.transitions" in receiver.metrics())

    enqueued, processed = receiver.spans()
    assert (enqueued.name, processed.name) == ("enqueue ship", "process ship")
    assert processed.parent_span_id == processed.links[0].span_id == enqueued.span_id
    assert attributes_of(processed)["otelq.chain.id"] == CHAIN
    scope = next(receiver.scopes())
    assert (scope.scope.name, scope.schema_url) == ("otelq", names.SCHEMA_URL)
    wait = receiver.metrics()["otelq.job.wait.duration"]
    assert (wait.unit, tuple(wait.histogram.data_points[0].explicit_bounds)) == ("s", names.WAIT)


def providers(receiver: OtlpReceiver, protocol: str) -> tuple[TracerProvider, MeterProvider]:
    spans: SpanExporter
    metrics: MetricExporter
    if protocol == "grpc":
        spans = GrpcSpans(endpoint=receiver.grpc_endpoint, insecure=True)
        metrics = GrpcMetrics(endpoint=receiver.grpc_endpoint, insecure=True)
    else:
        url = receiver.http_endpoint
        spans = HttpSpans(endpoint=f"{url}/v1/traces", compression=Compression.Gzip)
        metrics = HttpMetrics(endpoint=f"{url}/v1/metrics")
    tracers = TracerProvider()
    tracers.add_span_processor(SimpleSpanProcessor(spans))
    return tracers, MeterProvider(metric_readers=[PeriodicExportingMetricReader(metrics)])


def test_the_receiver_can_play_an_overloaded_collector(receiver: OtlpReceiver) -> None:
    receiver.unavailable = True
    answers = [
        requests.post(f"{receiver.http_endpoint}/v1/traces", timeout=5).status_code,
        requests.post(f"{receiver.http_endpoint}/v1/nothing", timeout=5).status_code,
    ]
    assert answers == [503, 404]
    with pytest.raises(TimeoutError):
        receiver.wait_until(lambda: bool(receiver.spans()), timeout=0.01)
