"""Spans of claims, of settlements, and of transitions without a handler."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

from opentelemetry.context import Context
from opentelemetry.trace import Span, get_current_span

from ..model import Claimed, Transition, job_id
from ..texts import LONGEST_NAME, line
from . import names, stored_context
from .exceptions import qualified_name
from .names import Attribute, Drop, LinkReason, Operation, TransitionSpan
from .stored_context import StoredContext
from .tracing import Tracing, context_of, link_to


def record_claim(tracing: Tracing, jobs: Sequence[Claimed], *, started_ns: int, ended_ns: int, worker: str) -> None:
    """Record a claim as a root span with a link to the span that created each job."""
    types = {job.type for job in jobs}
    span = tracing.start(
        Operation.CLAIM, types.pop() if len(types) == 1 else None, stored_context.EMPTY, start_ns=started_ns
    )
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
    """Record a settlement as a root span with a link to each attempt."""
    span = tracing.start(operation, type, stored_context.EMPTY, start_ns=started_ns)
    if not span.is_recording():
        return
    span.set_attribute(Attribute.BATCH_COUNT, count)
    _link(tracing, span, attempts, LinkReason.SETTLED, count=count)
    if error is not None:
        tracing.fail(span, error, qualified_name(error), operation)
    tracing.end(span, ended_ns)


def record_transitions(tracing: Tracing, transitions: Iterable[Transition]) -> None:
    """Record a span for each transition that has no ``enqueue`` or ``process`` span."""
    left = names.TRANSITION_SPAN_LIMIT
    for transition in transitions:
        kind = names.TRANSITION_SPANS.get(transition.verb)
        if kind is None:
            continue
        if left:
            left -= 1
            try:
                _record_transition(tracing, transition, kind)
            except Exception as error:
                tracing.registry.record_failure("recording a transition", error)
        else:
            tracing.registry.drop(Drop.SPAN_LIMIT)


def _record_transition(tracing: Tracing, transition: Transition, kind: TransitionSpan) -> None:
    stored = tracing.read(transition.trace) or StoredContext()
    previous = tracing.read(transition.last_trace)
    links = [link_to(stored.span, LinkReason.CREATION)] if stored.span else []
    if previous is not None and previous.span is not None:
        links.append(link_to(previous.span, LinkReason.PREVIOUS_ATTEMPT))
    # A transition is a point in time, so its span has no duration.
    at_ns = int(transition.at.timestamp() * 1e9)
    context = _parent_context(kind, stored, previous)
    span = tracing.start(kind.operation, transition.type, context, queue=transition.queue, links=links, start_ns=at_ns)
    if span.is_recording():
        tracing.describe(span, _description(transition))
        if kind.error is not None:
            tracing.mark_failed(span, transition.error_type or kind.error)
    tracing.end(span, at_ns)


def _parent_context(kind: TransitionSpan, stored: StoredContext, previous: StoredContext | None) -> Context:
    """Return the caller's context if a caller asked for the transition; else the context of the chain's segment."""
    ambient = stored_context.ambient_context()
    if kind.by_caller and context_of(get_current_span(ambient)) is not None:
        return ambient
    segment = previous.segment if previous is not None and previous.segment is not None else stored.segment
    return stored_context.EMPTY if segment is None else stored_context.with_parent(segment, stored_context.EMPTY)


def _description(transition: Transition) -> dict[str, str | int]:
    worker = {} if transition.worker is None else {Attribute.CLIENT_ID: line(transition.worker, longest=LONGEST_NAME)}
    return {
        Attribute.MESSAGE_ID: job_id(transition.chain_id, transition.position),
        Attribute.CONVERSATION_ID: transition.chain_id,
        Attribute.CHAIN_ID: transition.chain_id,
        Attribute.CHAIN_TYPE: line(transition.chain_type, longest=LONGEST_NAME),
        Attribute.CHAIN_HOP: transition.position,
        Attribute.ATTEMPT: transition.attempt,
        Attribute.TRANSITION: str(transition.verb),
        Attribute.STATE_FROM: str(transition.source or "none"),
        Attribute.STATE_TO: str(transition.target or "none"),
        **worker,
    }


def _link(tracing: Tracing, span: Span, texts: Iterable[str | None], reason: LinkReason, *, count: int) -> None:
    """Add links to the first ``LINK_LIMIT`` stored contexts."""
    # After the start of the span, although samplers cannot see these links then: it is known now that the span records,
    # and stored contexts are not parsed in vain.
    for _, text in zip(range(names.LINK_LIMIT), texts, strict=False):
        stored = tracing.read(text)
        if stored is not None and stored.span is not None:
            link = link_to(stored.span, reason)
            span.add_link(link.context, link.attributes)
    if count > names.LINK_LIMIT:
        tracing.registry.drop(Drop.LINK_LIMIT, count - names.LINK_LIMIT)
