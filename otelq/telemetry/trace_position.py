"""
The position of an attempt's span: in the trace that its job came from, or at the root of a new one. Pure functions.

Only the request decides (delays, back-off, fan-in, fan-out, length), never how busy the workers were: the shape of a
trace does not depend on load.
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
"""The longest delay or back-off in seconds with which work stays in its trace."""
HOP_LIMIT: Final = 50
"""The most jobs of one chain in one trace."""
FAN_OUT: Final = 100
"""The most chains that one call starts within one trace."""


class TracePosition(Struct, frozen=True, gc=False):
    """
    The segment of an attempt (None if it begins one), the position of its first job, and the reason for a new one.
    """

    segment: SpanContext | None
    origin: int
    own_root: bool
    reason: LinkReason | None = None

    def start_at(self, span: SpanContext | None) -> TracePosition:
        """Return the position with the attempt's own span as the segment, if it begins one."""
        return self if self.segment is not None else TracePosition(span, self.origin, True, self.reason)


def find_position(
    job: Claimed, stored: StoredContext, previous: StoredContext | None, mode: TraceMode
) -> TracePosition:
    """Return the position of an attempt at ``job``, given the stored contexts of the job and the previous attempt."""
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
    # An unsampled trace cannot grow too long, and a new root would ask the sampler again after the caller said no.
    if mode == "parent" or (latest.segment is not None and not latest.segment.trace_flags.sampled):
        return None
    began_here = latest.own_root and origin == position
    if job.blockers and not began_here:
        return LinkReason.FAN_IN
    if wide and not latest.own_root:
        return LinkReason.FAN_OUT
    if position - origin >= HOP_LIMIT:
        return LinkReason.HOP_LIMIT
    # Measured from the end of the previous attempt, or from the job's creation before the first one. Not until the
    # claim: that would depend on the load.
    since = job.created_at.timestamp() if latest.ended is None else latest.ended
    if job.due_at.timestamp() - since > PROMPT:
        return LinkReason.RETRY if job.attempt > 1 or job.crashes or latest.ended is not None else LinkReason.DELAY
    return None
