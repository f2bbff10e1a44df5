"""
Where an attempt stands: in the trace that its job came from, or at the root of a new one. Pure.

What decides is what was asked for (delays, back-off, fan-in, fan-out, length), never how busy the workers
were: the shape of a trace does not depend on load.
"""

from __future__ import annotations

from typing import Final, Literal

from msgspec import Struct
from opentelemetry.trace import SpanContext

from ..model import Claimed
from .names import LinkReason
from .stored_context import StoredContext

TraceMode = Literal["auto", "link", "parent"]

PROMPT: Final = 60.0
"""Seconds of delay or back-off up to which work stays in its trace."""
HOP_LIMIT: Final = 50
"""Jobs of one chain in one trace."""
FAN_OUT: Final = 100
"""Chains that one call starts within one trace."""


class TracePosition(Struct, frozen=True, gc=False):
    """
    The segment that an attempt belongs to (None: it begins one), since which position, and why it left
    another.
    """

    segment: SpanContext | None
    origin: int
    own_root: bool
    reason: LinkReason | None = None

    def start_at(self, span: SpanContext | None) -> TracePosition:
        """This place once the attempt's own span is known."""
        return self if self.segment is not None else TracePosition(span, self.origin, True, self.reason)


def find_position(
    job: Claimed, stored: StoredContext, previous: StoredContext | None, mode: TraceMode
) -> TracePosition:
    """Where the attempt at ``job`` stands, given the notes of the job and of the attempt before."""
    position = job.lease.position
    latest = stored if previous is None or previous.segment is None else previous
    if latest.segment is None:
        return TracePosition(None, position, True)
    origin = position if latest.origin is None else latest.origin
    reason = _reason_to_split(job, latest, origin=origin, wide=stored.wide, mode=mode)
    if reason is not None:
        return TracePosition(None, position, True, reason)
    return TracePosition(latest.segment, origin, latest.own_root)


def _reason_to_split(
    job: Claimed, latest: StoredContext, *, origin: int, wide: bool, mode: TraceMode
) -> LinkReason | None:
    position = job.lease.position
    if mode == "link":
        return None if latest.own_root else LinkReason.CONFIGURED
    # A trace that nobody records cannot grow too long, and its caller's decision is to be honoured.
    if mode == "parent" or (latest.segment is not None and not latest.segment.trace_flags.sampled):
        return None
    began_here = latest.own_root and origin == position
    if job.blockers and not began_here:
        return LinkReason.FAN_IN
    if wide and not latest.own_root:
        return LinkReason.FAN_OUT
    if position - origin >= HOP_LIMIT:
        return LinkReason.HOP_LIMIT
    # The note of an attempt says when it ended; before the first one, the job's creation counts.
    since = job.created_at.timestamp() if latest.ended is None else latest.ended
    if job.due_at.timestamp() - since > PROMPT:
        return LinkReason.RETRY if job.attempt > 1 or job.crashes or latest.ended is not None else LinkReason.DELAY
    return None
