"""
The spans of a job: ``enqueue`` for its creation, ``process`` for each attempt.

A trace stays flat however long a chain is. Every attempt of every job is a child of the chain's *segment*, the span
that created the chain, and has links to the span that created its job and to the previous attempt. Work that is not
prompt begins a new trace, and its first attempt is the segment of the following ones
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
from .tracing import Tracing, context_of, link_to

_NOTHING_STORED = StoredContext()


def start_enqueue(
    tracing: Tracing,
    type: str | None,
    *,
    queue: str | None,
    chain_id: str | None,
    position: int | None,
    delay: float | None,
    batch: int | None,
    parent: StoredContext | None,
) -> Enqueue:
    """Start the span that creates one job or ``batch`` jobs, under the current span; one without effect on an error."""
    try:
        return _enqueue(
            tracing,
            type,
            queue=queue,
            chain_id=chain_id,
            position=position,
            delay=delay,
            batch=batch,
            parent=parent,
        )
    except Exception as error:
        tracing.registry.record_failure("recording a start", error)
        return Enqueue(tracing, INVALID_SPAN, None)


def _enqueue(
    tracing: Tracing,
    type: str | None,
    *,
    queue: str | None,
    chain_id: str | None,
    position: int | None,
    delay: float | None,
    batch: int | None,
    parent: StoredContext | None,
) -> Enqueue:
    ambient = stored_context.ambient_context()
    links = (link_to(parent.span, LinkReason.CREATION),) if parent and parent.span else ()
    span = tracing.start(Operation.ENQUEUE, type, ambient, queue=queue, links=links)
    if span.is_recording():
        tracing.describe(span, _creation(chain_id=chain_id, position=position, delay=delay, batch=batch))
    # Most jobs need their span alone, and take the short way.
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
    Start the span of one attempt, at the position that its stored contexts give.

    A caller's decision not to sample is final: all attempts of the unsampled trace share the segment's context. To ask
    the sampler again would cost more than the rest. After an error the attempt runs without a span.
    """
    try:
        return _attempt(tracing, job, worker=worker, mode=mode)
    except Exception as error:
        tracing.registry.record_failure("recording an attempt", error)
        nowhere = TracePosition(None, job.lease.position, True)
        return AttemptSpan(
            tracing, INVALID_SPAN, job=job, stored=_NOTHING_STORED, position=nowhere, base=stored_context.EMPTY
        )


def _attempt(tracing: Tracing, job: Claimed, *, worker: str, mode: TraceMode) -> AttemptSpan:
    stored = tracing.read(job.trace) or _NOTHING_STORED
    previous = tracing.read(job.last_trace)
    position, base = find_position(job, stored, previous, mode), tracing.extract(stored)
    segment = position.segment
    # No span of its own and no sampler call: see `start_attempt`.
    if segment is not None and not segment.trace_flags.sampled:
        span: Span = NonRecordingSpan(segment)
    else:
        context = base if segment is None else stored_context.with_parent(segment, base)
        links = _attempt_links(stored, previous, position)
        span = tracing.start(Operation.PROCESS, job.type, context, queue=job.queue, links=links)
        if span.is_recording():
            tracing.describe(span, _description(job, worker, position.reason))
    return AttemptSpan(tracing, span, job=job, stored=stored, position=position.start_at(context_of(span)), base=base)


class Enqueue:
    """
    The PRODUCER span of one job, or of one batch of jobs, until its commit is known.

    It is never current, so that no span has a parent that may be dropped. One of ``end``, ``fail`` and ``drop`` is
    called; further calls do nothing.
    """

    __slots__ = ("_open", "_span", "_tracing", "stored_context")

    def __init__(self, tracing: Tracing, span: Span, stored: str | None) -> None:
        self._tracing = tracing
        self._span = span
        self._open = True
        self.stored_context = stored
        """The stored context of the job, as text."""

    @property
    def registry(self) -> Registry:
        """Return the registry in which losses are counted."""
        return self._tracing.registry

    def end(self, at_ns: int | None = None, *, held_by: str | None = None) -> None:
        """
        End the span after the commit.

        ``at_ns`` is the time at which the statement returned, in nanoseconds since the epoch; None for now. ``held_by``
        is the chain that already has the dedup key, if nothing was created.
        """
        if not self._close():
            return
        if held_by is not None:
            self._tracing.describe(self._span, {Attribute.DEDUPLICATED: True, **_ids(held_by, None)})
        self._tracing.end(self._span, at_ns)

    @harmless
    def fail(self, error: BaseException, at_ns: int | None = None) -> None:
        """End the span as failed, with the error of its statement."""
        if not self._close():
            return
        self._tracing.fail(self._span, error, qualified_name(error), Operation.ENQUEUE)
        self._tracing.end(self._span, at_ns)

    def drop(self) -> None:
        """Drop the span after a rollback: it is never ended, so that no exporter sees it."""
        self._close()

    def _close(self) -> bool:
        # Two ends may arrive, as when a driver reports a rollback after its statement failed: the first one counts.
        was_open, self._open = self._open, False
        return was_open


class AttemptSpan:
    """The CONSUMER span of one attempt. One of ``end`` and ``end_lost`` closes it; further calls do nothing."""

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
        """The error type that ``record_failure`` or ``end_lost`` recorded; None before."""

    @property
    def registry(self) -> Registry:
        """Return the registry in which losses are counted."""
        return self._tracing.registry

    @property
    def context(self) -> Context:
        """Return a new context in which this span is current: for the handler, and for exemplars."""
        return set_span_in_context(self._span, self._base)

    @property
    def exemplar(self) -> Context | None:
        """Return the context for a measurement with this span as its exemplar; None if the span does not record."""
        try:
            return self.context if self._span.is_recording() else None
        except Exception as error:
            self.registry.record_failure("asking a span whether it records", error)
            return None

    @property
    def stored_context(self) -> str | None:
        """
        Return the context to store with the attempt, as text; read it once the handler has returned.

        None if the next attempt has no use for it: the span is not sampled, and is in the trace that the job's own
        stored context names.
        """
        try:
            return self._encoded()
        except Exception as error:
            self.registry.record_failure("writing the context of an attempt", error)
            return None

    def _encoded(self) -> str | None:
        own, position = context_of(self._span), self._position
        if own is None or not (own.trace_flags.sampled or self._is_in_another_trace()):
            return None
        # The claim gives the time of the database's clock; only the duration is measured with the local one.
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

    def _is_in_another_trace(self) -> bool:
        stored, segment = self._stored.segment, self._position.segment
        return segment is not None and (stored is None or stored.trace_id != segment.trace_id)

    def activate(self) -> Activation:
        """
        Return a context manager that makes the span current, in a context that inherits nothing from the worker.

        It also restores the caller's allowed baggage and the chain's request id, and log records get the job's ids.
        Enter and leave it in the task or thread that runs the handler.
        """
        request = None if self._job.meta is None else self._stored_request_id()
        return Activation(self.context, self._job, request)

    @harmless
    def _stored_request_id(self) -> str | None:
        stored = read_meta(self._job.meta).request_id
        return stored if stored is not None and stored_context.is_request_id(stored) else None

    def start_successor(
        self, *, type: str, queue: str | None = None, position: int | None = None, delay: float | None = None
    ) -> Enqueue:
        """Start the PRODUCER span of the job that continues the chain, as a child of this attempt."""
        try:
            return self._start_successor(type, queue, position, delay)
        except Exception as error:
            self.registry.record_failure("recording a continuation", error)
            return Enqueue(self._tracing, INVALID_SPAN, None)

    def _start_successor(self, type: str, queue: str | None, position: int | None, delay: float | None) -> Enqueue:
        # An unsampled attempt passes its own context on, without another sampler call.
        own = self._span.get_span_context()
        if own.is_valid and not own.trace_flags.sampled:
            span = self._span
        else:
            span = self._tracing.start(Operation.ENQUEUE, type, self.context, queue=queue)
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
    def record_failure(self, exception: BaseException | None, error_type: str | None = None) -> None:
        """
        Record that the attempt failed; only the first call counts.

        ``error_type`` defaults to the exception's qualified name.
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
        End the span once the outcome is stored.

        ``end_ns`` is the time at which the handler returned, in nanoseconds since the epoch; None for now.
        """
        if not self._open:
            return
        self._open = False
        self._tracing.describe(self._span, {Attribute.OUTCOME: outcome})
        self._tracing.end(self._span, end_ns)

    def end_lost(self, reason: CancelReason = CancelReason.LEASE_LOST, end_ns: int | None = None) -> None:
        """
        End the span of an attempt whose outcome is discarded, because it lost the job.

        The loss counts as a failure of the attempt, except when the job was cancelled.
        """
        if reason is not CancelReason.CANCELLED:
            self.record_failure(None, names.Error.LEASE_LOST)
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
        # In reverse order. The spans end later, when the outcome is stored.
        request_id.reset(self._request_token)
        current_job.reset(self._job_token)
        stored_context.detach(self._token)


def _attempt_links(stored: StoredContext, previous: StoredContext | None, position: TracePosition) -> list[Link]:
    links: list[Link] = []
    if stored.span is not None:
        links.append(link_to(stored.span, position.reason or LinkReason.CREATION))
    if previous is not None and previous.span is not None:
        links.append(link_to(previous.span, LinkReason.PREVIOUS_ATTEMPT))
    left_segment = (previous or stored).segment
    if position.reason is not None and left_segment is not None and left_segment is not stored.span:
        links.append(link_to(left_segment, LinkReason.CHAIN))
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
