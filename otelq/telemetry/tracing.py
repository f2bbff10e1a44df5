"""Starting and ending spans on one tracer, so that nothing that an SDK does can harm a job."""

from __future__ import annotations

from collections.abc import Sequence
from functools import lru_cache

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

from . import context as notes
from . import names
from .context import Propagation, TraceNote
from .exceptions import Exceptions, text_of
from .metrics import Registry
from .names import Attribute, Drop, LinkReason, Operation

_LINK_ATTRIBUTES = {reason: {Attribute.LINK_REASON: str(reason)} for reason in LinkReason}


@lru_cache(maxsize=1024)
def _opening(operation: Operation, type: str | None) -> tuple[str, SpanKind, dict[str, str]]:
    """
    Name, kind and attributes with which a span of this operation starts; made once, never changed.

    The attributes are those that a sampler may want to see.
    """
    operation_type = names.OPERATION_TYPES[operation]
    attributes = {Attribute.SYSTEM: names.MESSAGING_SYSTEM, Attribute.OPERATION: str(operation)}
    if operation_type is not None:
        attributes[Attribute.OPERATION_TYPE] = str(operation_type)
    if type is not None:
        attributes[Attribute.DESTINATION] = type
    name = str(operation) if type is None else f"{operation} {type}"
    return name, names.SPAN_KINDS[operation_type], attributes


def linked(span: SpanContext, reason: LinkReason) -> Link:
    """A link that says why it is there."""
    return Link(span, _LINK_ATTRIBUTES[reason])


def context_of(span: Span) -> SpanContext | None:
    """The span's context; None where there is no trace at all."""
    context = span.get_span_context()
    return context if context.is_valid else None


def mark_failed(span: Span, error_type: str, description: str | None = None) -> None:
    """Status ERROR and ``error.type``, always together."""
    span.set_status(Status(StatusCode.ERROR, description))
    span.set_attribute(Attribute.ERROR_TYPE, error_type)


class Tracing:
    """One tracer with its notes, exceptions and losses. Nothing in here raises because of an SDK."""

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
        links: Sequence[Link] = (),
        start_ns: int | None = None,
    ) -> Span:
        """Start a span; one that records nothing if a sampler or processor fails."""
        name, kind, attributes = _opening(operation, type)
        try:
            return self._tracer.start_span(name, context, kind, attributes, links, start_ns)
        except Exception:
            self.registry.drop(Drop.SDK_ERROR)
            return INVALID_SPAN

    def end(self, span: Span, end_ns: int | None = None) -> None:
        """End a span; a processor that raises is counted."""
        try:
            span.end(end_ns)
        except Exception:
            self.registry.drop(Drop.SDK_ERROR)

    def fail(self, span: Span, error: BaseException, error_type: str, operation: Operation) -> None:
        """Record the exception and mark the span as failed."""
        try:
            self._exceptions.record(span, error, operation)
        except Exception:
            self.registry.drop(Drop.SDK_ERROR)
        if span.is_recording():
            mark_failed(span, error_type, text_of(error))

    def read(self, text: str | None) -> TraceNote | None:
        """The stored note; None if there is none, or if it is damaged."""
        if text is None:
            return None
        try:
            return notes.read(text)
        except ValueError:
            self.registry.drop(Drop.BAD_CONTEXT)
            return None

    def chosen_baggage(self, context: Context) -> dict[str, str]:
        """The allowed baggage of a caller's context."""
        chosen, left_out = notes.chosen_baggage(self.baggage, context)
        if left_out:
            self.registry.drop(Drop.BAGGAGE, left_out)
        return chosen

    def inject(self, context: Context) -> dict[str, str] | None:
        """What the configured propagator wants to pass on beside the ids."""
        try:
            return self.propagation.inject(context)
        except Exception:
            self.registry.drop(Drop.SDK_ERROR)
            return None

    def extract(self, note: TraceNote) -> Context:
        """A fresh context with what the note carries."""
        try:
            return self.propagation.extract(note)
        except Exception:
            self.registry.drop(Drop.SDK_ERROR)
            return notes.EMPTY
