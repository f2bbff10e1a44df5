"""Spans on one tracer, started and ended so that no error of an SDK reaches a job."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from functools import lru_cache

from msgspec.structs import replace
from opentelemetry.context import Context
from opentelemetry.trace import (
    INVALID_SPAN,
    Link,
    Span,
    SpanContext,
    SpanKind,
    Status,
    StatusCode,
    Tracer,
)
from opentelemetry.util.types import AttributeValue

from ..texts import LONGEST_NAME, line, lines, message_of
from . import names, stored_context
from .exceptions import Exceptions
from .metrics import Registry
from .names import Attribute, Drop, LinkReason, Operation
from .stored_context import Propagation, StoredContext

_LINK_ATTRIBUTES = {reason: {Attribute.LINK_REASON: str(reason)} for reason in LinkReason}


@lru_cache(maxsize=1024)
def _opening(operation: Operation, type: str | None, queue: str | None) -> tuple[str, SpanKind, dict[str, str]]:
    """
    Return the name, kind and attributes with which a span of this operation starts; made once, never changed.

    These attributes are set at the start, so that samplers see them.
    """
    operation_type = names.OPERATION_TYPES[operation]
    attributes = {Attribute.SYSTEM: names.MESSAGING_SYSTEM, Attribute.OPERATION: str(operation)}
    if operation_type is not None:
        attributes[Attribute.OPERATION_TYPE] = str(operation_type)
    if type is not None:
        attributes[Attribute.DESTINATION] = type = line(type, longest=LONGEST_NAME)
    if queue is not None:
        attributes[Attribute.QUEUE] = line(queue, longest=LONGEST_NAME)
    name = str(operation) if type is None else f"{operation} {type}"
    return name, names.SPAN_KINDS[operation_type], attributes


def link_to(span: SpanContext, reason: LinkReason) -> Link:
    """Return a link with its reason as an attribute."""
    return Link(span, _LINK_ATTRIBUTES[reason])


def context_of(span: Span) -> SpanContext | None:
    """Return the span's context; None if it is invalid, as without an SDK."""
    context = span.get_span_context()
    return context if context.is_valid else None


class Tracing:
    """One tracer with its propagation and exceptions. No method raises because of an SDK."""

    __slots__ = ("_exceptions", "_tracer", "baggage", "propagation", "registry")

    def __init__(self, tracer: Tracer, *, registry: Registry, exceptions: Exceptions, baggage: Sequence[str]) -> None:
        self._tracer = tracer
        self._exceptions = exceptions
        self.registry = registry
        self.propagation = Propagation()
        self.baggage = tuple(baggage)

    def start(
        self,
        operation: Operation,
        type: str | None,
        context: Context,
        *,
        queue: str | None = None,
        links: Sequence[Link] = (),
        start_ns: int | None = None,
    ) -> Span:
        """Start a span; return one that records nothing if a sampler or processor fails."""
        name, kind, attributes = _opening(operation, type, queue)
        try:
            return self._tracer.start_span(name, context, kind, attributes, links, start_ns)
        except Exception as error:
            self.registry.record_failure("starting a span", error)
            return INVALID_SPAN

    def describe(self, span: Span, attributes: Mapping[str, AttributeValue]) -> None:
        """Add attributes to a span, if it records."""
        try:
            if span.is_recording():
                span.set_attributes(attributes)
        except Exception as error:
            self.registry.record_failure("describing a span", error)

    def end(self, span: Span, end_ns: int | None = None) -> None:
        """End a span; a processor that raises is counted."""
        try:
            span.end(end_ns)
        except Exception as error:
            self.registry.record_failure("ending a span", error)

    def fail(self, span: Span, error: BaseException, error_type: str, operation: Operation) -> None:
        """Record the exception and mark the span as failed."""
        try:
            self._exceptions.record(span, error, operation)
        except Exception as record_failure:
            self.registry.record_failure("recording an exception", record_failure)
        self.mark_failed(span, error_type, lines(message_of(error)))

    def mark_failed(self, span: Span, error_type: str, description: str | None = None) -> None:
        """Set the status ERROR and ``error.type``, always together, on a span that records."""
        try:
            if span.is_recording():
                span.set_status(Status(StatusCode.ERROR, description))
                span.set_attribute(Attribute.ERROR_TYPE, line(error_type, longest=LONGEST_NAME))
        except Exception as error:
            self.registry.record_failure("marking a span as failed", error)

    def read(self, text: str | None) -> StoredContext | None:
        """Return the stored context; None without text, or if it is damaged."""
        if text is None:
            return None
        try:
            stored = stored_context.read(text)
        except ValueError:
            self.registry.drop(Drop.BAD_CONTEXT)  # not logged: text in a table could flood the log
            return None
        return self._bounded(stored) if stored.baggage or stored.carrier else stored

    def _bounded(self, stored: StoredContext) -> StoredContext:
        """Return the stored context with no more baggage and carrier than a caller could have stored."""
        # Anybody who can write a row can write a stored context, and its entries go out with the handler's own
        # requests.
        baggage, left_out = stored_context.entries_that_fit(stored.baggage or {}, limit=stored_context.BAGGAGE_LIMIT)
        carrier, lost = stored_context.entries_that_fit(stored.carrier or {}, limit=stored_context.CARRIER_LIMIT)
        if left_out or lost:
            self.registry.drop(Drop.BAGGAGE, left_out + lost)
        return replace(stored, baggage=baggage or None, carrier=carrier or None)

    def allowed_baggage(self, context: Context) -> dict[str, str]:
        """Return the allowed baggage of a caller's context."""
        chosen, left_out = stored_context.allowed_baggage(self.baggage, context)
        if left_out:
            self.registry.drop(Drop.BAGGAGE, left_out)
        return chosen

    def inject(self, context: Context) -> dict[str, str] | None:
        """Return the fields that the configured propagator writes besides those of W3C; None if there are none."""
        try:
            return self.propagation.inject(context)
        except Exception as error:
            self.registry.record_failure("a propagator, which was to pass on a context,", error)
            return None

    def extract(self, stored: StoredContext) -> Context:
        """Return a new context with the baggage and foreign fields of a stored context."""
        if not (stored.baggage or stored.carrier):
            return stored_context.EMPTY
        try:
            return self.propagation.extract(stored, allowed=self.baggage)
        except Exception as error:
            self.registry.record_failure("a propagator, which was to read a context,", error)
            return stored_context.EMPTY
