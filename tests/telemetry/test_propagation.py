"""The context of an attempt goes along into the process of its handler."""

from __future__ import annotations

from opentelemetry import baggage, context, trace
from opentelemetry.trace import NonRecordingSpan, SpanContext, TraceFlags

from otelq.telemetry.propagation import use_carrier, write_carrier

SPAN = SpanContext(0xAB, 0xCD, is_remote=False, trace_flags=TraceFlags(TraceFlags.SAMPLED))


def test_span_and_baggage_are_current_again_where_they_were_carried() -> None:
    token = context.attach(baggage.set_baggage("tenant", "acme", trace.set_span_in_context(NonRecordingSpan(SPAN))))
    try:
        carrier = write_carrier()
    finally:
        context.detach(token)
    assert not trace.get_current_span().get_span_context().is_valid
    with use_carrier(carrier):
        found = trace.get_current_span().get_span_context()
        assert (found.trace_id, found.span_id, found.is_remote) == (0xAB, 0xCD, True)
        assert baggage.get_baggage("tenant") == "acme"
    assert not trace.get_current_span().get_span_context().is_valid


def test_nothing_to_carry_is_nothing() -> None:
    with use_carrier(write_carrier()):
        assert not trace.get_current_span().get_span_context().is_valid
