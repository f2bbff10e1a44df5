"""
The semantic conventions, as a table, against what is really exported; and the reference page against the
code.
"""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

import pytest
from opentelemetry.sdk.metrics.export import Histogram, Sum
from opentelemetry.sdk.trace import ReadableSpan
from opentelemetry.trace import SpanKind, StatusCode

from otelq.model import Status, Verb
from otelq.telemetry import CounterName, names
from otelq.telemetry.names import InstrumentKind

from .sdk import CLAIMED, COMPLETED, CREATED, REAPED, RETRIED, Sdk, claimed, moved

KINDS = {
    "send": SpanKind.PRODUCER,
    "receive": SpanKind.CLIENT,
    "process": SpanKind.CONSUMER,
    "settle": SpanKind.CLIENT,
}
"""Operation types of the messaging conventions, with the kind that a span has whose context is handed on."""

NAME = re.compile(r"[a-z][a-z0-9]*([._][a-z0-9]+)*")
FOREIGN = {
    "messaging.system",
    "messaging.operation.name",
    "messaging.operation.type",
    "messaging.destination.name",
    "messaging.message.id",
    "messaging.message.conversation_id",
    "messaging.batch.message_count",
    "messaging.client.id",
    "error.type",
    "db.system.name",
}
"""What otelq uses of the registry of the conventions."""

HIGH_CARDINALITY = {
    "messaging.message.id",
    "messaging.message.conversation_id",
    "messaging.client.id",
    "otelq.chain.id",
    "otelq.chain.hop",
}


@pytest.fixture
def everything(sdk: Sdk) -> Sdk:
    """One of each span and each metric."""
    telemetry = sdk.telemetry()
    enqueue = telemetry.enqueue(type="ship", chain_id="c", position=0, delay=1.0)
    attempt = telemetry.attempt(claimed(enqueue.stored_context, crashes=1, blockers=2), worker="w")
    attempt.record_failure(ValueError("no"))
    attempt.start_successor(type="bill").end()
    attempt.end("retry")
    enqueue.end()
    telemetry.enqueue(type="ship", batch=3).end()
    telemetry.record_claim([claimed(enqueue.stored_context)], started_ns=1, worker="w")
    telemetry.record_settlement("settle", [attempt.stored_context], started_ns=1, ended_ns=2, count=1)
    told = [
        moved(verb, Status.READY, Status.CANCELLED, trace=enqueue.stored_context, worker="w")
        for verb in names.TRANSITION_SPANS
    ]
    telemetry.record_transitions([CREATED, CLAIMED, RETRIED, COMPLETED, REAPED, *told])
    telemetry.record_attempt("ship", 0.1, "retry", "ValueError")
    telemetry.record_operation("claim", 0.1, "otelq.errors.Unavailable")
    for count in CounterName:
        telemetry.count(count, type=None if count in {CounterName.CLAIM_EMPTY, CounterName.REPORT_UNKNOWN} else "ship")
    telemetry.add_active("ship", 1)
    telemetry.add_capacity(1)
    telemetry.observe_listener(lambda: True)
    telemetry.attempt(claimed("damaged"), worker="w").end("completed")
    for number in range(names.TYPE_LIMIT + 1):
        telemetry.count(CounterName.LEASE_LOST, type=f"type-{number}")
    telemetry.record_transitions([CLAIMED] * 1000)
    return sdk


def attributes(span: ReadableSpan) -> dict[str, Any]:
    return dict(span.attributes or {})


def test_a_spans_name_is_its_operation_and_its_destination(everything: Sdk) -> None:
    for span in everything.spans:
        has = attributes(span)
        words = [has["messaging.operation.name"], has.get("messaging.destination.name")]
        assert span.name == " ".join(word for word in words if word)


def test_a_spans_kind_follows_from_its_operations_type(everything: Sdk) -> None:
    for span in everything.spans:
        kind = attributes(span).get("messaging.operation.type")
        assert span.kind is (KINDS[kind] if kind else SpanKind.CLIENT)


def test_every_span_has_what_the_conventions_require(everything: Sdk) -> None:
    for span in everything.spans:
        has = attributes(span)
        assert has["messaging.system"] == "otelq"
        assert ("error.type" in has) == (span.status.status_code is StatusCode.ERROR)
        assert not ("messaging.batch.message_count" in has and "messaging.message.id" in has)
        assert all(NAME.fullmatch(key) and (key in FOREIGN or key.startswith("otelq.")) for key in has)


def test_what_receives_or_processes_links_to_what_created(everything: Sdk) -> None:
    for span in everything.spans:
        if attributes(span).get("messaging.operation.type") in {"receive", "process"} and span.parent:
            assert span.links


def test_the_scope_names_otelq_and_the_version_of_the_conventions(everything: Sdk) -> None:
    scopes = {
        (s.instrumentation_scope.name, s.instrumentation_scope.schema_url)
        for s in everything.spans
        if s.instrumentation_scope
    }
    assert scopes == {("otelq", names.SCHEMA_URL)}


def test_every_instrument_is_exported_as_its_table_says(everything: Sdk) -> None:
    exported = everything.metrics()
    assert set(exported) == {instrument.name for instrument in names.INSTRUMENTS}
    for instrument in names.INSTRUMENTS:
        metric = exported[instrument.name]
        assert (metric.unit, metric.description) == (instrument.unit, instrument.description)
        match metric.data:
            case Histogram():
                assert instrument.kind is InstrumentKind.HISTOGRAM
                assert tuple(metric.data.data_points[0].explicit_bounds) == instrument.buckets
            case Sum():
                assert metric.data.is_monotonic == (instrument.kind is InstrumentKind.COUNTER)
            case other:
                pytest.fail(f"{instrument.name} is a {other}")


def test_metrics_have_the_attributes_of_their_table_and_none_that_grows_with_the_jobs(everything: Sdk) -> None:
    for instrument in names.INSTRUMENTS:
        found = {key for point in everything.points(instrument.name) for key in point.attributes}
        assert found == set(instrument.attributes), instrument.name
        assert not found & HIGH_CARDINALITY


def test_metric_names_are_plain() -> None:
    for instrument in names.INSTRUMENTS:
        assert NAME.fullmatch(instrument.name)
        assert not instrument.name.endswith("_total")


PAGE = Path(__file__).parents[2] / "docs" / "reference" / "telemetry.md"


def table(heading: str) -> list[list[str]]:
    """The rows of the table under a heading of the reference page, without back-ticks."""
    section = PAGE.read_text().split(f"\n## {heading}\n")[1].split("\n## ")[0]
    rows = [line for line in section.splitlines() if line.startswith("|")][2:]
    return [[cell.strip().replace("`", "") for cell in row.strip("|").split("|")] for row in rows]


def test_the_reference_page_lists_the_metrics_of_the_code() -> None:
    assert table("Metrics") == [
        [i.name, str(i.kind), i.unit, ", ".join(i.attributes) or "none", i.description] for i in names.INSTRUMENTS
    ]


def test_the_reference_page_lists_the_buckets_of_the_code() -> None:
    assert table("Buckets") == [
        [i.name, " ".join(f"{bound:g}" for bound in i.buckets)] for i in names.INSTRUMENTS if i.buckets
    ]


def test_the_reference_page_lists_the_spans_of_the_code() -> None:
    rows = {row[0].split()[0]: (row[1], row[2]) for row in table("Spans")}
    assert rows == {
        str(operation): (names.SPAN_KINDS[kind].name, str(kind or "none"))
        for operation, kind in names.OPERATION_TYPES.items()
        if operation in names.SPANS
    }


def test_the_reference_page_lists_the_attributes_of_the_code() -> None:
    listed = {row[0] for row in table("Attributes")}
    assert listed == {value for key, value in vars(names.Attribute).items() if key.isupper()}


def test_the_reference_page_says_how_each_transition_is_told() -> None:
    def how(verb: Verb) -> str:
        if verb in names.TRANSITION_SPANS:
            return f"{names.TRANSITION_SPANS[verb].operation} span"
        if verb in names.WITHOUT_EFFECT:
            return "none; not counted, as it changes no state"
        return "live span" if verb in names.LIVE else "metrics alone"

    assert {row[0]: row[1] for row in table("Transitions")} == {str(verb): how(verb) for verb in Verb}


def test_the_reference_page_lists_the_reasons_of_links_and_of_losses() -> None:
    assert [row[0] for row in table("Links")] == [str(reason) for reason in names.LinkReason]
    assert [row[0] for row in table("Losses")] == [str(reason) for reason in names.Drop]
