"""
The values that travel through the house: frozen, without behaviour beyond naming.

They are ``msgspec`` structs because two or three are made for every job on the hot path, and a frozen struct is
made about ten times faster than a frozen dataclass (see ``docs/decisions``).
"""

from __future__ import annotations

from .leases import Claimed, Lease, ReapRule, Renewal, Wanted
from .new_jobs import Created, Dedup, Identified, Meta, NewJob, OnFailure, Until, read_meta
from .outcomes import (
    BLOCKER_FAILED,
    LEASE_LOST,
    Blocks,
    Completes,
    Continues,
    Fails,
    Failure,
    Keep,
    Outcome,
    Releases,
    Retries,
    Settled,
    Settlement,
    Snoozes,
    Successor,
    Verdict,
)
from .queries import LONGEST_LOOK, Count, JobQuery, Match, Page
from .records import AttemptRecord, ChainOutcome, ChainRecord, JobRecord
from .requests import Amendment, Closure
from .transition import CLOSED, ENDED, OPEN, CancelReason, JobKey, Status, Transition, Verb, job_id

__all__ = [
    "BLOCKER_FAILED",
    "CLOSED",
    "ENDED",
    "LEASE_LOST",
    "LONGEST_LOOK",
    "OPEN",
    "Amendment",
    "AttemptRecord",
    "Blocks",
    "CancelReason",
    "ChainOutcome",
    "ChainRecord",
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
    "Keep",
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
    "Settled",
    "Settlement",
    "Snoozes",
    "Status",
    "Successor",
    "Transition",
    "Until",
    "Verb",
    "Verdict",
    "Wanted",
    "job_id",
    "read_meta",
]
