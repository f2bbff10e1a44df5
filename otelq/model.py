"""
The values that travel through the house: frozen, without behaviour beyond naming.

They are ``msgspec`` structs because two or three are made for every job on the hot path, and a frozen struct is
made about ten times faster than a frozen dataclass (see ``docs/decisions``).
"""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime
from enum import StrEnum
from typing import Generic, TypeVar

from msgspec import Struct

T = TypeVar("T")


class Status(StrEnum):
    """Where a job stands."""

    BLOCKED = "blocked"
    SCHEDULED = "scheduled"
    READY = "ready"
    RUNNING = "running"
    COMPLETED = "completed"
    CONTINUED = "continued"
    FAILED = "failed"
    CANCELLED = "cancelled"

    @property
    def is_open(self) -> bool:
        """Whether a job in this status can still move on by itself or by a worker."""
        return self in OPEN


OPEN = frozenset({Status.BLOCKED, Status.SCHEDULED, Status.READY, Status.RUNNING})
CLOSED = frozenset(Status) - OPEN
ENDED = CLOSED - {Status.CONTINUED}
"""The statuses in which a chain's tail, and so the chain, is closed."""


class Verb(StrEnum):
    """What can happen to a job; the legal moves are in ``transitions``."""

    CREATE = "create"
    UNBLOCK = "unblock"
    CLAIM = "claim"
    RENEW = "renew"
    COMPLETE = "complete"
    CONTINUE = "continue"
    RETRY = "retry"
    SNOOZE = "snooze"
    BLOCK = "block"
    FAIL = "fail"
    FAIL_BY_BLOCKER = "fail_by_blocker"
    RELEASE = "release"
    REAP = "reap"
    TAKE_OVER = "take_over"
    CANCEL = "cancel"
    EXPIRE = "expire"
    COMPLETE_EXTERNALLY = "complete_externally"
    TRIGGER = "trigger"
    AMEND = "amend"
    REDRIVE = "redrive"
    DELETE = "delete"


class CancelReason(StrEnum):
    """Why the engine cancelled a running attempt."""

    LEASE_LOST = "lease_lost"
    CANCELLED = "cancelled"
    TIMEOUT = "timeout"
    SHUTDOWN = "shutdown"


class Transition(Struct, frozen=True, kw_only=True, gc=False):
    """
    One change of one job's state, as the state adapter made it.

    Telemetry, hints and events are projections of these values; nothing else says that something happened. ``at``
    is the database's time of the statement. ``source`` is None for ``create``, ``target`` is None for ``delete``.
    """

    verb: Verb
    chain_id: str
    position: int
    type: str
    queue: str
    chain_type: str
    source: Status | None
    target: Status | None
    at: datetime
    attempt: int
    created_at: datetime
    """When the job was created."""
    chain_created_at: datetime
    due_at: datetime | None = None
    """``claim``: since when the job could be claimed. Otherwise: when it becomes due, if it is scheduled now."""
    error_type: str | None = None
    worker: str | None = None
    trace: str | None = None
    """The job's stored trace context."""
    last_trace: str | None = None
    """The stored trace context of the attempt before, if there was one."""


class Dedup(Struct, frozen=True):
    """
    At most one open chain of a type holds a dedup key.

    A start whose key is held returns the chain that holds it. The key is free again when that chain closes. ``key``
    is text of 1 to 512 characters, scoped to the job type of the start.
    """

    key: str


class NewJob(Struct, frozen=True, kw_only=True):
    """
    A request to start a chain.

    ``input`` is JSON text. ``delay`` is seconds from the database's now, ``at`` an absolute time; at most one is
    given, and a time in the past means now.
    """

    chain_id: str
    type: str
    input: str
    queue: str = "default"
    delay: float | None = None
    at: datetime | None = None
    priority: int = 0
    dedup: Dedup | None = None
    blockers: tuple[str, ...] = ()
    trace: str | None = None
    tags: str | None = None
    """A JSON object of text to text."""


class Created(Struct, frozen=True, kw_only=True):
    """
    What a start did: the chain, new or already holding the dedup key.

    A request with an id that this statement finds taken gives ``exists``; its neighbours are created all the same.
    """

    chain_id: str
    deduplicated: bool = False
    exists: bool = False

    @property
    def is_new(self) -> bool:
        """Whether the chain was written by this request."""
        return not (self.deduplicated or self.exists)


class Lease(Struct, frozen=True, gc=False):
    """The right to act on one job. ``token`` is random, shared by the jobs of one claim statement."""

    chain_id: str
    position: int
    token: int


class Wanted(Struct, frozen=True, kw_only=True):
    """One arm of a claim: up to ``limit`` ready jobs of ``type``, leased for ``lease`` seconds."""

    type: str
    limit: int
    lease: float
    timeout: float | None = None
    """Seconds from the claim after which no renewal extends the lease."""


class Claimed(Struct, frozen=True, kw_only=True, gc=False):
    """A job under lease, with all that its attempt and the telemetry about it need."""

    lease: Lease
    type: str
    queue: str
    chain_type: str
    input: str
    attempt: int
    crashes: int
    priority: int
    due_at: datetime
    created_at: datetime
    chain_created_at: datetime
    claimed_at: datetime
    leased_until: datetime
    blockers: int = 0
    """How many blocker chains fed this job; their outputs are read with ``blocker_outputs``."""
    trace: str | None = None
    last_trace: str | None = None
    tags: str | None = None


class Failure(Struct, frozen=True, gc=False):
    """Why an attempt failed: the exception's qualified name and a bounded text."""

    type: str
    text: str


class Successor(Struct, frozen=True, kw_only=True):
    """The job that continues a chain; fields as in ``NewJob``. Priority None keeps the predecessor's."""

    type: str
    input: str
    queue: str = "default"
    delay: float | None = None
    at: datetime | None = None
    priority: int | None = None
    trace: str | None = None
    tags: str | None = None


class Keep(Struct, frozen=True, kw_only=True):
    """
    A wish to receive the successor already leased, under the same worker and the given fresh token.

    Granted only if the successor is due at once and no job of its type was ready before it.
    """

    token: int
    lease: float
    timeout: float | None = None


class Completes(Struct, frozen=True, gc=False):
    """The chain's output, as JSON text."""

    output: str


class Continues(Struct, frozen=True, gc=False):
    """The job hands over to ``successor`` in the same commit."""

    successor: Successor
    keep: Keep | None = None


class Retries(Struct, frozen=True, gc=False):
    """The attempt failed; the job runs again after ``delay`` seconds."""

    delay: float
    failure: Failure


class Snoozes(Struct, frozen=True, gc=False):
    """The job runs again after ``delay`` seconds; the attempt is given back."""

    delay: float


class Fails(Struct, frozen=True, gc=False):
    """The job, and with it the chain, ends failed."""

    failure: Failure


class Releases(Struct, frozen=True, gc=False):
    """The worker cannot go on; the job is ready at once and the attempt is given back."""


Outcome = Completes | Continues | Retries | Snoozes | Fails | Releases


class Settlement(Struct, frozen=True, gc=False):
    """What an attempt came to, for one leased job. ``trace`` is the attempt's own trace context."""

    job: Claimed
    outcome: Outcome
    worker: str
    trace: str | None = None


class Verdict(StrEnum):
    """What became of one item of a fenced batch."""

    DONE = "done"
    """Written now, or written before under the same token (a lost reply)."""
    LOST = "lost"
    """The token is no longer the job's: another worker has it, or it was closed."""
    CANCELLED = "cancelled"
    """Lost, because the chain was cancelled."""
    BUSY = "busy"
    """Somebody else's transaction holds the row; nothing was written; try again."""


class Settled(Struct, frozen=True, kw_only=True):
    """
    The result of ``settle``: one verdict an item in the order given, and every transition made on the way.

    ``kept`` holds the successors that were granted to the worker, by chain id.
    """

    verdicts: tuple[Verdict, ...]
    transitions: tuple[Transition, ...]
    kept: Mapping[str, Claimed]


class Renewal(Struct, frozen=True, gc=False):
    """A wish to hold a lease for another ``seconds`` from now, but never past the attempt's deadline."""

    lease: Lease
    seconds: float


class Closure(Struct, frozen=True, kw_only=True):
    """A chain's open job closed by the application itself, whatever its open status."""

    chain_id: str
    step: str
    """The type that the open job must have."""
    outcome: Completes | Continues


class ReapRule(Struct, frozen=True, kw_only=True):
    """What happens to jobs of a type whose lease ran out."""

    type: str
    max_attempts: int | None
    max_crashes: int
    delay: float = 0.0
    """Seconds until a reaped job is due again."""


class ChainOutcome(Struct, frozen=True, kw_only=True):
    """How a chain stands, for somebody who waits for it. ``type`` is the chain's: that of its first job."""

    chain_id: str
    type: str
    status: Status
    """The tail's status."""
    output: str | None = None
    failure: Failure | None = None


class JobRecord(Struct, frozen=True, kw_only=True):
    """One job as it is stored, for people; payloads are JSON text."""

    chain_id: str
    position: int
    type: str
    queue: str
    status: Status
    input: str
    created_at: datetime
    priority: int = 0
    attempt: int = 0
    crashes: int = 0
    run_at: datetime | None = None
    leased_by: str | None = None
    leased_until: datetime | None = None
    closed_at: datetime | None = None
    output: str | None = None
    failure: Failure | None = None
    blocked_by: int = 0
    """How many blocker chains are still awaited."""
    trace: str | None = None
    tags: str | None = None


class ChainRecord(Struct, frozen=True, kw_only=True):
    """A chain as it is stored: its first job and its tail (the same value for a chain of one)."""

    chain_id: str
    type: str
    head: JobRecord
    tail: JobRecord


class AttemptRecord(Struct, frozen=True, kw_only=True):
    """One finished attempt. ``ended`` says how: a verb of ``Verb``."""

    chain_id: str
    position: int
    number: int
    token: int
    verb: Verb
    worker: str | None
    started_at: datetime | None
    ended_at: datetime
    failure: Failure | None = None
    trace: str | None = None


class JobQuery(Struct, frozen=True, kw_only=True):
    """
    Which jobs (or chains, by their tail) to list, newest chain first.

    ``statuses`` empty means any. ``after`` is the ``next`` of the page before.
    """

    types: tuple[str, ...] = ()
    statuses: frozenset[Status] = frozenset()
    chain_id: str | None = None
    limit: int = 50
    after: str | None = None


class Page(Struct, Generic[T], frozen=True):
    """Some items, and the key to ask for more with ``after=``; None on the last page."""

    items: list[T]
    next: str | None = None


def job_id(chain_id: str, position: int) -> str:
    """The id of a job: its chain's id and its position, as in ``0198c0de-….3``."""
    return f"{chain_id}.{position}"
