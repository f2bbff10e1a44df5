"""Spans of batches, and of transitions that no handler made."""

from __future__ import annotations

import pytest
from opentelemetry.trace import SpanKind, StatusCode

from otelq.errors import Unavailable
from otelq.model import Status, Verb
from otelq.telemetry import names

from .sdk import CLAIMED, COMPLETED, CREATED, REAPED, Sdk, claimed, linked_ids, moved, parent_id, span_context


def test_every_verb_is_told_by_a_live_span_by_one_of_its_own_by_the_metrics_alone_or_not_at_all() -> None:
    parts = [names.LIVE, frozenset(names.TRANSITION_SPANS), names.COUNTED_ONLY, names.WITHOUT_EFFECT]
    assert sorted(verb for part in parts for verb in part) == sorted(Verb)


def test_a_claim_is_a_root_with_a_link_to_what_made_each_job(sdk: Sdk) -> None:
    telemetry = sdk.telemetry()
    starts = [telemetry.enqueue(type="ship") for _ in range(3)]
    jobs = [claimed(start.stored_context) for start in starts]
    for start in starts:
        start.end()
    with sdk.tracer.start_as_current_span("whatever runs"), telemetry.silence():
        telemetry.record_claim([*jobs, claimed()], started_ns=17, worker="w")
    span = sdk.one("claim ship")
    assert (span.parent, span.kind, span.start_time) == (None, SpanKind.CLIENT, 17)
    assert linked_ids(span) == [span_context(start).span_id for start in sdk.named("enqueue ship")]
    assert (span.attributes or {})["messaging.batch.message_count"] == 4


def test_a_claim_of_several_types_names_none_and_an_empty_one_is_no_span(sdk: Sdk) -> None:
    sdk.telemetry().record_claim([], started_ns=1, worker="w")
    assert sdk.total("messaging.client.operation.duration") == 0
    sdk.telemetry().record_claim([claimed(), claimed(type="bill")], started_ns=1, worker="w")
    assert [span.name for span in sdk.spans] == ["claim"]


def test_a_job_under_an_alias_is_shown_under_the_name_of_its_type(sdk: Sdk) -> None:
    telemetry = sdk.telemetry()
    telemetry.show_aliases(["ship"], of="ship-parcel")
    telemetry.record_claim([claimed(), claimed(type="ship-parcel", chain_type="bill")], started_ns=1, worker="w")
    telemetry.record_transitions([CREATED, CLAIMED, REAPED])
    attempt = telemetry.attempt(claimed(), worker="w")
    with attempt.activate():
        sdk.tracer.start_span("of the handler").end()
    attempt.end("completed")
    names = [span.name for span in sdk.spans]
    assert names == ["claim ship-parcel", "reap ship-parcel", "of the handler", "process ship-parcel"]
    assert (sdk.one("process ship-parcel").attributes or {})["otelq.chain.type"] == "ship-parcel"
    assert sdk.total("otelq.job.transitions", name="ship-parcel") == sdk.total("otelq.job.transitions") == 3


def test_links_beyond_the_limit_are_counted(sdk: Sdk) -> None:
    note = sdk.telemetry().enqueue(type="ship").stored_context
    jobs = [claimed(note)] * (names.LINK_LIMIT + 5)
    sdk.telemetry().record_claim(jobs, started_ns=1, worker="w")
    assert len(sdk.one("claim ship").links) == names.LINK_LIMIT
    assert sdk.total("otelq.telemetry.dropped", reason="link_limit") == 5


def test_a_settlement_is_a_root_with_a_link_to_each_attempt(sdk: Sdk) -> None:
    telemetry = sdk.telemetry()
    attempts = [telemetry.attempt(claimed(), worker="w") for _ in range(2)]
    telemetry.record_settlement(
        "settle", [None, *(attempt.stored_context for attempt in attempts)], started_ns=5, ended_ns=9, count=3
    )
    for attempt in attempts:
        attempt.end("completed")
    span = sdk.one("settle")
    assert (span.parent, span.kind, span.start_time, span.end_time) == (None, SpanKind.CLIENT, 5, 9)
    assert linked_ids(span) == [span_context(attempt).span_id for attempt in sdk.named("process ship")]


def test_a_settlement_that_failed_says_how(sdk: Sdk) -> None:
    error = Unavailable("the server is gone")
    sdk.telemetry().record_settlement("complete", [], started_ns=5, ended_ns=9, count=3, type="ship", error=error)
    span = sdk.one("complete ship")
    assert span.status.status_code is StatusCode.ERROR
    assert (span.attributes or {})["error.type"] == "otelq.errors.Unavailable"
    [point] = sdk.points("messaging.client.operation.duration")
    assert (point.sum, point.attributes["error.type"]) == (4e-9, "otelq.errors.Unavailable")


def test_a_lost_attempt_is_told_by_the_reaper_in_the_chains_trace(sdk: Sdk) -> None:
    telemetry = sdk.telemetry()
    enqueue = telemetry.enqueue(type="ship")
    enqueue.end()
    telemetry.record_transitions(
        [moved(Verb.REAP, Status.RUNNING, Status.READY, worker="w-1", trace=enqueue.stored_context)]
    )
    span = sdk.one("reap ship")
    created = span_context(sdk.one("enqueue ship")).span_id
    assert (parent_id(span), linked_ids(span)) == (created, [created])
    assert span.status.status_code is StatusCode.ERROR
    assert (span.attributes or {})["messaging.client.id"] == "w-1"


@pytest.mark.parametrize(
    "verb, source, target, name",
    [
        (Verb.CANCEL, Status.READY, Status.CANCELLED, "cancel ship"),
        (Verb.COMPLETE_EXTERNALLY, Status.READY, Status.COMPLETED, "complete ship"),
        (Verb.TRIGGER, Status.SCHEDULED, Status.READY, "trigger ship"),
        (Verb.REDRIVE, Status.FAILED, Status.READY, "redrive ship"),
    ],
)
def test_what_somebody_asked_for_stands_in_the_askers_trace(
    sdk: Sdk, verb: Verb, source: Status, target: Status, name: str
) -> None:
    telemetry = sdk.telemetry()
    note = telemetry.enqueue(type="ship").stored_context
    with sdk.tracer.start_as_current_span("DELETE /order") as asker:
        telemetry.record_transitions([moved(verb, source, target, trace=note)])
    span = sdk.one(name)
    assert parent_id(span) == asker.get_span_context().span_id
    assert len(span.links) == 1
    assert span.status.status_code is StatusCode.UNSET


def test_what_nobody_asked_for_stands_in_the_chains_trace(sdk: Sdk) -> None:
    telemetry = sdk.telemetry()
    enqueue = telemetry.enqueue(type="ship")
    enqueue.end()
    with sdk.tracer.start_as_current_span("another chain's"):
        telemetry.record_transitions(
            [moved(Verb.FAIL_BY_BLOCKER, Status.BLOCKED, Status.FAILED, trace=enqueue.stored_context)]
        )
    assert parent_id(sdk.one("fail ship")) == span_context(sdk.one("enqueue ship")).span_id


def test_what_a_live_span_tells_is_not_told_twice(sdk: Sdk) -> None:
    sdk.telemetry().record_transitions([CREATED, CLAIMED, COMPLETED])
    assert not sdk.spans


def test_a_flood_is_cut_and_counted(sdk: Sdk) -> None:
    sdk.telemetry().record_transitions([REAPED] * (names.TRANSITION_SPAN_LIMIT + 7))
    assert len(sdk.spans) == names.TRANSITION_SPAN_LIMIT
    assert sdk.total("otelq.telemetry.dropped", reason="span_limit") == 7
    assert sdk.total("otelq.job.reaped") == names.TRANSITION_SPAN_LIMIT + 7
