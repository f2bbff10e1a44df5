"""
The values that travel through the house: frozen, without behaviour beyond naming.

They are ``msgspec`` structs because two or three are made for every job on the hot path, and a frozen struct is
made about ten times faster than a frozen dataclass (see ``docs/decisions``).
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import datetime
from enum import StrEnum
from typing import Generic, Literal, Protocol, TypeAlias, TypeVar

from msgspec import Struct
from msgspec.json import Decoder

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


class Meta(Struct, frozen=True, kw_only=True, omit_defaults=True):
    """
    What is known of a chain beside its payloads; every job of the chain inherits it.

    ``tags`` can be searched, ``headers`` are for handlers and other systems, ``tenant`` and ``request_id`` say on
    whose behalf and on account of which request the chain was started.
    """

    tags: Mapping[str, str] = {}  # a struct gives every value its own
    headers: Mapping[str, str] = {}  # likewise
    tenant: str | None = None
    request_id: str | None = None


class Identified(Protocol):
    """What has an id, as the handle of a chain has."""

    @property
    def id(self) -> str: ...


class Dedup(Struct, frozen=True):
    """
    At most one chain of a type holds a dedup key.

    A start whose key is held by a chain that matches returns that chain, and everything else about the start is
    ignored. The holder is the chain that took the key last; it matches unless it is in ``exclude``, was created more
    than ``window`` seconds ago, or is closed and the scope is ``open``. A holder that does not match loses the key to
    the new chain. Of starts with one key in one batch, the first counts for all.

    A chain started with scope ``open`` gives its key back when it closes; with ``any`` it keeps the key until it is
    deleted or loses it. ``key`` is text of 1 to 512 characters, scoped to the job type of the start.
    """

    key: str
    scope: Literal["open", "any"] = "open"
    window: float | None = None
    exclude: Sequence[str | Identified] = ()
    """Chains, or their ids, that do not count, as that which starts its own next one; the state port is given ids."""


class Until(StrEnum):
    """How many of its blockers a job waits for."""

    ALL = "all"
    ANY = "any"


class OnFailure(StrEnum):
    """
    What it means to a job that a blocker of it failed or was cancelled.

    ``fail``: that blocker is lost; the job fails as soon as its condition cannot be met any more (of all: at once; of
    any: when every blocker is lost). ``ignore``: closed is closed, it counts like a completed one. ``wait``: it counts
    like an open one, until it is redriven and completes.
    """

    FAIL = "fail"
    IGNORE = "ignore"
    WAIT = "wait"


JobKey: TypeAlias = tuple[str, int]
"""A job: its chain's id and its position."""


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
    """Ids of chains to wait for, each once, as ``until`` and ``on_failure`` say."""
    until: Until = Until.ALL
    on_failure: OnFailure = OnFailure.FAIL
    expires: float | None = None
    """Seconds from the start after which the job, if it was never claimed, is closed as cancelled."""
    trace: str | None = None
    meta: str | None = None
    """A ``Meta`` as JSON text."""


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
    """How many blocker chains this job was given, at its creation or since; ``blocker_outputs`` tells of them."""
    trace: str | None = None
    last_trace: str | None = None
    meta: str | None = None


class Failure(Struct, frozen=True, gc=False):
    """Why an attempt failed: the exception's qualified name and a bounded text."""

    type: str
    text: str


class Successor(Struct, frozen=True, kw_only=True):
    """
    The job that continues a chain; fields as in ``NewJob``. Priority None keeps the predecessor's.

    A successor with blockers is created blocked, due or failed as the first job of a chain would be. A blocker that
    waits, itself or through others, for this very chain is refused.
    """

    type: str
    input: str
    queue: str = "default"
    delay: float | None = None
    at: datetime | None = None
    priority: int | None = None
    blockers: tuple[str, ...] = ()
    until: Until = Until.ALL
    on_failure: OnFailure = OnFailure.FAIL
    trace: str | None = None
    meta: str | None = None


class Keep(Struct, frozen=True, kw_only=True):
    """
    A wish to receive the successor already leased, under the same worker and the given fresh token.

    Granted only if the successor is due at once, has no blockers, and no job of its type was ready before it.
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


class Blocks(Struct, frozen=True, gc=False):
    """
    The job waits for these chains as well, then runs again; the attempt is given back.

    Where the condition is met already the job is unblocked in the same commit, or fails there, each as a transition
    of its own after ``block``. A chain that it waited for before may be named again. A cycle is refused.
    """

    blockers: tuple[str, ...]
    until: Until = Until.ALL
    on_failure: OnFailure = OnFailure.FAIL


class Fails(Struct, frozen=True, gc=False):
    """The job, and with it the chain, ends failed."""

    failure: Failure


class Releases(Struct, frozen=True, gc=False):
    """The worker cannot go on; the job is ready at once and the attempt is given back."""


Outcome = Completes | Continues | Retries | Snoozes | Blocks | Fails | Releases


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


class Amendment(Struct, frozen=True, kw_only=True):
    """
    A change to the open job of a chain that does not run; None leaves a field as it is.

    ``delay`` and ``at`` as in ``NewJob``. ``input`` takes the place of the job's input from now on; the input that it
    was created with stays on record. With ``step`` the open job must be of that type.
    """

    chain_id: str
    step: str | None = None
    priority: int | None = None
    delay: float | None = None
    at: datetime | None = None
    input: str | None = None


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
    """One job as it is stored, for people; payloads are JSON text, as the client's codec left them."""

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
    amended_input: str | None = None
    """What replaced ``input``, if it was amended."""
    expires_at: datetime | None = None
    trace: str | None = None
    meta: str | None = None

    @property
    def id(self) -> str:
        """The job's id, as ``Client.job`` takes it."""
        return job_id(self.chain_id, self.position)

    @property
    def tags(self) -> Mapping[str, str]:
        """The chain's tags."""
        return read_meta(self.meta).tags

    @property
    def headers(self) -> Mapping[str, str]:
        """The chain's headers."""
        return read_meta(self.meta).headers

    @property
    def tenant(self) -> str | None:
        """On whose behalf the chain was started."""
        return read_meta(self.meta).tenant

    @property
    def request_id(self) -> str | None:
        """On account of which request the chain was started."""
        return read_meta(self.meta).request_id


class ChainRecord(Struct, frozen=True, kw_only=True):
    """A chain as it is stored: its first job and its tail (the same value for a chain of one)."""

    chain_id: str
    type: str
    head: JobRecord
    tail: JobRecord


class AttemptRecord(Struct, frozen=True, kw_only=True):
    """
    One finished attempt. ``verb`` says how it ended.

    ``generation`` is 0 for attempts since the job was redriven last, or ever; 1 for those before its first redrive.
    A closed job that is redriven leaves an attempt on record even if nothing ran, without token and worker.
    """

    chain_id: str
    position: int
    number: int
    token: int | None
    verb: Verb
    worker: str | None
    started_at: datetime | None
    ended_at: datetime
    failure: Failure | None = None
    trace: str | None = None
    generation: int = 0


class Match(Struct, frozen=True, kw_only=True):
    """A demand on a payload: what stands at ``path`` (keys and indexes) equals ``value``, a JSON text."""

    part: Literal["input", "output"]
    path: tuple[str | int, ...]
    value: str


LONGEST_LOOK = 1_200
"""
How many jobs or chains a page looks at, at most, in search of those that pass its filters; more than fit on the largest
page, and than ids can be asked for.
"""


class JobQuery(Struct, frozen=True, kw_only=True):
    """
    Which jobs (or chains, by their tail) to list, newest chain first, within a chain first to last.

    All given filters must hold; empty ones hold always. ``after`` is the ``next`` of the page before. A page looks at
    ``look`` rows at most: one that finds less than ``limit`` in them ends there, and ``next`` says where to go on.
    """

    types: tuple[str, ...] = ()
    """Of the job itself, or of a chain's first job."""
    chain_types: tuple[str, ...] = ()
    """For jobs: of the first job of the chain."""
    statuses: frozenset[Status] = frozenset()
    chain_ids: tuple[str, ...] = ()
    """Up to 1,000."""
    blocked_by: str | None = None
    """Jobs that wait, or ever waited, for this chain; for chains: any job of which did."""
    tags: tuple[tuple[str, str], ...] = ()
    tenant: str | None = None
    since: datetime | None = None
    """Chains whose id was made then or later; an id carries its time, in milliseconds."""
    until: datetime | None = None
    """Chains whose id was made then or earlier."""
    roots: bool = False
    """Chains that are nobody's blocker."""
    matches: tuple[Match, ...] = ()
    """Of chains: the input of the first job, the output of the tail."""
    text: str | None = None
    """Text that occurs in the JSON of the input or the output, letter for letter."""
    limit: int = 50
    after: str | None = None
    look: int = LONGEST_LOOK


class Count(Struct, frozen=True):
    """How many; not ``exact`` where counting stopped at a bound and there may be more."""

    number: int
    exact: bool


class Page(Struct, Generic[T], frozen=True):
    """
    Some items, and the key to ask for more with ``after=``; None on the last page.

    A page can hold fewer items than the limit, even none, and still not be the last: then the search was bounded.
    """

    items: list[T]
    next: str | None = None


def job_id(chain_id: str, position: int) -> str:
    """The id of a job: its chain's id and its position, as in ``0198c0de-….3``."""
    return f"{chain_id}.{position}"


def read_meta(text: str | None) -> Meta:
    """What was stored about a chain."""
    return _META.decode(text) if text else _NO_META


_META = Decoder(Meta)
_NO_META = Meta()
