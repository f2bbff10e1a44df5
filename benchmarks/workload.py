"""The work that is measured: a job that does nothing, and the process that drains a queue of it."""

from __future__ import annotations

import asyncio
import json
import sys
import time
from typing import TypedDict

from opentelemetry import metrics, trace
from opentelemetry.sdk.metrics import MeterProvider
from opentelemetry.sdk.metrics.export import InMemoryMetricReader
from opentelemetry.sdk.trace import TracerProvider
from opentelemetry.sdk.trace.export import BatchSpanProcessor, SpanExporter, SpanExportResult
from opentelemetry.sdk.trace.sampling import ParentBased, TraceIdRatioBased

import otelq


class Payload(TypedDict):
    """What every peer of the comparison is given, too."""

    user_id: int
    email: str


jobs = otelq.Jobs()
starts: list[float] = []


@jobs.job("bench.noop")
async def noop(attempt: otelq.Attempt[Payload]) -> None:
    starts.append(time.perf_counter())


def payload(number: int) -> Payload:
    """A payload of about forty bytes."""
    return {"user_id": number, "email": f"user{number}@example.com"}


class _Nowhere(SpanExporter):
    def export(self, spans: object) -> SpanExportResult:
        return SpanExportResult.SUCCESS


def observe() -> None:
    """Metrics on and traces sampled at 1 %, as in production."""
    provider = TracerProvider(sampler=ParentBased(TraceIdRatioBased(0.01)))
    provider.add_span_processor(BatchSpanProcessor(_Nowhere()))
    trace.set_tracer_provider(provider)
    metrics.set_meter_provider(MeterProvider([InMemoryMetricReader()]))


async def drain(url: str, count: int, concurrency: int) -> float:
    """Seconds from the first handler until every job is durably closed."""
    async with otelq.connect(url) as client, otelq.Worker(client, jobs, concurrency=concurrency):
        while len(starts) < count or (await client.jobs(status="open", limit=1)).items:  # noqa: ASYNC110  # asks a database
            await asyncio.sleep(0.005)
        return time.perf_counter() - starts[0]


if __name__ == "__main__":
    if "--unobserved" not in sys.argv:
        observe()
    seconds = asyncio.run(drain(sys.argv[1], int(sys.argv[2]), int(sys.argv[3])))
    print(json.dumps({"seconds": seconds, "handled": len(starts)}))
