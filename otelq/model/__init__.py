"""
The values that pass between the parts of otelq: frozen, without behaviour beyond their names.

They are ``msgspec`` structs because two or three are created for every job on the hot path, and a frozen struct is
created about ten times faster than a frozen dataclass (see ``docs/decisions``).
"""

from __future__ import annotations

from .leases import Claimed, ClaimRequest, Lease, ReapRule, Renewal
from .new_jobs import Created, Dedup, Identified, Meta, NewJob, OnFailure, Until, read_meta
from .outcomes import (
    BLOCKER_FAILED,
    LEASE_LOST,
    Blocks,
    ClaimSuccessor,
    Completes,
    Continues,
    Fails,
    Failure,
    Outcome,
    Releases,
    Retries,
    Settled,
    Settlement,
    SettleResult,
    Snoozes,
    Successor,
)
from .queries import MAX_SCAN, Count, JobQuery, Match, Page
from .records import AttemptRecord, ChainOutcome, ChainRecord, JobRecord
from .requests import Amendment, Closure
from .transition import CLOSED, ENDED, OPEN, CancelReason, JobKey, Status, Transition, Verb, job_id
from .workers import Leadership, WorkerBeat, WorkerRecord

__all__ = [
    "BLOCKER_FAILED",
    "CLOSED",
    "ENDED",
    "LEASE_LOST",
    "MAX_SCAN",
    "OPEN",
    "Amendment",
    "AttemptRecord",
    "Blocks",
    "CancelReason",
    "ChainOutcome",
    "ChainRecord",
    "ClaimRequest",
    "ClaimSuccessor",
    "Claimed",
    "Closure",
    "Completes",
    "Continues",
    "Count",
    "Created",
    "Dedup",
    "Fails",
    "Failure",
    "Identified",
    "JobKey",
    "JobQuery",
    "JobRecord",
    "Leadership",
    "Lease",
    "Match",
    "Meta",
    "NewJob",
    "OnFailure",
    "Outcome",
    "Page",
    "ReapRule",
    "Releases",
    "Renewal",
    "Retries",
    "SettleResult",
    "Settled",
    "Settlement",
    "Snoozes",
    "Status",
    "Successor",
    "Transition",
    "Until",
    "Verb",
    "WorkerBeat",
    "WorkerRecord",
    "job_id",
    "read_meta",
]
