"""What a job carries of its caller's context, and otelq's own silence."""

from __future__ import annotations

import json
from collections.abc import Iterator
from contextlib import suppress

import pytest
from hypothesis import given
from hypothesis import strategies as st
from msgspec.structs import replace
from opentelemetry import baggage, propagate, trace
from opentelemetry import context as otel_context
from opentelemetry.context import Context
from opentelemetry.propagators.textmap import (
    CarrierT,
    Getter,
    Setter,
    TextMapPropagator,
    default_getter,
    default_setter,
)
from opentelemetry.trace import NonRecordingSpan, SpanContext, TraceFlags, TraceState

from otelq.telemetry import StoredContext, request_id
from otelq.telemetry.stored_context import read, write, write_bare

from .sdk import Sdk, claimed

TRACE_ID = 0x4BF92F3577B34DA6A3CE929D0E0E4736
PARENT = f"00-{TRACE_ID:032x}-00f067aa0ba902b7-01"
SPAN = SpanContext(TRACE_ID, 0xF067AA0BA902B7, False, TraceFlags(1))


def test_a_note_of_one_span_is_its_traceparent_and_nothing_else() -> None:
    assert write_bare(SPAN) == write(StoredContext(SPAN, SPAN)) == f'{{"c":"{PARENT}"}}'


def test_a_note_comes_back_as_it_was_written() -> None:
    other = SpanContext(1, 2, False, TraceFlags(3), TraceState([("ot", "th:c")]))
    note = StoredContext(SPAN, other, 4, True, True, 12.5, {"tenant": "t"}, {"b3": "x"})
    text = write(note)
    assert text is not None
    back = read(text)
    assert (back.span, back.origin, back.own_root, back.wide, back.ended) == (_remote(SPAN), 4, True, True, 12.5)
    assert (back.baggage, back.carrier) == ({"tenant": "t"}, {"b3": "x"})
    assert back.segment is not None
    assert back.segment.trace_state.to_header() == "ot=th:c"
    assert back.segment.trace_flags == 3


def test_an_empty_note_is_not_stored() -> None:
    assert write(StoredContext()) is None
    assert write_bare(None) is None


@pytest.mark.parametrize(
    "text",
    [
        "",
        "null",
        "[]",
        PARENT,
        '{"c":1}',
        '{"c":"00-00000000000000000000000000000000-00f067aa0ba902b7-01"}',
        '{"c":"00-4bf92f3577b34da6a3ce929d0e0e4736-0000000000000000-01"}',
        '{"c":"ff-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01"}',
        '{"c":"00-4BF92F3577B34DA6A3CE929D0E0E4736-00f067aa0ba902b7-01"}',
        '{"c":"00-4bf92f3577b34da6a3ce929d0e0e473-00f067aa0ba902b7-01"}',
        '{"c":"00-+bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01"}',
        json.dumps({"c": PARENT, "s": "a=" + "x" * 600}),
        json.dumps({"c": PARENT, "b": {"tenant": 1}}),
        json.dumps({"c": PARENT, "r": "x" * 20_000}),
        json.dumps({"c": PARENT, "s": "a=b\nERROR forged"}),
        json.dumps({"c": PARENT, "s": ",".join(f"k{n}=v" for n in range(33))}),
        '{"zz":' + "[" * 3000 + "]" * 3000 + "}",
    ],
)
def test_a_damaged_note_is_a_new_trace_and_a_count(sdk: Sdk, text: str) -> None:
    sdk.telemetry().attempt(claimed(text), worker="w").end("completed")
    span = sdk.one("process ship")
    assert span.parent is None
    assert not span.links
    assert sdk.total("otelq.telemetry.dropped", reason="bad_context") == 1


@given(st.text() | st.recursive(st.none() | st.text(), lambda inner: st.dictionaries(st.text(), inner)).map(json.dumps))
def test_reading_a_note_refuses_with_nothing_but_value_error(text: str) -> None:
    with suppress(ValueError):
        read(text)


def test_a_tracestate_survives_the_queue(sdk: Sdk) -> None:
    state = TraceState([("ot", "th:c"), ("vendor", "v")])
    caller = SpanContext(TRACE_ID, 7, True, TraceFlags(1), state)
    telemetry = sdk.telemetry()
    with trace.use_span(NonRecordingSpan(caller)):
        enqueue = telemetry.enqueue(type="ship")
    telemetry.attempt(claimed(enqueue.stored_context), worker="w").end("completed")
    link = sdk.one("process ship").links[0]
    assert link.context.trace_state.to_header() == "ot=th:c,vendor=v"


def test_only_allowed_baggage_travels_and_only_what_can_be_stored(sdk: Sdk) -> None:
    telemetry = sdk.telemetry(baggage=["tenant", "broken", "long"])
    context = baggage.set_baggage("tenant", "t-1")
    for name, value in {"secret": "s", "broken": "\ud800", "long": "x" * 5000}.items():
        context = baggage.set_baggage(name, value, context)
    token = otel_context.attach(context)
    enqueue = telemetry.enqueue(type="ship")
    otel_context.detach(token)
    with telemetry.attempt(claimed(enqueue.stored_context), worker="w").activate():
        assert dict(baggage.get_all()) == {"tenant": "t-1"}
    assert sdk.total("otelq.telemetry.dropped", reason="baggage") == 2


def test_what_a_stored_note_passes_on_is_held_to_the_rules_of_who_reads_it(sdk: Sdk) -> None:
    stored = {"tenant": "t-1", "secret": "s", "forged": "a\r\nx-admin: yes", "long": "x" * 5000}
    telemetry = sdk.telemetry(baggage=["tenant", "forged", "long"])
    attempt = telemetry.attempt(claimed(json.dumps({"c": PARENT, "b": stored})), worker="w")
    with attempt.activate():
        assert dict(baggage.get_all()) == {"tenant": "t-1"}
        headers: dict[str, str] = {}
        propagate.inject(headers)
    assert headers["baggage"] == "tenant=t-1"
    assert "forged" not in str(attempt.start_successor(type="next").stored_context)
    assert sdk.total("otelq.telemetry.dropped", reason="baggage") == 2


def test_a_stored_carrier_speaks_to_the_configured_propagator_alone(sdk: Sdk, colour: None) -> None:
    carrier = {"x-colour": "blue", "baggage": "secret=s", "x-undeclared": "more"}
    note = json.dumps({"c": PARENT, "x": carrier})
    with sdk.telemetry(baggage=["secret"]).attempt(claimed(note), worker="w").activate():
        assert otel_context.get_value("colour") == "blue"
        assert dict(baggage.get_all()) == {}


@pytest.mark.parametrize("stored", ["7\nERROR forged", "x" * 201, ""])
def test_a_stored_request_id_that_nobody_could_have_given_is_none(sdk: Sdk, stored: str) -> None:
    job = replace(claimed(None), meta=json.dumps({"request_id": stored}))
    with sdk.telemetry().attempt(job, worker="w").activate():
        assert request_id.get() is None


@pytest.mark.parametrize("meta", ["[]", '{"request_id":7}', "[" * 3000 + "]" * 3000])
def test_a_damaged_request_id_harms_no_attempt(sdk: Sdk, meta: str) -> None:
    with sdk.telemetry().attempt(replace(claimed(None), meta=meta), worker="w").activate():
        assert request_id.get() is None


def test_the_request_id_of_the_chain_is_there_in_the_attempt_and_no_longer(sdk: Sdk) -> None:
    job = replace(claimed(None), meta='{"request_id":"r-17"}')
    with sdk.telemetry().attempt(job, worker="w").activate():
        assert request_id.get() == "r-17"
    assert request_id.get() is None


def test_a_propagator_other_than_w3c_passes_its_own_fields_through(sdk: Sdk, colour: None) -> None:
    telemetry = sdk.telemetry()
    token = otel_context.attach(otel_context.set_value("colour", "blue"))
    enqueue = telemetry.enqueue(type="ship")
    otel_context.detach(token)
    with telemetry.attempt(claimed(enqueue.stored_context), worker="w").activate():
        assert otel_context.get_value("colour") == "blue"
    assert "x-undeclared" not in str(enqueue.stored_context)


def test_a_foreign_propagators_span_is_no_parent_of_a_new_root(sdk: Sdk, colour: None) -> None:
    telemetry = sdk.telemetry()
    enqueue = telemetry.enqueue(type="ship")
    telemetry.attempt(claimed(enqueue.stored_context, waited=3600), worker="w").end("completed")
    assert sdk.one("process ship").parent is None


def test_nothing_is_recorded_in_silence_by_either_kind_of_instrumentation(sdk: Sdk) -> None:
    with sdk.tracer.start_as_current_span("caller"), sdk.telemetry().silence():
        assert otel_context.get_value("suppress_instrumentation")
        sdk.tracer.start_span("SELECT").end()
    assert [span.name for span in sdk.spans] == ["caller"]


def test_silence_can_be_lifted(sdk: Sdk) -> None:
    with sdk.telemetry(trace_internal_sql=True).silence():
        sdk.tracer.start_span("SELECT").end()
    assert [span.name for span in sdk.spans] == ["SELECT"]


def test_a_start_inside_silence_does_not_hang_under_the_silent_span(sdk: Sdk) -> None:
    telemetry = sdk.telemetry()
    with telemetry.silence():
        telemetry.enqueue(type="ship").end()
    assert sdk.one("enqueue ship").parent is None


def _remote(span: SpanContext) -> SpanContext:
    return SpanContext(span.trace_id, span.span_id, True, span.trace_flags, span.trace_state)


@pytest.fixture
def colour() -> Iterator[None]:
    """A global propagator of the application's own."""
    before = propagate.get_global_textmap()
    propagate.set_global_textmap(Colour())
    yield
    propagate.set_global_textmap(before)


class Colour(TextMapPropagator):
    """Carries one value of the context in a header of its own."""

    @property
    def fields(self) -> set[str]:
        return {"x-colour"}

    def inject(
        self, carrier: CarrierT, context: Context | None = None, setter: Setter[CarrierT] = default_setter
    ) -> None:
        setter.set(carrier, "x-colour", str(otel_context.get_value("colour", context)))
        setter.set(carrier, "x-undeclared", "left out")  # such as baggage that nobody allowed

    def extract(
        self, carrier: CarrierT, context: Context | None = None, getter: Getter[CarrierT] = default_getter
    ) -> Context:
        [value] = getter.get(carrier, "x-colour") or [""]
        foreign = trace.set_span_in_context(NonRecordingSpan(SpanContext(8, 8, True)), context)
        return otel_context.set_value("colour", value, foreign)
