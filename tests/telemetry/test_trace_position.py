"""When work stays in its trace and when it begins another."""

from __future__ import annotations

from typing import Any

import pytest
from opentelemetry.trace import SpanContext, TraceFlags

from otelq.telemetry.stored_context import StoredContext
from otelq.telemetry.trace_position import FAN_OUT, HOP_LIMIT, PROMPT, TraceMode, find_position

from .sdk import NOW, Sdk, claimed, linked_ids, parent_id, reasons, span_context

SAMPLED = SpanContext(1, 2, True, TraceFlags(1))
UNSAMPLED = SpanContext(1, 2, True, TraceFlags(0))
AT = NOW.timestamp()


def note(span: SpanContext = SAMPLED, **fields: Any) -> StoredContext:
    return StoredContext(span, span, **fields)


@pytest.mark.parametrize(
    "expected, job, stored, last",
    [
        (None, {}, note(), None),
        (None, {"waited": PROMPT}, note(), None),
        ("delay", {"waited": PROMPT + 1}, note(), None),
        ("retry", {"waited": 86_400.0, "attempt": 2, "crashes": 1}, note(), None),
        ("retry", {"waited": 300.0}, note(), note(ended=AT + 10)),
        (None, {"waited": 300.0, "attempt": 2}, note(), note(ended=AT + 250)),
        ("retry", {"waited": 300.0, "attempt": 2}, note(), note(ended=AT + 10)),
        ("fan_in", {"blockers": 2}, note(), None),
        (None, {"blockers": 2, "attempt": 2}, note(), note(origin=0, own_root=True, ended=AT)),
        ("fan_in", {"blockers": 2, "position": 3}, note(origin=0, own_root=True), None),
        ("fan_out", {}, note(wide=True), None),
        (None, {"attempt": 2}, note(wide=True), note(origin=0, own_root=True, ended=AT)),
        (None, {"position": HOP_LIMIT - 1}, note(origin=0), None),
        ("hop_limit", {"position": HOP_LIMIT}, note(origin=0), None),
        (None, {"position": HOP_LIMIT + 1}, note(origin=HOP_LIMIT, own_root=True), None),
    ],
)
def test_auto_splits_what_is_not_prompt(
    expected: str | None, job: dict[str, Any], stored: StoredContext, last: StoredContext | None
) -> None:
    placed = find_position(claimed(**job), stored, last, "auto")
    assert placed.reason == expected
    assert (placed.segment is None) == (expected is not None)


@pytest.mark.parametrize("mode, expected", [("auto", "delay"), ("parent", None), ("link", "configured")])
def test_a_job_type_may_choose_otherwise(mode: TraceMode, expected: str | None) -> None:
    assert find_position(claimed(waited=3600), note(), None, mode).reason == expected


def test_link_mode_leaves_the_callers_trace_once_and_keeps_the_chain_whole() -> None:
    assert find_position(claimed(position=1), note(origin=0, own_root=True), None, "link").reason is None


def test_a_trace_that_nobody_records_is_not_split() -> None:
    assert find_position(claimed(waited=3600), note(UNSAMPLED), None, "auto").reason is None


def test_a_new_root_links_back_and_is_the_segment_of_what_follows(sdk: Sdk) -> None:
    telemetry = sdk.telemetry()
    first = telemetry.enqueue(type="ship")
    first.end()
    attempt = telemetry.attempt(claimed(first.stored_context, waited=3600), worker="w")
    attempt.record_failure(ValueError("no"))
    last = attempt.stored_context
    attempt.end("retry")
    again = telemetry.attempt(claimed(first.stored_context, waited=3600, attempt=2, last_trace=last), worker="w")
    second = again.start_successor(type="bill")
    second.end()
    again.end("continued")
    telemetry.attempt(claimed(second.stored_context, type="bill", position=1), worker="w").end("completed")

    created, continued = sdk.one("enqueue ship"), sdk.one("enqueue bill")
    root, retried = sdk.named("process ship")
    billed = sdk.one("process bill")
    assert root.parent is None
    assert (root.attributes or {})["otelq.link.reason"] == "delay"
    assert reasons(root) == ["delay"]
    assert linked_ids(root) == [span_context(created).span_id]
    assert parent_id(retried) == parent_id(billed) == span_context(root).span_id
    assert linked_ids(billed) == [span_context(continued).span_id]
    assert span_context(billed).trace_id == span_context(root).trace_id != span_context(created).trace_id


@pytest.mark.parametrize("batch, expected", [(FAN_OUT, None), (FAN_OUT + 1, "fan_out")])
def test_a_call_that_starts_many_chains_gives_each_its_own_trace(sdk: Sdk, batch: int, expected: str | None) -> None:
    telemetry = sdk.telemetry()
    enqueue = telemetry.enqueue(type="ship", batch=batch)
    enqueue.end()
    telemetry.attempt(claimed(enqueue.stored_context), worker="w").end("completed")
    assert (sdk.one("process ship").attributes or {}).get("otelq.link.reason") == expected
    assert (sdk.one("enqueue ship").attributes or {})["messaging.batch.message_count"] == batch
