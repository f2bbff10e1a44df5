"""The spans of a job's life."""

from __future__ import annotations

import asyncio
from typing import Any

import pytest
from opentelemetry import trace
from opentelemetry.sdk.trace import ReadableSpan, SpanProcessor, TracerProvider
from opentelemetry.sdk.trace.export import SimpleSpanProcessor
from opentelemetry.sdk.trace.sampling import ALWAYS_ON
from opentelemetry.trace import NonRecordingSpan, SpanContext, SpanKind, StatusCode, TraceFlags

from otelq.model import CancelReason
from otelq.telemetry import Enqueue, Telemetry

from .sdk import CHAIN, Sdk, claimed, linked_ids, parent_id, reasons, span_context


def test_a_chain_of_five_that_each_fail_once_is_one_flat_trace(sdk: Sdk) -> None:
    with sdk.tracer.start_as_current_span("caller"):
        enqueue = sdk.telemetry().enqueue(type="ship", chain_id=CHAIN, position=0)
    enqueue.end()
    for position in range(5):
        enqueue = run_twice(sdk, enqueue.stored_context, position)
    by_id = {span_context(span).span_id: span for span in sdk.spans}
    attempts = sdk.named("process ship")
    assert len({span_context(span).trace_id for span in sdk.spans}) == 1
    assert [len(span.links) for span in attempts] == [1, 2] * 5
    assert [span.status.status_code for span in attempts] == [StatusCode.ERROR, StatusCode.UNSET] * 5
    assert max(depth(span, by_id) for span in sdk.spans) == 4


def run_twice(sdk: Sdk, note: str | None, position: int, telemetry: Telemetry | None = None) -> Enqueue:
    """Fail at first, then continue; returns the span that created the successor."""
    telemetry = telemetry or sdk.telemetry()
    first = telemetry.attempt(claimed(note, position=position), worker="w")
    first.record_failure(ValueError("once"))
    last = first.stored_context
    first.end("retry")
    second = telemetry.attempt(claimed(note, position=position, attempt=2, last_trace=last), worker="w")
    with second.activate(), sdk.tracer.start_as_current_span("inside"):
        enqueue = second.start_successor(type="ship")
    enqueue.end()
    second.end("continued")
    return enqueue


def depth(span: ReadableSpan, by_id: dict[int, ReadableSpan]) -> int:
    parent = by_id.get(span.parent.span_id) if span.parent else None
    return 1 + (depth(parent, by_id) if parent else 0)


def test_an_attempt_stands_under_the_chain_and_links_to_what_made_its_job_and_to_the_attempt_before(
    sdk: Sdk,
) -> None:
    first = sdk.telemetry().enqueue(type="ship")
    first.end()
    run_twice(sdk, first.stored_context, 0).end()
    created, continued = sdk.named("enqueue ship")
    failed, repeated = sdk.named("process ship")
    assert parent_id(failed) == parent_id(repeated) == span_context(created).span_id
    assert linked_ids(repeated) == [span_context(created).span_id, span_context(failed).span_id]
    assert reasons(repeated) == ["creation", "previous_attempt"]
    assert parent_id(continued) == span_context(repeated).span_id


def test_a_start_hangs_under_the_callers_span_but_is_never_current(sdk: Sdk) -> None:
    with sdk.tracer.start_as_current_span("caller") as caller:
        enqueue = sdk.telemetry().enqueue(type="ship")
        assert trace.get_current_span() is caller
        enqueue.end()
    assert parent_id(sdk.one("enqueue ship")) == caller.get_span_context().span_id


def test_a_start_that_was_rolled_back_is_never_exported(sdk: Sdk) -> None:
    enqueue = sdk.telemetry().enqueue(type="ship")
    enqueue.drop()
    enqueue.end()
    assert not sdk.spans


def test_a_start_ends_when_its_statement_had_returned(sdk: Sdk) -> None:
    sdk.telemetry().enqueue(type="ship").end(at_ns := 2**61)
    assert sdk.one("enqueue ship").end_time == at_ns


def test_a_start_that_failed_is_an_error_with_its_type(sdk: Sdk) -> None:
    enqueue = sdk.telemetry().enqueue(type="ship")
    enqueue.fail(LookupError("no such table"))
    span = sdk.one("enqueue ship")
    assert (span.status.status_code, span.status.description) == (StatusCode.ERROR, "no such table")
    assert (span.attributes or {})["error.type"] == "LookupError"


def test_a_deduplicated_start_is_no_error_and_names_the_chain_that_was_there(sdk: Sdk) -> None:
    sdk.telemetry().enqueue(type="ship", chain_id="mine", position=0).end(held_by=CHAIN)
    span = sdk.one("enqueue ship")
    assert span.status.status_code is StatusCode.UNSET
    assert (span.attributes or {})["otelq.job.deduplicated"] is True
    assert (span.attributes or {})["otelq.chain.id"] == CHAIN


def test_an_exception_is_recorded_once(sdk: Sdk) -> None:
    attempt = sdk.telemetry().attempt(claimed(), worker="w")
    attempt.record_failure(ZeroDivisionError("by zero"))
    attempt.record_failure(RuntimeError("while cleaning up"))
    attempt.end("failed")
    span = sdk.one("process ship")
    assert [(event.attributes or {})["exception.type"] for event in span.events] == ["ZeroDivisionError"]
    assert (span.attributes or {})["error.type"] == attempt.error_type == "ZeroDivisionError"


@pytest.mark.parametrize("outcome", ["completed", "continued", "snoozed", "released", "blocked"])
def test_what_is_no_failure_leaves_the_status_unset(sdk: Sdk, outcome: str) -> None:
    sdk.telemetry().attempt(claimed(), worker="w").end(outcome)
    span = sdk.one("process ship")
    assert span.status.status_code is StatusCode.UNSET
    assert (span.attributes or {})["otelq.job.outcome"] == outcome
    assert "error.type" not in (span.attributes or {})


@pytest.mark.parametrize(
    "reason, error", [(CancelReason.LEASE_LOST, "otelq.lease_lost"), (CancelReason.CANCELLED, None)]
)
def test_a_lost_lease_is_an_error_and_a_cancelled_job_is_none(
    sdk: Sdk, reason: CancelReason, error: str | None
) -> None:
    attempt = sdk.telemetry().attempt(claimed(), worker="w")
    attempt.end_lost(reason)
    attempt.end("completed")
    attributes = sdk.one("process ship").attributes or {}
    assert (attributes.get("error.type"), attributes["otelq.job.outcome"]) == (error, str(reason))


def test_an_attempt_ends_with_the_time_at_which_its_handler_had_returned(sdk: Sdk) -> None:
    attempt = sdk.telemetry().attempt(claimed(), worker="w")
    attempt.end("completed", end_ns := 2**61)
    assert sdk.one("process ship").end_time == end_ns


def test_the_handler_runs_inside_its_span_and_inherits_nothing_from_the_worker(sdk: Sdk) -> None:
    telemetry = sdk.telemetry()
    with sdk.tracer.start_as_current_span("the worker's own"), telemetry.silence():
        attempt = telemetry.attempt(claimed(), worker="w")
        with attempt.activate():
            sdk.tracer.start_span("inside").end()
        attempt.end("completed")
    process = sdk.one("process ship")
    assert process.parent is None
    assert parent_id(sdk.one("inside")) == span_context(process).span_id


async def test_concurrent_attempts_keep_their_contexts_apart(sdk: Sdk) -> None:
    telemetry, barrier = sdk.telemetry(), asyncio.Barrier(3)

    async def handle(type: str) -> None:
        attempt = telemetry.attempt(claimed(type=type), worker="w")
        with attempt.activate():
            await barrier.wait()
            await asyncio.create_task(work(type))
        attempt.end("completed")

    async def work(type: str) -> None:
        await barrier.wait()
        sdk.tracer.start_span(f"work of {type}").end()

    await asyncio.gather(*(handle(type) for type in "abc"))
    for type in "abc":
        assert parent_id(sdk.one(f"work of {type}")) == span_context(sdk.one(f"process {type}")).span_id
    assert trace.get_current_span() is trace.INVALID_SPAN


def test_a_callers_decision_not_to_sample_holds_for_the_whole_chain(sdk: Sdk) -> None:
    sdk.sampler.sample = False
    enqueue = sdk.telemetry().enqueue(type="ship")
    sdk.sampler.sample = True
    assert enqueue.stored_context is not None
    assert enqueue.stored_context.endswith(('0"}', '2"}'))  # not sampled; newer SDKs say that the id is random
    for position in range(3):
        enqueue = run_twice(sdk, enqueue.stored_context, position)
    assert not sdk.spans


def test_a_sampler_that_takes_everything_is_not_asked_about_a_chain_that_was_not_sampled(sdk: Sdk) -> None:
    caller = SpanContext(7, 7, True, TraceFlags(0))
    with trace.use_span(NonRecordingSpan(caller)):
        note = sdk.telemetry().enqueue(type="ship").stored_context
    greedy = TracerProvider(sampler=ALWAYS_ON)
    greedy.add_span_processor(SimpleSpanProcessor(sdk.exporter))
    run_twice(sdk, note, 0, Telemetry(tracer_provider=greedy, meter_provider=sdk.meters))
    assert not sdk.spans


def test_an_unsampled_attempt_stores_nothing(sdk: Sdk) -> None:
    caller = SpanContext(7, 7, True, TraceFlags(0))
    with trace.use_span(NonRecordingSpan(caller)):
        enqueue = sdk.telemetry().enqueue(type="ship")
    assert sdk.telemetry().attempt(claimed(enqueue.stored_context), worker="w").stored_context is None


def test_link_mode_asks_the_sampler_afresh_and_remembers_its_answer(sdk: Sdk) -> None:
    telemetry = sdk.telemetry()
    first = telemetry.enqueue(type="ship")
    sdk.sampler.sample = False
    attempt = telemetry.attempt(claimed(first.stored_context), worker="w", mode="link")
    second, last = attempt.start_successor(type="ship"), attempt.stored_context
    sdk.sampler.sample = True
    telemetry.attempt(claimed(first.stored_context, attempt=2, last_trace=last), worker="w", mode="link").end(
        "completed"
    )
    telemetry.attempt(claimed(second.stored_context, position=1), worker="w", mode="link").end("completed")
    assert not sdk.spans


def test_a_sampler_sees_what_it_needs_when_a_span_starts(sdk: Sdk) -> None:
    telemetry = sdk.telemetry()
    enqueue = telemetry.enqueue(type="ship", queue="goods", batch=500)
    telemetry.attempt(claimed(enqueue.stored_context, queue="goods"), worker="w")
    assert sdk.sampler.seen == [
        ("enqueue ship", asked("enqueue", "send") | {"otelq.job.queue": "goods"}),
        ("process ship", asked("process", "process") | {"otelq.job.queue": "goods"}),
    ]


def asked(operation: str, kind: str) -> dict[str, str]:
    return {
        "messaging.system": "otelq",
        "messaging.operation.name": operation,
        "messaging.operation.type": kind,
        "messaging.destination.name": "ship",
    }


def test_without_an_sdk_the_callers_context_still_travels() -> None:
    caller = SpanContext(7, 8, True, TraceFlags(1))
    telemetry = Telemetry()
    with trace.use_span(NonRecordingSpan(caller)):
        enqueue = telemetry.enqueue(type="ship")
    with telemetry.attempt(claimed(enqueue.stored_context), worker="w").activate():
        assert trace.get_current_span().get_span_context().span_id == 8


def test_without_an_sdk_and_a_caller_nothing_is_stored() -> None:
    telemetry = Telemetry()
    attempt = telemetry.attempt(claimed(), worker="w")
    assert (
        telemetry.enqueue(type="ship").stored_context,
        attempt.stored_context,
        attempt.start_successor(type="bill").stored_context,
    ) == (None,) * 3


def test_an_sdk_that_raises_harms_no_job_and_is_counted(sdk: Sdk) -> None:
    sdk.tracers.add_span_processor(Broken())
    telemetry = sdk.telemetry()
    enqueue = telemetry.enqueue(type="ship")
    attempt = telemetry.attempt(claimed(enqueue.stored_context), worker="w")
    with attempt.activate():
        attempt.record_failure(ValueError("the handler's own"))
    attempt.end("failed")
    enqueue.end()
    assert sdk.total("otelq.telemetry.dropped", reason="sdk_error") == 2


class Broken(SpanProcessor):
    """Raises whenever a span starts."""

    def on_start(self, span: Any, parent_context: Any = None) -> None:
        raise RuntimeError("the exporter's configuration is wrong")


def test_the_kinds_are_those_of_a_queue(sdk: Sdk) -> None:
    sdk.telemetry().enqueue(type="ship").end()
    sdk.telemetry().attempt(claimed(), worker="w").end("completed")
    assert sdk.one("enqueue ship").kind is SpanKind.PRODUCER
    assert sdk.one("process ship").kind is SpanKind.CONSUMER
