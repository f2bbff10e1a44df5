"""What came of an attempt, and what became of that."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime
from enum import StrEnum
from typing import Final

from msgspec import Struct

from .leases import Claimed
from .new_jobs import OnFailure, Until
from .transition import Transition

LEASE_LOST: Final = "otelq.lease_lost"
"""The type of a failure that nobody raised: a lease ran out, or was ended by request."""
BLOCKER_FAILED: Final = "otelq.blocker_failed"
"""Likewise: a blocker failed or was cancelled."""


class Failure(Struct, frozen=True, gc=False):
    """The error with which an attempt or a job failed."""

    type: str
    """
    The qualified name of the exception, or ``otelq.lease_lost`` or ``otelq.blocker_failed``. Spans, metrics and log
    lines have the same value as ``error.type``.
    """
    text: str
    """The message and the traceback, cut to a bounded length."""


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


class ClaimSuccessor(Struct, frozen=True, kw_only=True):
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
    claim_successor: ClaimSuccessor | None = None


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


class SettleResult(StrEnum):
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

    ``claimed_successors`` holds the successors that were granted to the worker, by chain id.
    """

    results: tuple[SettleResult, ...]
    transitions: tuple[Transition, ...]
    claimed_successors: Mapping[str, Claimed]
