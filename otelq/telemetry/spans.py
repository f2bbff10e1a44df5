"""
The spans of a job's life: ``enqueue`` where it is made, ``process`` where it runs.

A trace stays flat however long a chain is: every attempt of every job stands under the chain's *segment*,
which is the span that created the chain, and links to the span that created its job and to the attempt before
it. Work that is not prompt begins a new trace, and its first attempt is the segment of what follows
(``docs/decisions/0003-telemetry.md``).
"""

from __future__ import annotations

import time
from types import TracebackType

from opentelemetry.context import Context
from opentelemetry.trace import INVALID_SPAN, Link, NonRecordingSpan, Span, set_span_in_context

from ..model import CancelReason, Claimed, job_id, read_meta
from ..texts import LONGEST_NAME, line
from . import names, stored_context
from .exceptions import qualified_name
from .guards import harmless
from .logs import current_job
from .metrics import Registry
from .names import Attribute, LinkReason, Operation
from .stored_context import StoredContext, request_id
from .trace_position import FAN_OUT, TraceMode, TracePosition, find_position
from .tracing import Tracing, context_of, linked

_NOTHING_STORED = StoredContext()


def start_enqueue(
    tracing: Tracing,
    type: str | None,
    *,
    chain_id: str | None,
    position: int | None,
    delay: float | None,
    batch: int | None,
    parent: StoredContext | None,
) -> Enqueue:
    """The span that creates a job (or ``batch`` of them), under the current span; none, if it cannot be made."""
    try:
        return _enqueue(tracing, type, chain_id=chain_id, position=position, delay=delay, batch=batch, parent=parent)
    except Exception as error:
        tracing.registry.record_failure("telling of a start", error)
        return Enqueue(tracing, INVALID_SPAN, None)


def _enqueue(
    tracing: Tracing,
    type: str | None,
    *,
    chain_id: str | None,
    position: int | None,
    delay: float | None,
    batch: int | None,
    parent: StoredContext | None,
) -> Enqueue:
    ambient = stored_context.ambient_context()
    links = (linked(parent.span, LinkReason.CREATION),) if parent and parent.span else ()
    span = tracing.start(Operation.ENQUEUE, type, ambient, links=links)
    if span.is_recording():
        tracing.describe(span, _creation(chain_id=chain_id, position=position, delay=delay, batch=batch))
    own = context_of(span)
    is_foreign = tracing.propagation.is_foreign()
    if not (parent or batch or is_foreign or tracing.baggage):
        return Enqueue(tracing, span, stored_context.write_bare(own))
    parent_context = parent if parent is not None and parent.segment is not None else None
    stored = StoredContext(
        span=own,
        segment=parent_context.segment if parent_context else own,
        origin=parent_context.origin if parent_context else None,
        own_root=parent_context.own_root if parent_context else False,
        wide=batch is not None and batch > FAN_OUT,
        baggage=tracing.allowed_baggage(ambient),
        carrier=tracing.inject(set_span_in_context(span, ambient)) if is_foreign else None,
    )
    return Enqueue(tracing, span, stored_context.write(stored))


def start_attempt(tracing: Tracing, job: Claimed, *, worker: str, mode: TraceMode) -> AttemptSpan:
    """
    The span of one attempt, where the notes on the job's row place it.

    A caller's decision not to sample stands without asking the sampler again, which would cost more than all
    the rest: the whole unsampled trace shares the segment's context. An attempt runs without a span where none can
    be made.
    """
    try:
        return _attempt(tracing, job, worker=worker, mode=mode)
    except Exception as error:
        tracing.registry.record_failure("telling of an attempt", error)
        nowhere = TracePosition(None, job.lease.position, True)
        return AttemptSpan(
            tracing, INVALID_SPAN, job=job, stored=_NOTHING_STORED, position=nowhere, base=stored_context.EMPTY
        )


def _attempt(tracing: Tracing, job: Claimed, *, worker: str, mode: TraceMode) -> AttemptSpan:
    stored = tracing.read(job.trace) or _NOTHING_STORED
    previous = tracing.read(job.last_trace)
    position, base = find_position(job, stored, previous, mode), tracing.extract(stored)
    segment = position.segment
    if segment is not None and not segment.trace_flags.sampled:
        span: Span = NonRecordingSpan(segment)
    else:
        context = base if segment is None else stored_context.with_parent(segment, base)
        span = tracing.start(Operation.PROCESS, job.type, context, links=_attempt_links(stored, previous, position))
        if span.is_recording():
            tracing.describe(span, _description(job, worker, position.reason))
    return AttemptSpan(tracing, span, job=job, stored=stored, position=position.start_at(context_of(span)), base=base)


class Enqueue:
    """
    The PRODUCER span of one job, or of one batch of jobs, on its way to the database.

    It is never current, so that nothing hangs under a span that may be dropped. One of ``end``, ``fail`` and
    ``drop`` is called; further calls do nothing.
    """

    __slots__ = ("_open", "_span", "_tracing", "stored_context")

    def __init__(self, tracing: Tracing, span: Span, stored: str | None) -> None:
        self._tracing = tracing
        self._span = span
        self._open = True
        self.stored_context = stored
        """The text to store with the job."""

    @property
    def registry(self) -> Registry:
        """Where losses are counted."""
        return self._tracing.registry

    def end(self, at_ns: int | None = None, *, held_by: str | None = None) -> None:
        """
        The commit is known.

        ``at_ns`` is when the statement had returned, in nanoseconds since the epoch; None is now. ``held_by``
        is the chain that already holds the dedup key, if nothing was created.
        """
        if not self._close():
            return
        if held_by is not None:
            self._tracing.describe(self._span, {Attribute.DEDUPLICATED: True, **_ids(held_by, None)})
        self._tracing.end(self._span, at_ns)

    @harmless
    def fail(self, error: BaseException, at_ns: int | None = None) -> None:
        """The statement failed; the span tells how."""
        if not self._close():
            return
        self._tracing.fail(self._span, error, qualified_name(error), Operation.ENQUEUE)
        self._tracing.end(self._span, at_ns)

    def drop(self) -> None:
        """
        The transaction rolled back: the span never happened. It is not ended, so no exporter ever sees it.
        """
        self._close()

    def _close(self) -> bool:
        was_open, self._open = self._open, False
        return was_open


class AttemptSpan:
    """The CONSUMER span of one attempt. One of ``end`` and ``lost`` closes it; further calls do nothing."""

    __slots__ = ("_base", "_job", "_open", "_position", "_span", "_started", "_stored", "_tracing", "error_type")

    def __init__(
        self,
        tracing: Tracing,
        span: Span,
        *,
        job: Claimed,
        stored: StoredContext,
        position: TracePosition,
        base: Context,
    ) -> None:
        self._tracing = tracing
        self._span = span
        self._job = job
        self._stored = stored
        self._position = position
        self._base = base
        self._started = time.monotonic()
        self._open = True
        self.error_type: str | None = None
        """What ``failed`` or ``lost`` said; None as long as nothing went wrong."""

    @property
    def registry(self) -> Registry:
        """Where losses are counted."""
        return self._tracing.registry

    @property
    def context(self) -> Context:
        """
        A fresh context in which this span is current: for exemplars, and for work on the attempt's behalf.
        """
        return set_span_in_context(self._span, self._base)

    @property
    def exemplar(self) -> Context | None:
        """The context for a measurement that this span could be an example of; None if nobody records it."""
        try:
            return self.context if self._span.is_recording() else None
        except Exception as error:
            self.registry.record_failure("asking a span whether it records", error)
            return None

    @property
    def stored_context(self) -> str | None:
        """
        The text to store with the attempt; read it once the handler has returned.

        None where the next attempt could do nothing with it: the span is not sampled, and stands where the
        job's own note says.
        """
        try:
            return self._encoded()
        except Exception as error:
            self.registry.record_failure("writing down where an attempt stood", error)
            return None

    def _encoded(self) -> str | None:
        own, position = context_of(self._span), self._position
        if own is None or not (own.trace_flags.sampled or self._left_the_trace()):
            return None
        ended = self._job.claimed_at.timestamp() + time.monotonic() - self._started
        return stored_context.write(
            StoredContext(
                span=own,
                segment=position.segment,
                origin=position.origin,
                own_root=position.own_root,
                ended=round(ended, 3),
            )
        )

    def _left_the_trace(self) -> bool:
        stored, segment = self._stored.segment, self._position.segment
        return segment is not None and (stored is None or stored.trace_id != segment.trace_id)

    def activate(self) -> Activation:
        """
        Make the span current for a ``with`` block, in a context that inherits nothing from the worker's.

        Inside, the caller's allowed baggage and the chain's request id are there again, and log records say
        which job they belong to. Enter and leave in the task, or thread, that runs the handler.
        """
        request = None if self._job.meta is None else self._stored_request_id()
        return Activation(self.context, self._job, request)

    @harmless
    def _stored_request_id(self) -> str | None:
        stored = read_meta(self._job.meta).request_id
        return stored if stored is not None and stored_context.is_request_id(stored) else None

    def successor(self, *, type: str, position: int | None = None, delay: float | None = None) -> Enqueue:
        """The PRODUCER span, a child of this attempt, of the job that continues the chain."""
        try:
            return self._successor(type, position, delay)
        except Exception as error:
            self.registry.record_failure("telling of a continuation", error)
            return Enqueue(self._tracing, INVALID_SPAN, None)

    def _successor(self, type: str, position: int | None, delay: float | None) -> Enqueue:
        own = self._span.get_span_context()
        if own.is_valid and not own.trace_flags.sampled:
            span = self._span
        else:
            span = self._tracing.start(Operation.ENQUEUE, type, self.context)
        if span.is_recording():
            next_position = self._job.lease.position + 1 if position is None else position
            ids = _creation(chain_id=self._job.lease.chain_id, position=next_position, delay=delay)
            self._tracing.describe(span, ids)
        continued = StoredContext(
            span=context_of(span),
            segment=self._position.segment,
            origin=self._position.origin,
            own_root=self._position.own_root,
            baggage=self._stored.baggage,
            carrier=self._stored.carrier,
        )
        return Enqueue(self._tracing, span, stored_context.write(continued))

    @harmless
    def failed(self, exception: BaseException | None, error_type: str | None = None) -> None:
        """
        The attempt failed; the first call counts, further ones do nothing.

        ``error_type`` is the exception's qualified name where it is not given.
        """
        if self.error_type is not None:
            return
        if exception is not None:
            self.error_type = error_type or qualified_name(exception)
            self._tracing.fail(self._span, exception, self.error_type, Operation.PROCESS)
        else:
            self.error_type = error_type or names.OTHER
            self._tracing.mark_failed(self._span, self.error_type)

    def end(self, outcome: str, end_ns: int | None = None) -> None:
        """
        The acknowledgement is in: close the span.

        ``end_ns`` is when the handler had returned, in nanoseconds since the epoch; None is now.
        """
        if not self._open:
            return
        self._open = False
        self._tracing.describe(self._span, {Attribute.OUTCOME: outcome})
        self._tracing.end(self._span, end_ns)

    def lost(self, reason: CancelReason = CancelReason.LEASE_LOST, end_ns: int | None = None) -> None:
        """
        The job is no longer this attempt's: what it did counts for nothing.

        A job that was cancelled is no failure of the attempt; any other loss is.
        """
        if reason is not CancelReason.CANCELLED:
            self.failed(None, names.Error.LEASE_LOST)
        self.end(str(reason), end_ns)


class Activation:
    """Makes an attempt's span, baggage, request id and job current for a ``with`` block."""

    __slots__ = ("_context", "_job", "_job_token", "_request_id", "_request_token", "_token")

    def __init__(self, context: Context, job: Claimed, request: str | None) -> None:
        self._context = context
        self._job = job
        self._request_id = request

    def __enter__(self) -> None:
        self._token = stored_context.attach(self._context)
        self._job_token = current_job.set(self._job)
        self._request_token = request_id.set(self._request_id)

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        request_id.reset(self._request_token)
        current_job.reset(self._job_token)
        stored_context.detach(self._token)


def _attempt_links(stored: StoredContext, previous: StoredContext | None, position: TracePosition) -> list[Link]:
    links: list[Link] = []
    if stored.span is not None:
        links.append(linked(stored.span, position.reason or LinkReason.CREATION))
    if previous is not None and previous.span is not None:
        links.append(linked(previous.span, LinkReason.PREVIOUS_ATTEMPT))
    left = (previous or stored).segment
    if position.reason is not None and left is not None and left is not stored.span:
        links.append(linked(left, LinkReason.CHAIN))
    return links


def _ids(chain_id: str, position: int | None) -> dict[str, str | int]:
    ids: dict[str, str | int] = {Attribute.CONVERSATION_ID: chain_id, Attribute.CHAIN_ID: chain_id}
    if position is not None:
        ids[Attribute.MESSAGE_ID] = job_id(chain_id, position)
        ids[Attribute.CHAIN_HOP] = position
    return ids


def _creation(
    *, chain_id: str | None, position: int | None = None, delay: float | None = None, batch: int | None = None
) -> dict[str, str | int | float]:
    attributes: dict[str, str | int | float] = {}
    if chain_id is not None:
        attributes |= _ids(chain_id, position)
    if delay is not None:
        attributes[Attribute.DELAY] = delay
    if batch is not None:
        attributes[Attribute.BATCH_COUNT] = batch
    return attributes


def _description(job: Claimed, worker: str, reason: LinkReason | None) -> dict[str, str | int | float]:
    attributes: dict[str, str | int | float] = {
        **_ids(job.lease.chain_id, job.lease.position),
        Attribute.CLIENT_ID: worker,
        Attribute.CHAIN_TYPE: line(job.chain_type, longest=LONGEST_NAME),
        Attribute.ATTEMPT: job.attempt,
        Attribute.WAIT: max(0.0, (job.claimed_at - job.due_at).total_seconds()),
    }
    if job.crashes:
        attributes[Attribute.CRASHES] = job.crashes
    if job.blockers:
        attributes[Attribute.BLOCKERS] = job.blockers
    if reason is not None:
        attributes[Attribute.LINK_REASON] = str(reason)
    return attributes
