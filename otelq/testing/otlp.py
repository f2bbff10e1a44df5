"""
A real OTLP receiver for tests: gRPC and HTTP on the loopback interface, everything kept in memory.

::

    with OtlpReceiver() as receiver:
        run_a_program(OTEL_EXPORTER_OTLP_ENDPOINT=receiver.grpc_endpoint)
        receiver.wait_until(lambda: any(span.name == "process ship" for span in receiver.spans()))
"""

from __future__ import annotations

import gzip
import threading
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from types import TracebackType
from typing import Any, NamedTuple, Self

import grpc
from opentelemetry.proto.collector.logs.v1.logs_service_pb2 import (
    ExportLogsServiceRequest,
    ExportLogsServiceResponse,
)
from opentelemetry.proto.collector.metrics.v1.metrics_service_pb2 import (
    ExportMetricsServiceRequest,
    ExportMetricsServiceResponse,
)
from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import (
    ExportTraceServiceRequest,
    ExportTraceServiceResponse,
)
from opentelemetry.proto.common.v1.common_pb2 import KeyValue
from opentelemetry.proto.logs.v1.logs_pb2 import LogRecord
from opentelemetry.proto.metrics.v1.metrics_pb2 import Metric, ScopeMetrics
from opentelemetry.proto.trace.v1.trace_pb2 import ScopeSpans, Span

Request = Any  # the three Export…ServiceRequest messages have no common type


class _Signal(NamedTuple):
    service: str
    request: Callable[[], Request]
    response: Callable[[], Any]


_SIGNALS = {
    "traces": _Signal("trace.v1.TraceService", ExportTraceServiceRequest, ExportTraceServiceResponse),
    "metrics": _Signal("metrics.v1.MetricsService", ExportMetricsServiceRequest, ExportMetricsServiceResponse),
    "logs": _Signal("logs.v1.LogsService", ExportLogsServiceRequest, ExportLogsServiceResponse),
}


class OtlpReceiver:
    """
    An OTLP collector for tests, on the loopback interface: it stores in memory what exporters send, inside ``with``.

    It can be read from any thread.

    Attributes:
        grpc_endpoint: the URL for ``OTEL_EXPORTER_OTLP_ENDPOINT`` with OTLP over gRPC.
        http_endpoint: the URL for it with OTLP over HTTP.
        unavailable: set it to True to answer as an overloaded collector does (UNAVAILABLE, 503).
    """

    def __init__(self) -> None:
        self.unavailable = False
        self._received: dict[str, list[Request]] = {signal: [] for signal in _SIGNALS}
        self._changed = threading.Condition()
        self._grpc = grpc.server(ThreadPoolExecutor(max_workers=3))
        self._http = ThreadingHTTPServer(("127.0.0.1", 0), _handler_for(self))
        self._grpc.add_generic_rpc_handlers([_rpc_handler(self, signal) for signal in _SIGNALS])
        self.grpc_endpoint = f"http://127.0.0.1:{self._grpc.add_insecure_port('127.0.0.1:0')}"
        self.http_endpoint = f"http://127.0.0.1:{self._http.server_port}"

    def __enter__(self) -> Self:
        self._grpc.start()
        self._thread = threading.Thread(
            target=self._http.serve_forever, args=(0.01,), daemon=True
        )  # seconds until it sees a stop
        self._thread.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._grpc.stop(grace=None).wait()  # else its threads outlive the test
        self._http.shutdown()
        self._http.server_close()
        self._thread.join()

    def take(self, signal: str, request: Request) -> bool:
        """Keep one export; False if the receiver plays the overloaded one."""
        with self._changed:
            if not self.unavailable:
                self._received[signal].append(request)
            self._changed.notify_all()
            return not self.unavailable

    def wait_until(self, condition: Callable[[], bool], *, timeout: float = 10) -> None:
        """
        Wait until ``condition`` holds; it is checked after each export.

        Args:
            condition: returns True when the wait is over.
            timeout: seconds to wait at most.

        Raises:
            TimeoutError: it did not hold in time.
        """
        with self._changed:
            if not self._changed.wait_for(condition, timeout):
                raise TimeoutError(f"what was waited for did not arrive within {timeout} seconds")

    def scopes(self) -> Iterator[ScopeSpans]:
        """Yield the groups of spans as they were received, with scope and schema URL."""
        for request in list(self._received["traces"]):  # a copy: the threads of the servers append meanwhile
            for resource in request.resource_spans:
                yield from resource.scope_spans

    def spans(self) -> list[Span]:
        """Return every span received."""
        return [span for scope in self.scopes() for span in scope.spans]

    def metric_scopes(self) -> Iterator[ScopeMetrics]:
        """Yield the groups of metrics as they were received, with scope and schema URL."""
        for request in list(self._received["metrics"]):
            for resource in request.resource_metrics:
                yield from resource.scope_metrics

    def metrics(self) -> dict[str, Metric]:
        """Return the latest of every metric received, by name."""
        return {metric.name: metric for scope in self.metric_scopes() for metric in scope.metrics}

    def log_records(self) -> list[LogRecord]:
        """Return every log record received."""
        return [
            record
            for request in list(self._received["logs"])
            for resource in request.resource_logs
            for scope in resource.scope_logs
            for record in scope.log_records
        ]


def attributes_of(values: Any) -> dict[str, Any]:
    """
    Return the attributes of a span, a link, a data point or a scope as plain values.

    Args:
        values: the message that has the attributes.
    """
    pairs: list[KeyValue] = list(values.attributes)
    return {pair.key: getattr(pair.value, pair.value.WhichOneof("value") or "string_value") for pair in pairs}


def _rpc_handler(receiver: OtlpReceiver, name: str) -> Any:
    signal = _SIGNALS[name]

    def export(body: bytes, context: Any) -> bytes:
        if not receiver.take(name, _parse(signal, body)):
            context.abort(grpc.StatusCode.UNAVAILABLE, "the receiver is set to be unavailable")
        answer: bytes = signal.response().SerializeToString()
        return answer

    # Without a deserializer gRPC hands over bytes, which spares the generated, untyped servicers.
    methods: dict[str, Any] = {"Export": grpc.unary_unary_rpc_method_handler(export)}
    return grpc.method_handlers_generic_handler(f"opentelemetry.proto.collector.{signal.service}", methods)


def _parse(signal: _Signal, body: bytes) -> Request:
    request = signal.request()
    request.ParseFromString(body)
    return request


def _handler_for(receiver: OtlpReceiver) -> type[BaseHTTPRequestHandler]:
    class Handler(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            body = self.rfile.read(int(self.headers["Content-Length"]))
            if self.headers.get("Content-Encoding") == "gzip":
                body = gzip.decompress(body)
            name = self.path.rpartition("/")[2]
            signal = _SIGNALS.get(name)
            if signal is None:
                return self.send_error(404)
            if not receiver.take(name, _parse(signal, body)):
                return self.send_error(503)
            answer = signal.response().SerializeToString()
            self.send_response(200)
            self.send_header("Content-Type", "application/x-protobuf")
            self.send_header("Content-Length", str(len(answer)))
            self.end_headers()
            self.wfile.write(answer)
            return None

        def log_message(self, format: str, *args: object) -> None:
            """Say nothing on standard error."""

    return Handler
