"""What a user declares: job types, handlers and the collections that hold them, and what a handler works with."""

from .attempt import Attempt, Handler, Scope
from .blockers import NOTHING, AllOf, AnyOf, Awaited, Blockers, read_blockers
from .chain import Chain, check_chain_id
from .checks import LONGEST_NAME, check_count, check_priority, check_seconds, check_when
from .collection import Definition, Jobs, is_async, merge
from .deciding import Fail, RetryAfter, Snooze
from .types import Continue, JobType, Signature, TraceMode, check_job_type, is_continue, is_job_type

__all__ = [
    "LONGEST_NAME",
    "NOTHING",
    "AllOf",
    "AnyOf",
    "Attempt",
    "Awaited",
    "Blockers",
    "Chain",
    "Continue",
    "Definition",
    "Fail",
    "Handler",
    "JobType",
    "Jobs",
    "RetryAfter",
    "Scope",
    "Signature",
    "Snooze",
    "TraceMode",
    "check_chain_id",
    "check_count",
    "check_job_type",
    "check_priority",
    "check_seconds",
    "check_when",
    "is_async",
    "is_continue",
    "is_job_type",
    "merge",
    "read_blockers",
]
