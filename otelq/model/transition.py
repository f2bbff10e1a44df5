"""Where jobs stand, what moves them, and one move that was made."""

from __future__ import annotations

from datetime import datetime
from enum import StrEnum
from typing import TypeAlias

from msgspec import Struct


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


JobKey: TypeAlias = tuple[str, int]
"""A job: its chain's id and its position."""


def job_id(chain_id: str, position: int) -> str:
    """The id of a job: its chain's id and its position, as in ``0198c0de-….3``."""
    return f"{chain_id}.{position}"
