"""Outcomes of attempts, and the results of storing them."""

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
"""The error type of an attempt that ended without an exception: its lease ran out, or was ended by request."""
BLOCKER_FAILED: Final = "otelq.blocker_failed"
"""The error type of a job that failed because a blocker failed or was cancelled."""


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
    A request to get the successor already leased, for the same worker and under the given fresh token.

    It is granted only if the successor is due at once, has no blockers, and no job of its type was ready before it.
    """

    token: int
    lease: float
    timeout: float | None = None


class Completes(Struct, frozen=True, gc=False):
    """The chain's output, as JSON text."""

    output: str


class Continues(Struct, frozen=True, gc=False):
    """The job is followed by ``successor``, which is stored in the same commit."""

    successor: Successor
    claim_successor: ClaimSuccessor | None = None


class Retries(Struct, frozen=True, gc=False):
    """The attempt failed; the job runs again after ``delay`` seconds."""

    delay: float
    failure: Failure


class Snoozes(Struct, frozen=True, gc=False):
    """
    The job runs again after ``delay`` seconds; the attempt is given back.

    ``failure`` is kept with the attempt: the reason why a worker could not run the job.
    """

    delay: float
    failure: Failure | None = None


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
    """The outcome of one attempt, to be stored. ``trace`` is the attempt's own trace context."""

    job: Claimed
    outcome: Outcome
    worker: str
    trace: str | None = None


class SettleResult(StrEnum):
    """The result for one item of a batch that is fenced by tokens."""

    DONE = "done"
    """Written now, or written before under the same token (a lost reply)."""
    LOST = "lost"
    """The token is no longer the job's: another worker has it, or it was closed."""
    CANCELLED = "cancelled"
    """Lost, because the chain was cancelled."""
    BUSY = "busy"
    """Another transaction has locked the row. Nothing was written; try again."""


class Settled(Struct, frozen=True, kw_only=True):
    """
    The result of ``settle``: one result for each item in the order given, and every transition of the commit.

    ``claimed_successors`` holds the successors that the worker got already leased, by chain id.
    """

    results: tuple[SettleResult, ...]
    transitions: tuple[Transition, ...]
    claimed_successors: Mapping[str, Claimed]
