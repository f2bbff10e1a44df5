"""The states of jobs, the verbs that change them, and the transition that one verb made."""

from __future__ import annotations

from datetime import datetime
from enum import StrEnum
from typing import TypeAlias

from msgspec import Struct


class Status(StrEnum):
    """The state of a job. The status of a chain is that of its last job."""

    BLOCKED = "blocked"
    """Open: it waits for other chains."""
    SCHEDULED = "scheduled"
    """Open: it waits until it is due."""
    READY = "ready"
    """Open: it is due, and waits for a worker."""
    RUNNING = "running"
    """Open: a worker holds a lease on it."""
    COMPLETED = "completed"
    """Closed: it completed its chain."""
    CONTINUED = "continued"
    """Closed: the next job of its chain took over."""
    FAILED = "failed"
    """Closed: it failed, and its chain with it."""
    CANCELLED = "cancelled"
    """Closed: it was cancelled or expired, and its chain with it."""

    @property
    def is_open(self) -> bool:
        """Return whether the job can still move on by itself or by a worker."""
        return self in OPEN


OPEN = frozenset({Status.BLOCKED, Status.SCHEDULED, Status.READY, Status.RUNNING})
CLOSED = frozenset(Status) - OPEN
ENDED = CLOSED - {Status.CONTINUED}
"""The statuses in which a chain's tail, and so the chain, is closed."""


class Verb(StrEnum):
    """The changes of a job's state. An attempt ends with one of those that leave ``running``."""

    CREATE = "create"
    """It was started, or a continuation of a job."""
    UNBLOCK = "unblock"
    """Its blockers met its condition."""
    CLAIM = "claim"
    """A worker took a lease on it."""
    RENEW = "renew"
    """The worker extended the lease."""
    COMPLETE = "complete"
    """Its handler returned the output of the chain."""
    CONTINUE = "continue"
    """Its handler returned a continuation."""
    RETRY = "retry"
    """The attempt failed, and the job runs again later."""
    SNOOZE = "snooze"
    """Its handler put it off, without spending the attempt."""
    BLOCK = "block"
    """Its handler waits for other chains (``WaitFor``), without spending the attempt."""
    FAIL = "fail"
    """The attempt failed, and the job with it."""
    FAIL_BY_BLOCKER = "fail_by_blocker"
    """Its blockers can no longer meet its condition."""
    RELEASE = "release"
    """Its worker stopped and gave it back, without spending the attempt."""
    REAP = "reap"
    """The lease ran out, and the job was taken back."""
    TAKE_OVER = "take_over"
    """``Client.take_over`` ended the lease."""
    CANCEL = "cancel"
    """``Client.cancel`` closed it."""
    EXPIRE = "expire"
    """It was not started in time."""
    COMPLETE_EXTERNALLY = "complete_externally"
    """``Client.complete`` closed it."""
    TRIGGER = "trigger"
    """``Client.trigger`` made it due."""
    AMEND = "amend"
    """``Client.amend`` changed it."""
    REDRIVE = "redrive"
    """``Client.redrive`` opened it again."""
    DELETE = "delete"
    """``Client.delete`` removed it."""


class CancelReason(StrEnum):
    """The reason why otelq cancelled a running attempt, or asks it to stop."""

    LEASE_LOST = "lease_lost"
    """The lease ran out, or another worker has the job."""
    CANCELLED = "cancelled"
    """The chain was cancelled."""
    TIMEOUT = "timeout"
    """The ``timeout`` of the attempt is over; as a reason to stop, its ``soft_timeout``."""
    SHUTDOWN = "shutdown"
    """The worker stops."""


class Transition(Struct, frozen=True, kw_only=True, gc=False):
    """
    One change of one job's state, as a store wrote it.

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


JobKey: TypeAlias = tuple[str, int]
"""A job: its chain's id and its position."""


def job_id(chain_id: str, position: int) -> str:
    """Return the id of a job: its chain's id and its position, as in ``0198c0de-….3``."""
    return f"{chain_id}.{position}"
