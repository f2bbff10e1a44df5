"""
Durable chains of typed jobs for asyncio applications, in the database they already have.

A job starts inside the application's own transaction, jobs continue into jobs as promises do, and every transition
can be seen through OpenTelemetry. Begin with ``connect``, ``Jobs`` and ``Worker``.
"""

from .client import Client, Start, new_id
from .codec import Encryption, PayloadCodec, PayloadPlace
from .connect import connect
from .definitions import AllOf, AnyOf, Attempt, Chain, Continue, Fail, Jobs, JobType, RetryAfter, Snooze
from .effects import after_commit
from .errors import (
    AlreadyExists,
    ChainCancelled,
    ChainFailed,
    InvalidArgument,
    JobAlreadyClosed,
    JobTypeMismatch,
    LeaseLost,
    NotFound,
    OtelqError,
    Refused,
    StillReferenced,
    Unavailable,
    UndecodablePayload,
    WrongLoop,
)
from .model import AttemptRecord, CancelReason, ChainRecord, Dedup, JobRecord, Page, Status
from .schedule import RetryPolicy
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
    "ChainRecord",
    "Client",
    "Continue",
    "Dedup",
    "Encryption",
    "Fail",
    "InvalidArgument",
    "JobAlreadyClosed",
    "JobRecord",
    "JobType",
    "JobTypeMismatch",
    "Jobs",
    "LeaseLost",
    "NotFound",
    "OtelqError",
    "Page",
    "PayloadCodec",
    "PayloadPlace",
    "Refused",
    "RetryAfter",
    "RetryPolicy",
    "Snooze",
    "Start",
    "Status",
    "StillReferenced",
    "Unavailable",
    "UndecodablePayload",
    "Worker",
    "WrongLoop",
    "after_commit",
    "connect",
    "new_id",
]
