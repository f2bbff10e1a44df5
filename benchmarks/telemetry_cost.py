"""
What telemetry costs a job: microseconds of CPU for create, claim and complete together.

``python -m benchmarks.telemetry_cost`` prints one line of JSON a set-up. Ten microseconds a job are ten per cent of a
core at 10,000 jobs a second; the budget is 25 with metrics on and traces sampled at 1 %. The figure is the best of the
repeats: what others do on the machine can only add to it.
"""

from __future__ import annotations

import json
import sys
import time
from collections.abc import Callable
from datetime import UTC, datetime

from opentelemetry.metrics import NoOpMeterProvider
from opentelemetry.sdk.metrics import MeterProvider
from opentelemetry.sdk.metrics.export import InMemoryMetricReader
from opentelemetry.sdk.trace import TracerProvider
from opentelemetry.sdk.trace.export import BatchSpanProcessor, SpanExporter, SpanExportResult
from opentelemetry.sdk.trace.sampling import ParentBased, TraceIdRatioBased

from otelq.model import Claimed, Lease, Status, Transition, Verb
from otelq.telemetry import Telemetry
from otelq.telemetry import metrics as totals

RATE = 10_000
"""Jobs a second."""
JOBS = 20_000
BATCH = 100
REPEATS = 7
NOW = datetime.now(UTC)
TYPE = "order.ship"
CHAINS = [f"0198c0de-0000-7000-8000-{number:012d}" for number in range(BATCH)]


class Clock:
    """A clock that goes at ``RATE``: how many durations are measured depends on the jobs in a second."""

    now = 0.0

    def monotonic(self) -> float:
        """Seconds."""
        return self.now


clock = Clock()


class Nowhere(SpanExporter):
    """Takes spans and forgets them."""

    def export(self, spans: object) -> SpanExportResult:
        """Forget."""
        return SpanExportResult.SUCCESS


def moved(chain: str, verb: Verb, source: Status | None, target: Status, trace: str | None = None) -> Transition:
    """A transition as an adapter returns it."""
    return Transition(
        verb=verb,
        chain_id=chain,
        position=0,
        type=TYPE,
        queue="default",
        chain_type=TYPE,
        source=source,
        target=target,
        at=NOW,
        attempt=1,
        created_at=NOW,
        chain_created_at=NOW,
        due_at=NOW,
        trace=trace,
    )


def claimed(chain: str, trace: str | None) -> Claimed:
    """A job as a claim returns it."""
    return Claimed(
        lease=Lease(chain, 0, 7),
        type=TYPE,
        queue="default",
        chain_type=TYPE,
        input="{}",
        attempt=1,
        crashes=0,
        priority=0,
        due_at=NOW,
        created_at=NOW,
        chain_created_at=NOW,
        claimed_at=NOW,
        leased_until=NOW,
        trace=trace,
    )


CREATES = [moved(chain, Verb.CREATE, None, Status.READY) for chain in CHAINS]
CLAIMS = [moved(chain, Verb.CLAIM, Status.READY, Status.RUNNING) for chain in CHAINS]
COMPLETES = [moved(chain, Verb.COMPLETE, Status.RUNNING, Status.COMPLETED) for chain in CHAINS]


def whole_life(telemetry: Telemetry) -> None:
    """A batch of jobs from start to outcome, with all that client and worker tell about it."""
    started = time.time_ns()
    spans = [telemetry.enqueue(type=TYPE, chain_id=chain, position=0) for chain in CHAINS]
    with telemetry.silence():
        jobs = [claimed(chain, span.stored_context) for chain, span in zip(CHAINS, spans, strict=True)]
    telemetry.record_operation("enqueue", 0.001)
    telemetry.record_transitions(CREATES)
    for span in spans:
        span.end()
    telemetry.record_transitions(CLAIMS)
    telemetry.record_claim(jobs, started_ns=started, worker="w")
    attempts = [telemetry.attempt(job, worker="w") for job in jobs]
    for attempt in attempts:
        telemetry.add_active(TYPE, 1)
        with attempt.activate():
            pass
    notes = [attempt.stored_context for attempt in attempts]
    telemetry.record_transitions(COMPLETES)
    telemetry.record_settlement("complete", notes, started_ns=started, ended_ns=time.time_ns(), count=BATCH)
    for attempt in attempts:
        telemetry.record_attempt(TYPE, 0.01, "completed")
        attempt.end("completed", started)
        telemetry.add_active(TYPE, -1)


def projection(telemetry: Telemetry) -> None:
    """The three transitions of each job of a batch, alone."""
    telemetry.record_transitions(CREATES)
    telemetry.record_transitions(CLAIMS)
    telemetry.record_transitions(COMPLETES)


def microseconds(work: Callable[[Telemetry], None], telemetry: Telemetry) -> list[float]:
    """CPU per job, one figure a repeat; what it takes to make the jobs themselves is included."""
    figures: list[float] = []
    for _ in range(REPEATS):
        begun = time.process_time()
        for _ in range(JOBS // BATCH):
            work(telemetry)
            clock.now += BATCH / RATE
        figures.append((time.process_time() - begun) / JOBS * 1e6)
    return [round(figure, 2) for figure in figures]


def sdk(ratio: float, *, metrics: bool) -> Telemetry:
    """A client's telemetry on a real SDK."""
    tracers = TracerProvider(sampler=ParentBased(TraceIdRatioBased(ratio)))
    tracers.add_span_processor(BatchSpanProcessor(Nowhere()))
    meters = MeterProvider(metric_readers=[InMemoryMetricReader()]) if metrics else NoOpMeterProvider()
    return Telemetry(tracer_provider=tracers, meter_provider=meters)


def main() -> None:
    """Measure every set-up and print it."""
    setattr(totals, "time", clock)  # noqa: B010  # a module has no such attribute to the checkers
    setups: dict[str, tuple[Callable[[Telemetry], None], Callable[[], Telemetry]]] = {
        "no SDK, project() of 3 transitions": (projection, Telemetry),
        "no SDK, whole life": (whole_life, Telemetry),
        "metrics, no traces sampled": (whole_life, lambda: sdk(0.0, metrics=True)),
        "metrics, traces at 1 %": (whole_life, lambda: sdk(0.01, metrics=True)),
        "traces at 1 % alone": (whole_life, lambda: sdk(0.01, metrics=False)),
        "everything at 100 %": (whole_life, lambda: sdk(1.0, metrics=True)),
    }
    for name, (work, make) in setups.items():
        figures = microseconds(work, make())
        print(json.dumps({"setup": name, "us_per_job": min(figures), "repeats": figures}))
        sys.stdout.flush()


if __name__ == "__main__":
    main()
