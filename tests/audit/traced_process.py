"""A process that starts chains, runs them and reports to an OTLP receiver: ``python -m tests.audit.traced_process``."""

from __future__ import annotations

import asyncio
import sys
from typing import Any

from opentelemetry.exporter.otlp.proto.http.metric_exporter import OTLPMetricExporter
from opentelemetry.exporter.otlp.proto.http.trace_exporter import OTLPSpanExporter
from opentelemetry.sdk.metrics import MeterProvider
from opentelemetry.sdk.metrics.export import PeriodicExportingMetricReader
from opentelemetry.sdk.trace import TracerProvider
from opentelemetry.sdk.trace.export import SimpleSpanProcessor

import otelq

CONCURRENCY = 4
EXPORT_EVERY = 0.1

jobs = otelq.Jobs()


@jobs.job("step", lease=1, retry=otelq.RetryPolicy(initial=0, max_attempts=None))
async def step(attempt: otelq.Attempt[int]) -> int | otelq.Continue[int]:
    """Fails at its first attempt every third time; otherwise goes on until its input is spent."""
    await asyncio.sleep(0.002)
    if attempt.number == 1 and attempt.token % 3 == 0:
        raise ConnectionError
    return attempt.continue_with(step, attempt.input - 1) if attempt.input else 0


async def main(url: str, endpoint: str) -> None:
    """Start chains for ever, one after the other, and run them."""
    reader = PeriodicExportingMetricReader(
        OTLPMetricExporter(f"{endpoint}/v1/metrics"), export_interval_millis=EXPORT_EVERY * 1000
    )
    tracers = TracerProvider()
    tracers.add_span_processor(SimpleSpanProcessor(OTLPSpanExporter(f"{endpoint}/v1/traces")))
    meters: Any = MeterProvider([reader])
    async with (
        otelq.connect(url, tracer_provider=tracers, meter_provider=meters) as client,
        otelq.Worker(client, jobs, concurrency=CONCURRENCY, reap_interval=0.2, poll_interval=0.1),
    ):
        while True:
            async with client.transaction() as tx:
                chain = await client.start(step, 2, tx=tx)
            await client.start(step, 0)
            await client.result(chain)


if __name__ == "__main__":
    asyncio.run(main(*sys.argv[1:]))
