"""
The stored trace context: the text that travels with a job through the database, so that its spans join the trace.

It is compact JSON, opaque to the adapters. It names its span (the one that created the job, or one attempt), the
*segment* (the parent of the chain's attempts, and so the trace), and the baggage for the handler. It is read strictly:
malformed text counts as no context at all.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from contextvars import ContextVar
from contextvars import Token as ContextToken
from functools import lru_cache
from types import TracebackType
from typing import Final

import msgspec
from msgspec import Struct, field
from opentelemetry import baggage as otel_baggage
from opentelemetry import context as otel_context
from opentelemetry.context import Context
from opentelemetry.propagate import get_global_textmap
from opentelemetry.propagators.textmap import Setter, TextMapPropagator
from opentelemetry.trace import (
    INVALID_SPAN,
    NonRecordingSpan,
    SpanContext,
    TraceFlags,
    TraceState,
    set_span_in_context,
)

TEXT_LIMIT: Final = 16_384
STATE_LIMIT: Final = 512
"""The characters of a tracestate that the W3C recommendation asks every party to pass on."""
STATE_MEMBERS: Final = 32
CARRIER_LIMIT: Final = 2048
"""Characters of the fields of other propagators, names and values together."""
BAGGAGE_LIMIT: Final = 1024
"""Characters of baggage, names and values together, that a job carries."""
REQUEST_ID_LIMIT: Final = 200

request_id: ContextVar[str | None] = ContextVar("otelq_request_id", default=None)
"""
A context variable with the id of the application's current request, or None. Chains that are started meanwhile get it
as their ``request_id``, and it is set during the attempts of their jobs. An id has 1 to 200 printable characters.
"""

_TRACEPARENT = re.compile("00-([0-9a-f]{32})-([0-9a-f]{16})-([0-9a-f]{2})", re.ASCII).fullmatch
_STATE = re.compile("[\x20-\x7e]*").fullmatch
_FLAGS = {f"{flags:02x}": TraceFlags(flags) for flags in range(256)}
_W3C_FIELDS: Final = frozenset({"traceparent", "tracestate", "baggage"})


class StoredContext(Struct, frozen=True, gc=False):
    """The trace context in the row of a job or of an attempt."""

    span: SpanContext | None = None
    """The span that created the job, or the attempt's own."""
    segment: SpanContext | None = None
    """The parent of attempts: the span that created the chain, or the latest root that replaced it."""
    origin: int | None = None
    """The position at which the segment began."""
    own_root: bool = False
    """Whether otelq began the segment's trace itself."""
    wide: bool = False
    """Whether the span created more than ``FAN_OUT`` jobs."""
    ended: float | None = None
    """Of an attempt: the time at which it ended, in seconds of the database's clock."""
    baggage: dict[str, str] | None = None
    carrier: dict[str, str] | None = None
    """Fields of a configured propagator other than those of W3C."""


class _StoredFields(Struct, omit_defaults=True, gc=False):
    """The stored fields; with short keys, because every job has them."""

    span: str | None = field(name="c", default=None)
    state: str | None = field(name="s", default=None)
    segment: str | None = field(name="k", default=None)
    segment_state: str | None = field(name="t", default=None)
    origin: int | None = field(name="o", default=None)
    own_root: bool = field(name="n", default=False)
    wide: bool = field(name="w", default=False)
    ended: float | None = field(name="e", default=None)
    baggage: dict[str, str] | None = field(name="b", default=None)
    carrier: dict[str, str] | None = field(name="x", default=None)


_encoder = msgspec.json.Encoder()
_decoder = msgspec.json.Decoder(_StoredFields)


def write(stored: StoredContext) -> str | None:
    """Return the stored context as text; None if it is empty."""
    span, segment = stored.span, stored.segment
    fields = _StoredFields(
        span=None if span is None else _traceparent(span),
        state=_tracestate(span) if span is not None and span.trace_state else None,
        origin=None if segment is None else stored.origin,
        own_root=stored.own_root and segment is not None,
        wide=stored.wide,
        ended=stored.ended,
        baggage=stored.baggage or None,
        carrier=stored.carrier,
    )
    # Most jobs that start a chain are their own segment, which is then stored once.
    if segment is not None and segment is not span:
        fields.segment, fields.segment_state = _traceparent(segment), _tracestate(segment)
    text = _encoder.encode(fields)
    return None if text == b"{}" else text.decode()


def write_bare(span: SpanContext | None) -> str | None:
    """
    Return the text for a job with nothing but its span, as most are: the same as that of ``write``, in half the time.
    """
    if span is None or span.trace_state:
        return write(StoredContext(span, span))
    return f'{{"c":"{_traceparent(span)}"}}'


def read(text: str) -> StoredContext:
    """
    Return the stored context from the text of ``write``.

    Raises:
        ValueError: the text is malformed.
    """
    if len(text) > TEXT_LIMIT:
        raise ValueError(f"a stored context of {len(text)} characters is too long")
    try:
        fields = _decoder.decode(text)
    except RecursionError as error:
        raise ValueError("a stored context nests too deep") from error
    span = _span_context(fields.span, fields.state)
    segment = span if fields.segment is None else _span_context(fields.segment, fields.segment_state)
    return StoredContext(
        span,
        segment,
        fields.origin,
        fields.own_root,
        fields.wide,
        fields.ended,
        fields.baggage,
        fields.carrier,
    )


def _traceparent(span: SpanContext) -> str:
    trace_id, span_id, _, flags, _, _ = span
    return f"00-{trace_id:032x}-{span_id:016x}-{flags & 0xFF:02x}"


def _tracestate(span: SpanContext) -> str | None:
    text = span.trace_state.to_header()
    return text if 0 < len(text) <= STATE_LIMIT else None


@lru_cache(maxsize=512)  # jobs of one batch, and all attempts of a chain, share one
def _span_context(parent: str | None, state: str | None) -> SpanContext | None:
    if parent is None:
        return None
    match = _TRACEPARENT(parent)
    if match is None or not _is_tracestate(state):
        raise ValueError("the stored traceparent or tracestate is malformed")
    trace_id, span_id, flags = match.groups()
    span = SpanContext(
        int(trace_id, 16),
        int(span_id, 16),
        True,
        _FLAGS[flags],
        TraceState.from_header([state]) if state else None,
    )
    if not span.is_valid:
        raise ValueError("the stored traceparent has an id of zeros")
    return span


def _is_tracestate(state: str | None) -> bool:
    """Return whether a tracestate is well-formed: the API would log a malformed one in full."""
    if state is None:
        return True
    return len(state) <= STATE_LIMIT and _STATE(state) is not None and state.count(",") < STATE_MEMBERS


def entries_that_fit(entries: Mapping[str, str], *, limit: int) -> tuple[dict[str, str], int]:
    """Return the printable entries within the limit, and the number of the others."""
    fits: dict[str, str] = {}
    for name, value in entries.items():
        size = len(name) + len(value)
        if size <= limit and name.isprintable() and value.isprintable():
            fits[name] = value
            limit -= size
    return fits, len(entries) - len(fits)


def allowed_baggage(names: Iterable[str], context: Context) -> tuple[dict[str, str], int]:
    """Return the allowed baggage of a context within the limit, and the number of entries left out."""
    chosen: dict[str, str] = {}
    left, left_out = BAGGAGE_LIMIT, 0
    for name in names:
        value = otel_baggage.get_baggage(name, context)
        if value is None:
            continue
        try:
            text = str(value)
        except Exception:  # the value is an object of the application, whose `__str__` may raise
            left_out += 1
            continue
        size = len(name) + len(text)
        if size <= left and text.isprintable():
            chosen[name] = text
            left -= size
        else:
            left_out += 1
    return chosen, left_out


def current_request_id() -> str | None:
    """Return the request id; None if there is none that can be stored."""
    value: object = request_id.get()
    return value if isinstance(value, str) and is_request_id(value) else None


def is_request_id(text: str) -> bool:
    """Return whether a text can be a request id: short and printable, as it goes into log lines and headers."""
    return 0 < len(text) <= REQUEST_ID_LIMIT and text.isprintable()


class _IntoDict(Setter[dict[str, str]]):
    def set(self, carrier: dict[str, str], key: str, value: str) -> None:
        carrier[key] = value


_into_dict = _IntoDict()


class Propagation:
    """
    Stores and restores the fields of a configured propagator besides those of W3C.

    Ids are always stored in the W3C format, by hand: that costs half of an ``inject``. The global propagator is called
    only if it has other fields.
    """

    __slots__ = ("_fields", "_known")

    def __init__(self) -> None:
        self._known: TextMapPropagator | None = None
        self._fields: frozenset[str] = frozenset()

    def is_foreign(self) -> bool:
        """Return whether the global propagator has fields besides those of W3C; cheap, as it runs for each job."""
        propagator = get_global_textmap()
        if propagator is not self._known:
            self._known, self._fields = propagator, frozenset()  # one that raises is not asked again
            self._fields = frozenset(propagator.fields) - _W3C_FIELDS
        return bool(self._fields)

    def inject(self, context: Context) -> dict[str, str] | None:
        """Return the fields besides those of W3C; None if there are none."""
        carrier: dict[str, str] = {}
        get_global_textmap().inject(carrier, context, _into_dict)
        return {name: value for name, value in carrier.items() if name in self._fields} or None

    def extract(self, stored: StoredContext, *, allowed: Iterable[str]) -> Context:
        """
        Return a new context with the allowed baggage and the foreign fields of a stored context, and no span.

        The rules are the reader's, not the writer's: anybody with access to the table can write a stored context, and
        its entries go out with the handler's own requests.
        """
        context = EMPTY
        known = self._fields if stored.carrier and self.is_foreign() else frozenset[str]()
        carrier = {name: value for name, value in (stored.carrier or {}).items() if name in known}
        if carrier:
            # A propagator may restore a span and baggage of its own. Both are removed: otelq decides these.
            context = set_span_in_context(INVALID_SPAN, get_global_textmap().extract(carrier, context))
            context = otel_baggage.clear(context)
        if baggage := stored.baggage:
            for name in allowed:
                if name in baggage:
                    context = otel_baggage.set_baggage(name, baggage[name], context)
        return context


EMPTY: Final = Context()
"""An empty context. Contexts are immutable, so one is enough."""


def with_parent(span: SpanContext, context: Context) -> Context:
    """Return ``context`` with ``span`` as the parent of new spans."""
    return set_span_in_context(NonRecordingSpan(span), context)


_SUPPRESSION_KEYS: Final = (
    "suppress_instrumentation",
    getattr(otel_context, "_SUPPRESS_INSTRUMENTATION_KEY", "suppress_instrumentation"),
)


def _silent_context() -> Context:
    # Instrumentations either look for a key or, the older ones, start a span regardless: under an unsampled
    # parent.
    context = with_parent(SpanContext(0x0DD5 << 96 | 1, 1, False, TraceFlags(TraceFlags.DEFAULT)), EMPTY)
    for key in _SUPPRESSION_KEYS:
        context = otel_context.set_value(key, True, context)
    return context


_SILENT: Final = _silent_context()


def attach(context: Context) -> ContextToken[Context] | None:
    """Make a context current; None where the runtime's own context is broken."""
    try:
        return otel_context.attach(context)
    except Exception:
        return None


def detach(token: ContextToken[Context] | None) -> None:
    """Undo an ``attach``."""
    try:
        if token is not None:
            otel_context.detach(token)
    except Exception:  # as in `attach`; `suppress` would cost more than the rest
        pass


class Silence:
    """A ``with`` block in which no instrumentation records a span."""

    __slots__ = ("_token",)

    def __enter__(self) -> None:
        self._token = attach(_SILENT)

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        detach(self._token)


def ambient_context() -> Context:
    """Return the current context; an empty one inside a ``Silence`` block."""
    context = otel_context.get_current()
    return EMPTY if context is _SILENT else context
