"""
See every step as a span: a request starts a job, which fails once and is retried, all in one trace.

Needs the OpenTelemetry SDK. A console exporter prints spans as they end, without those of otelq's own batches, which
have traces of their own. Runs on ``memory://``, or on the database that ``OTELQ_URL`` names. Prints::

    trace 1  enqueue mail.send
    trace 1  GET /signup
    trace 1  connect to the mail server
    trace 1  process mail.send (retry)
    trace 1  connect to the mail server
    trace 1  process mail.send (completed)
"""

import asyncio
import os

from opentelemetry import trace
from opentelemetry.sdk.trace import ReadableSpan, TracerProvider
from opentelemetry.sdk.trace.export import ConsoleSpanExporter, SimpleSpanProcessor

import otelq

jobs = otelq.Jobs()
tracer = trace.get_tracer("example")
seen: list[int] = []


@jobs.job("mail.send", retry=otelq.RetryPolicy(max_attempts=2, initial=0.05))
async def send_mail(attempt: otelq.Attempt[str]) -> str:
    with tracer.start_as_current_span("connect to the mail server"):
        if attempt.number == 1:
            raise ConnectionError("nobody answers")
    return f"sent to {attempt.input}"


def line(span: ReadableSpan) -> str:
    """Return the line that the exporter prints for a span."""
    if span.kind is trace.SpanKind.CLIENT or span.context is None:
        return ""
    if span.context.trace_id not in seen:
        seen.append(span.context.trace_id)
    outcome = (span.attributes or {}).get("otelq.job.outcome")
    return f"trace {seen.index(span.context.trace_id) + 1}  {span.name}{f' ({outcome!s})' if outcome else ''}\n"


async def main() -> None:
    provider = TracerProvider()
    provider.add_span_processor(SimpleSpanProcessor(ConsoleSpanExporter(formatter=line)))
    trace.set_tracer_provider(provider)
    async with otelq.connect(os.environ.get("OTELQ_URL", "memory://")) as client:
        with tracer.start_as_current_span("GET /signup"):
            chain = await client.start(send_mail, "ada@example.com")
        async with otelq.Worker(client, jobs):
            await client.result(chain, timeout=10)


if __name__ == "__main__":
    asyncio.run(main())
