"""
Durable chains of typed jobs for asyncio applications, in the database they already have.

A job starts inside the application's own transaction, jobs continue into jobs as promises do, and every transition
can be seen through OpenTelemetry. Begin with ``connect``, ``Jobs`` and ``Worker``.
"""

from .client import ChainFilters, Client, Explanation, JobFilters, Reason, ReasonCode, Start, new_id
from .codec import Encryption, PayloadCodec, PayloadPlace
from .connect import connect
from .definitions import (
    AllOf,
    AnyOf,
    Attempt,
    Chain,
    Continue,
    Fail,
    Jobs,
    JobType,
    Middleware,
    RetryAfter,
    Snooze,
    StartOptions,
    WaitFor,
)
from .effects import after_commit
from .errors import (
    AlreadyExists,
    ChainCancelled,
    ChainFailed,
    Forbidden,
    InvalidArgument,
    JobAlreadyClosed,
    JobTypeMismatch,
    LeaseLost,
    NotFound,
    OtelqError,
    ProcessDied,
    ProcessFailed,
    Refused,
    StillReferenced,
    Unavailable,
    UndecodablePayload,
    WrongLoop,
)
from .model import AttemptRecord, CancelReason, ChainOutcome, ChainRecord, Count, Dedup, JobRecord, Page, Status
from .retry_policy import RetryPolicy
from .worker import Worker

__all__ = [
    "AllOf",
    "AlreadyExists",
    "AnyOf",
    "Attempt",
    "AttemptRecord",
    "CancelReason",
    "Chain",
    "ChainCancelled",
    "ChainFailed",
    "ChainFilters",
    "ChainOutcome",
    "ChainRecord",
    "Client",
    "Continue",
    "Count",
    "Dedup",
    "Encryption",
    "Explanation",
    "Fail",
    "Forbidden",
    "InvalidArgument",
    "JobAlreadyClosed",
    "JobFilters",
    "JobRecord",
    "JobType",
    "JobTypeMismatch",
    "Jobs",
    "LeaseLost",
    "Middleware",
    "NotFound",
    "OtelqError",
    "Page",
    "PayloadCodec",
    "PayloadPlace",
    "ProcessDied",
    "ProcessFailed",
    "Reason",
    "ReasonCode",
    "Refused",
    "RetryAfter",
    "RetryPolicy",
    "Snooze",
    "Start",
    "StartOptions",
    "Status",
    "StillReferenced",
    "Unavailable",
    "UndecodablePayload",
    "WaitFor",
    "Worker",
    "WrongLoop",
    "after_commit",
    "connect",
    "new_id",
]
