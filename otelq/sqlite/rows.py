"""Rows as SQL returns them, and their conversion into values of the model."""

from __future__ import annotations

import time
from datetime import UTC, datetime, timedelta
from functools import lru_cache

from msgspec import Struct
from msgspec.json import Decoder

from ..model import (
    Claimed,
    JobKey,
    Lease,
    OnFailure,
    Status,
    Until,
)
from ..transitions.blockers import BlockerRule, rule_from_columns
from ..transitions.build import Snapshot

_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_MICROSECOND = timedelta(microseconds=1)
_FIRST = (datetime.min.replace(tzinfo=UTC) - _EPOCH) // _MICROSECOND
_LAST = (datetime.max.replace(tzinfo=UTC) - _EPOCH) // _MICROSECOND


def now_micros() -> int:
    """Return microseconds since the epoch. SQLite runs inside this process, so its clock is the machine's."""
    return time.time_ns() // 1000


def to_micros(moment: datetime) -> int:
    """Return a time with zone as it is stored: whole microseconds since the epoch."""
    return (moment - _EPOCH) // _MICROSECOND


@lru_cache(maxsize=4096)
def to_datetime(stored: int) -> datetime:
    """
    Return a stored time in UTC. It is cached, because the jobs of a batch share most of their times.

    A time outside of Python's range, written by hand, becomes the nearest in it: an error for one row would fail all
    rows that are read with it.
    """
    return _EPOCH + timedelta(microseconds=min(max(stored, _FIRST), _LAST))


def seconds_to_micros(seconds: float) -> int:
    """Return a number of seconds as whole microseconds."""
    return round(seconds * 1_000_000)


class OpenJob(Struct, frozen=True, array_like=True, gc=False):
    """The open job of a chain, with all that its transitions need. ``index`` is its place in the batch."""

    index: int
    chain_id: str
    position: int
    type: str
    queue: str
    priority: int
    run_at: int
    attempt: int
    crashes: int
    blocked_by_count: int
    waited_on: int
    until: Until | None
    on_failure: OnFailure | None
    token: int | None
    leased_by: str | None
    last_trace: str | None
    created_at: int
    trace: str | None
    chain_type: str
    chain_created_at: int
    has_dedup: int

    @property
    def key(self) -> JobKey:
        return self.chain_id, self.position

    @property
    def rule(self) -> BlockerRule:
        """Return the rule for its blockers."""
        return rule_from_columns(self.until, self.on_failure)

    def snapshot(self, at: int) -> Snapshot:
        """Return the job for its transitions."""
        return Snapshot(
            self.chain_id,
            self.position,
            self.token,
            self.type,
            self.queue,
            self.chain_type,
            self.status(at),
            self.attempt,
            self.crashes,
            self.leased_by,
            to_datetime(self.created_at),
            to_datetime(self.chain_created_at),
            self.trace,
            self.last_trace,
            to_datetime(at),
            to_datetime(self.run_at),
        )

    def status(self, at: int) -> Status:
        """Return the status. A scheduled job becomes ready by the clock, without a write."""
        # A blocked job has no lease (a CHECK of the table), and the time of a leased one says nothing.
        if self.blocked_by_count:
            return Status.BLOCKED
        if self.token is not None:
            return Status.RUNNING
        return Status.SCHEDULED if self.run_at > at else Status.READY


class AnyJob(Struct, frozen=True, array_like=True):
    """A job, open or closed, without the columns of its open row. ``index`` is its place in the batch."""

    index: int
    chain_id: str
    position: int
    type: str
    queue: str
    chain_type: str
    attempt: int
    status: Status | None
    created_at: int
    chain_created_at: int
    trace: str | None
    last_trace: str | None

    def snapshot(self, at: int) -> Snapshot:
        """
        Return the job for its transitions. Without a status, as after rows were deleted by hand, it counts as ready.
        """
        return Snapshot(
            self.chain_id,
            self.position,
            None,
            self.type,
            self.queue,
            self.chain_type,
            self.status or Status.READY,
            self.attempt,
            0,
            None,
            to_datetime(self.created_at),
            to_datetime(self.chain_created_at),
            self.trace,
            self.last_trace,
            to_datetime(at),
            to_datetime(at),
        )


class ClaimCandidate(Struct, frozen=True, array_like=True, gc=False):
    """A job that a claim may take, for the request at ``request_index``."""

    request_index: int
    chain_id: str
    position: int
    type: str
    queue: str
    chain_type: str
    input: str
    attempt: int
    crashes: int
    priority: int
    run_at: int
    created_at: int
    chain_created_at: int
    blockers: int
    trace: str | None
    last_trace: str | None
    meta: str | None

    @property
    def order(self) -> tuple[int, int, str]:
        return self.priority, self.run_at, self.chain_id  # as in the index of claimable jobs


OPEN_JOBS = Decoder(list[OpenJob])
CANDIDATES = Decoder(list[ClaimCandidate])
NUMBERS = Decoder(list[int])
TEXTS = Decoder(list[str])


def claimed(candidate: ClaimCandidate, *, token: int, at: int, leased_until: int) -> Claimed:
    """Return the job as its worker gets it, with the next attempt number."""
    return Claimed(
        lease=Lease(candidate.chain_id, candidate.position, token),
        type=candidate.type,
        queue=candidate.queue,
        chain_type=candidate.chain_type,
        input=candidate.input,
        attempt=candidate.attempt + 1,
        crashes=candidate.crashes,
        priority=candidate.priority,
        due_at=to_datetime(candidate.run_at),
        created_at=to_datetime(candidate.created_at),
        chain_created_at=to_datetime(candidate.chain_created_at),
        claimed_at=to_datetime(at),
        leased_until=to_datetime(leased_until),
        blockers=candidate.blockers,
        trace=candidate.trace,
        last_trace=candidate.last_trace,
        meta=candidate.meta,
    )
