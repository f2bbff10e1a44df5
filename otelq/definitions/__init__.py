"""Declarations: job types, handlers and collections of them, and the attempt that a handler is given."""

from .attempt import Attempt, AttemptScope, Handler, meta_of, scope_of
from .blockers import NO_BLOCKERS, AllOf, AnyOf, Blockers, CheckedBlockers, check_blockers
from .chain import Chain, check_chain_id
from .checks import LONGEST_NAME, check_count, check_priority, check_seconds, check_time, check_when
from .collection import Definition, Jobs, merge
from .continuation import Continue, is_continue
from .continuation_types import check_continuation
from .decisions import Fail, RetryAfter, Snooze, WaitFor
from .handlers import Executor
from .middleware import Middleware, check_middleware, overrides
from .options import ContinueOptions, CopyOptions, MetaOptions, StartOptions, WhenOptions, refuse_unknown
from .types import AnyHandler, JobType, Signature, TraceMode, check_job_type, is_job_type

__all__ = [
    "LONGEST_NAME",
    "NO_BLOCKERS",
    "AllOf",
    "AnyHandler",
    "AnyOf",
    "Attempt",
    "AttemptScope",
    "Blockers",
    "Chain",
    "CheckedBlockers",
    "Continue",
    "ContinueOptions",
    "CopyOptions",
    "Definition",
    "Executor",
    "Fail",
    "Handler",
    "JobType",
    "Jobs",
    "MetaOptions",
    "Middleware",
    "RetryAfter",
    "Signature",
    "Snooze",
    "StartOptions",
    "TraceMode",
    "WaitFor",
    "WhenOptions",
    "check_blockers",
    "check_chain_id",
    "check_continuation",
    "check_count",
    "check_job_type",
    "check_middleware",
    "check_priority",
    "check_seconds",
    "check_time",
    "check_when",
    "is_continue",
    "is_job_type",
    "merge",
    "meta_of",
    "overrides",
    "refuse_unknown",
    "scope_of",
]
