"""The leases of workers: requested, granted, renewed and lost."""

from __future__ import annotations

from datetime import datetime

from msgspec import Struct


class Lease(Struct, frozen=True, gc=False):
    """
    The right to act on one job until the lease ends.

    ``token`` is random, and the same for all jobs of one claim. Every write of the attempt is fenced by it.
    """

    chain_id: str
    position: int
    token: int


class ClaimRequest(Struct, frozen=True, kw_only=True):
    """A request for up to ``limit`` ready jobs of ``type``, each leased for ``lease`` seconds."""

    type: str
    limit: int
    lease: float
    timeout: float | None = None
    """Seconds from the claim after which no renewal extends the lease."""


class Claimed(Struct, frozen=True, kw_only=True, gc=False):
    """A job under lease, with all that its attempt and its telemetry need."""

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
    """The number of blockers that this job was given, at its creation or later; ``blocker_outputs`` reads them."""
    trace: str | None = None
    last_trace: str | None = None
    meta: str | None = None


class Renewal(Struct, frozen=True, gc=False):
    """A request to extend a lease to ``seconds`` from now, but never past the attempt's deadline."""

    lease: Lease
    seconds: float


class ReapRule(Struct, frozen=True, kw_only=True):
    """The limits for jobs of one type whose lease ran out."""

    type: str
    max_attempts: int | None
    max_crashes: int
    delay: float = 0.0
    """Seconds until a reaped job is due again."""
