"""Spans that tell of a batch, or of a transition that happened without a handler."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

from opentelemetry.context import Context
from opentelemetry.trace import Span, get_current_span

from ..model import Claimed, Transition, job_id
from ..texts import NAME, line
from . import names
from . import stored_context as notes
from .exceptions import qualified_name
from .names import Attribute, Drop, LinkReason, Operation, TransitionSpan
from .stored_context import StoredContext
from .tracing import Tracing, context_of, linked


def record_claim(tracing: Tracing, jobs: Sequence[Claimed], *, started_ns: int, ended_ns: int, worker: str) -> None:
    """A ``claim`` span with a link to what created each job: a root, because it belongs to no one's trace."""
    types = {job.type for job in jobs}
    span = tracing.start(Operation.CLAIM, types.pop() if len(types) == 1 else None, notes.EMPTY, start_ns=started_ns)
    if span.is_recording():
        span.set_attributes({Attribute.BATCH_COUNT: len(jobs), Attribute.CLIENT_ID: worker})
        _link(tracing, span, (job.trace for job in jobs), LinkReason.CLAIMED, count=len(jobs))
        tracing.end(span, ended_ns)


def record_settlement(
    tracing: Tracing,
    operation: Operation,
    attempts: Sequence[str | None],
    *,
    type: str | None,
    started_ns: int,
    ended_ns: int,
    count: int,
    error: BaseException | None,
) -> None:
    """A settle span with a link to each attempt: a root, as the statement serves many traces."""
    span = tracing.start(operation, type, notes.EMPTY, start_ns=started_ns)
    if not span.is_recording():
        return
    span.set_attribute(Attribute.BATCH_COUNT, count)
    _link(tracing, span, attempts, LinkReason.SETTLED, count=count)
    if error is not None:
        tracing.fail(span, error, qualified_name(error), operation)
    tracing.end(span, ended_ns)


def record_transitions(tracing: Tracing, transitions: Iterable[Transition]) -> None:
    """A span for each transition that no live span tells."""
    left = names.TRANSITION_SPAN_LIMIT
    for transition in transitions:
        told = names.TRANSITION_SPANS.get(transition.verb)
        if told is None:
            continue
        if left:
            left -= 1
            try:
                _tell(tracing, transition, told)
            except Exception as error:
                tracing.registry.trouble("telling of a transition", error)
        else:
            tracing.registry.drop(Drop.SPAN_LIMIT)


def _tell(tracing: Tracing, transition: Transition, told: TransitionSpan) -> None:
    note = tracing.read(transition.trace) or StoredContext()
    last = tracing.read(transition.last_trace)
    links = [linked(note.span, LinkReason.CREATION)] if note.span else []
    if last is not None and last.span is not None:
        links.append(linked(last.span, LinkReason.PREVIOUS_ATTEMPT))
    at_ns = int(transition.at.timestamp() * 1e9)
    context = _home(told, note, last)
    span = tracing.start(told.operation, transition.type, context, links=links, start_ns=at_ns)
    if span.is_recording():
        tracing.describe(span, _description(transition))
        if told.error is not None:
            tracing.mark_failed(span, transition.error_type or told.error)
    tracing.end(span, at_ns)


def _home(told: TransitionSpan, note: StoredContext, last: StoredContext | None) -> Context:
    """The asker's context where somebody asked; else the chain's."""
    ambient = notes.ambient()
    if told.by_caller and context_of(get_current_span(ambient)) is not None:
        return ambient
    segment = last.segment if last is not None and last.segment is not None else note.segment
    return notes.EMPTY if segment is None else notes.under(segment, notes.EMPTY)


def _description(transition: Transition) -> dict[str, str | int]:
    worker = {} if transition.worker is None else {Attribute.CLIENT_ID: line(transition.worker, longest=NAME)}
    return {
        Attribute.MESSAGE_ID: job_id(transition.chain_id, transition.position),
        Attribute.CONVERSATION_ID: transition.chain_id,
        Attribute.CHAIN_ID: transition.chain_id,
        Attribute.CHAIN_TYPE: line(transition.chain_type, longest=NAME),
        Attribute.CHAIN_HOP: transition.position,
        Attribute.ATTEMPT: transition.attempt,
        Attribute.TRANSITION: str(transition.verb),
        Attribute.STATE_FROM: str(transition.source or "none"),
        Attribute.STATE_TO: str(transition.target or "none"),
        **worker,
    }


def _link(tracing: Tracing, span: Span, texts: Iterable[str | None], reason: LinkReason, *, count: int) -> None:
    """
    Link what is known of the first ``LINK_LIMIT``; only now, as parsing notes for an unsampled span is waste.
    """
    for _, text in zip(range(names.LINK_LIMIT), texts, strict=False):
        note = tracing.read(text)
        if note is not None and note.span is not None:
            link = linked(note.span, reason)
            span.add_link(link.context, link.attributes)
    if count > names.LINK_LIMIT:
        tracing.registry.drop(Drop.LINK_LIMIT, count - names.LINK_LIMIT)
